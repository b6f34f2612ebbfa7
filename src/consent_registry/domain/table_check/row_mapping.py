"""Tellings: which rows of a table an event tells, and which of its members each column is."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from consent_registry.domain.commitments import Commitment
from consent_registry.domain.table_check.expected_rows import TABLES, Facts, ToldRows, at, listed

Act = Callable[[ToldRows, Facts], None]


class Said(NamedTuple):
    """What a column is taken from: an event, the entry of its list that tells this row, and the key of the row that is
    changed by it. An event without a list is its own entry.
    """

    told: ToldRows
    event: Facts
    one: Any
    changed: str = ""

    def changed_value(self, table: str, column: str) -> Any:  # noqa: ANN401 - of whatever kind the column is
        """A column of the row that is changed."""
        return self.told.value(table, column, self.changed)


Computed = Callable[[Said], Any]


def committed(what: str, name: str, of: str = "") -> Computed:
    """A column of which the event tells a commitment, as its member of this name or that of its member `of`."""
    return lambda said: Commitment(what, said.told.nonce, (said.event[of] if of else said.event)[name])


# Columns that hold times although their names do not end as times' names do, and those that hold several.
_READ: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(("valid_from", "valid_until", "giver_mandate_until"), at),
    **dict.fromkeys(("partner_ids", "category_ids"), listed),
    **dict.fromkeys(("told", "remarks", "scopes"), tuple),
}


def code_columns(what: str, of: str = "") -> dict[str, Any]:
    """The columns by which a code is found, as the event of its issue tells them (commitments.digest_members)."""
    key = f"{of}.digest_key" if of else "digest_key"
    return {"digest_key": key, "digest": committed(what, "digest_commitment", of)}


def rows(
    table: str, *, each: str | Computed | None = None, of: tuple[str, str] | None = None, **columns: object
) -> Act:
    """An act that tells a row of this table: one, or one for each entry of a list; `of` something, if that was told.

    A column is a member of the event (`a`), a member's member (`a.b`), a member of the entry (`.a`), the entry (`.`),
    one that may be left out (`a?`), what a function computes, or a value that is no text. A member of nothing is
    nothing. One that is not named is the entry's member of the same name, `recorded_at` the event's time.
    """
    sources = {
        name: _source(columns.pop(name, _unnamed(name)), _reader(name)) for part in TABLES[table] for name in part
    }
    if columns:
        raise TypeError(f"{table} has no columns {sorted(columns)}")
    entries = None if each is None else _source(each)
    changed = None if of is None else (of[0], _source(of[1]))

    def act(told: ToldRows, event: Facts) -> None:
        itself = Said(told, event, event)
        for one in (event,) if entries is None else entries(itself) or ():
            said = Said(told, event, one)
            if changed is not None:
                said = said._replace(changed=changed[1](said))
                if not told.has(changed[0], said.changed):
                    told.unattached += 1
                    continue
            told.add(table, **{name: source(said) for name, source in sources.items()})

    return act


def _unnamed(column: str) -> str:
    return "at" if column == "recorded_at" else f".{column}"


def _as_it_is(value: object) -> object:
    return value


def _reader(column: str) -> Callable[[Any], object]:
    return at if column.endswith("_at") else _READ.get(column, _as_it_is)


def _source(source: object, read: Callable[[Any], object] = _as_it_is) -> Computed:
    if isinstance(source, str):
        return _member(source, read)
    return source if callable(source) else lambda _: source


def _member(path: str, read: Callable[[Any], object]) -> Computed:
    *way, last = path.removeprefix(".").removesuffix("?").split(".")

    def value(said: Said) -> object:
        found = said.one if path.startswith(".") else said.event
        for name in way:
            found = None if found is None else found[name]
        if found is not None and last:
            found = found.get(last) if path.endswith("?") else found[last]
        return None if found is None else read(found)

    return value
