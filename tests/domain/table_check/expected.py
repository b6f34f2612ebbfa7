"""Events as the log holds them, and the rows they tell, column by column."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from consent_registry.domain.table_check.expected_rows import TABLES, Key, ToldRows
from consent_registry.domain.table_check.table_check import Replay

Row = dict[str, Any]
_START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def instant(minute: int) -> datetime:
    """So many minutes after the first event."""
    return _START + timedelta(minutes=minute)


def text(minute: int) -> str:
    """That instant as events write it."""
    return instant(minute).isoformat(timespec="microseconds")[:26] + "Z"


def event(kind: str, minute: int, **members: object) -> Row:
    """An event of partner north, or of whom its members say."""
    return {"v": 1, "network": "small", "kind": kind, "at": text(minute), "actor": "north", "client": None} | members


def shown(rows: ToldRows) -> dict[str, list[Row]]:
    """Every told row with the names of its columns, by table."""
    return {table: [_row(table, key, told) for key, told in some.items()] for table, some in rows.rows.items() if some}


def told(*events: Mapping[str, Any]) -> dict[str, list[Row]]:
    """What these events tell, one after the other; none of them is of an unknown kind."""
    replay = Replay()
    assert all(replay.tell(one) for one in events)
    return shown(replay._told)


def _row(table: str, key: Key, columns: Key) -> Row:
    names = [name for part in TABLES[table] for name in part]
    return dict(zip(names, (*key, *columns), strict=True))
