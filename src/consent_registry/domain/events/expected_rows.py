"""The rows that the tables must hold according to the log's events: by table and key, as tuples of columns.

A column's name is the database's. Its value is a slug, a text, a number, a time or a list of slugs. What events do not
say is not here: the feed of changes, stored answers, secrets, sealed texts, digests.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import UNSET

from consent_registry.domain.commitments import Commitment, Committed
from consent_registry.domain.events.tables import TABLES

RowKey = tuple[Any, ...]
# Stands for a column of which this row's event says nothing.
NOT_SAID = ...
# Columns that hold times although their names do not end as times' names do; lists compared sorted; other lists.
_TIMES = frozenset({"valid_from", "valid_until", "giver_mandate_until"})
_SORTED = frozenset({"partner_ids", "purpose_ids", "category_ids"})
_LISTS = frozenset({"told", "remarks", "scopes", "informs", "giver_scope", "co_giver_roles", "co_giver_assessors"})


class Row(NamedTuple):
    """One row: its table, and the value of every column of the key and of every compared column."""

    table: str
    columns: Mapping[str, Any]


def make_row(table: str, source: object, columns: Mapping[str, Any]) -> Row:
    """Make a row from these columns; every other column is the attribute of `source` that has its name. Raises
    ValueError for an attribute that is absent, TypeError for a column that the table does not have.
    """
    names = [name for part in TABLES[table] for name in part]
    if unknown := sorted(columns.keys() - {*names, "recorded_at"}):
        raise TypeError(f"{table} has no columns {unknown}")
    values = {name: columns[name] if name in columns else getattr(source, name) for name in names}
    if absent := [name for name, value in values.items() if value is UNSET]:
        raise ValueError(f"{table}: the event does not say {', '.join(absent)}")
    return Row(table, {name: _as_column(name, value) for name, value in values.items()})


def _as_column(name: str, value: Any) -> Any:  # noqa: ANN401 - of whatever type the column is
    """A member as the table holds it: a time as an instant, a list as a tuple."""
    if value is None or value is NOT_SAID:
        return value
    if name.endswith("_at") or name in _TIMES:
        return at(value) if isinstance(value, str) else value
    if name in _SORTED:
        return listed(value)
    return tuple(value) if name in _LISTS else value


class ExpectedRows:
    """The rows that the events read so far require. `unattached` counts changes of rows that none of them requires."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[RowKey, tuple[Any, ...]]] = {table: {} for table in TABLES}
        self.unattached = 0
        # Of the event that is being taken in: its commitments are opened with it.
        self.nonce = b""
        self._unlisted_tables: set[str] = set()
        self._unlisted_texts: set[str] = set()

    def add(self, row: Row) -> None:
        """Expect a row; raises ValueError for one that is expected already."""
        keys, columns = TABLES[row.table]
        key = tuple(row.columns[name] for name in keys)
        if key in self.rows[row.table]:
            raise ValueError(f"{row.table} {key} was told before")
        self.rows[row.table][key] = tuple(row.columns[name] for name in columns)

    def has(self, table: str, *key: object) -> bool:
        """Whether this row is expected."""
        return key in self.rows[table]

    def is_attached(self, table: str, *key: object) -> bool:
        """Whether the row that an event changes is expected; if not, it is counted: the row's own event was removed."""
        found = self.has(table, *key)
        self.unattached += not found
        return found

    def value(self, table: str, column: str, *key: object) -> Any:  # noqa: ANN401 - of whatever type the column is
        """The value of a column in an expected row; raises KeyError."""
        return self.rows[table][key][TABLES[table][1].index(column)]

    def opened(self, what: str, committed: Committed) -> Commitment:
        """The expected value of a column for which the event holds only a commitment: the table's value must match."""
        return Commitment(what, self.nonce, committed.of(self.nonce))

    def take(self, table: str, key: RowKey) -> tuple[Any, ...] | None:
        """Remove an expected row and return its columns; None if the row is not expected."""
        return self.rows[table].pop(key, None)

    def leave_unlisted(self, *tables: str, versions: Iterable[str]) -> None:
        """Note that the network's setup event lists no rows of these tables, and only the versions of its texts."""
        self._unlisted_tables.update(tables)
        self._unlisted_texts.update(versions)

    def says_nothing_of(self, table: str, row: Mapping[str, Any]) -> bool:
        """Whether the table may hold this row without an event, because the network's setup event did not list it."""
        if table == "text_languages":
            return row["version"] in self._unlisted_texts
        return table in self._unlisted_tables


def at(text: str) -> datetime:
    """Parse an instant in the format of events; raises ValueError."""
    return datetime.fromisoformat(text)


def listed(slugs: Iterable[str]) -> tuple[str, ...]:
    """The slugs in alphabetical order, in which lists of partners and categories are compared."""
    return tuple(sorted(slugs))
