"""Events as the log holds them, and the rows they stand for, column by column."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

from msgspec import inspect

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.all_kinds import EVENTS, read_event
from consent_registry.domain.events.event import EventHead
from consent_registry.domain.events.expected_rows import ExpectedRows, RowKey
from consent_registry.domain.events.tables import TABLES
from consent_registry.domain.table_check import TableCheck
from consent_registry.tlog.leaf import canonical

Row = dict[str, Any]
_START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def instant(minute: int) -> datetime:
    """So many minutes after the first event."""
    return _START + timedelta(minutes=minute)


def text(minute: int) -> str:
    """That instant as events write it."""
    return instant(minute).isoformat(timespec="microseconds")[:26] + "Z"


def event(kind: str, minute: int, **members: object) -> Row:
    """An event of partner north, unless its kind has no actor or its members name another. A member that is required
    and not given has the plainest value of its type.
    """
    actor = None if kind in EVENTS and get_type_hints(EVENTS[kind])["actor"] is type(None) else "north"
    head = {"v": 1, "network": "small", "kind": kind, "at": text(minute), "actor": actor, "client": None}
    given = head | members
    required = _required(EVENTS[kind]) if kind in EVENTS else {"id": "e"}
    return given | {name: value for name, value in required.items() if name not in given}


def read(said: Mapping[str, Any]) -> EventHead:
    """The event that these members make up."""
    return read_event(canonical(said))


def shown(rows: ExpectedRows) -> dict[str, list[Row]]:
    """Every expected row with the names of its columns, by table."""
    return {
        table: [_row(table, key, told) for key, told in found.items()] for table, found in rows.rows.items() if found
    }


def told(*events: Mapping[str, Any]) -> dict[str, list[Row]]:
    """What these events stand for, one after the other; none of them is of an unknown kind."""
    table_check = TableCheck()
    assert all(table_check.add(read(event)) for event in events)
    return shown(table_check.expected)


def _row(table: str, key: RowKey, columns: RowKey) -> Row:
    names = [name for part in TABLES[table] for name in part]
    return dict(zip(names, (*key, *columns), strict=True))


def _required(kind: type) -> Row:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return {field.name: _plainest(field.type) for field in found.fields if field.required}


def _plainest(kind: inspect.Type) -> object:
    """Null where it may be, nothing in lists and objects, a text that is an instant as well."""
    if isinstance(kind, inspect.UnionType):
        return (
            None
            if any(isinstance(kind_of_value, inspect.NoneType) for kind_of_value in kind.types)
            else _plainest(kind.types[0])
        )
    if isinstance(kind, inspect.StructType):
        return _required(kind.cls)
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.CustomType):
        assert kind.cls is Committed
        return "C"
    return _PLAINEST[type(kind)]


_PLAINEST: dict[type[inspect.Type], object] = {
    inspect.StrType: text(0),
    inspect.IntType: 0,
    inspect.BoolType: False,
    inspect.ListType: [],
    inspect.DictType: {},
}
