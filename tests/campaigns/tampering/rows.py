"""What can be done to the rows that events tell of: to each column, to rows, to whole tables."""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import asyncpg

from consent_registry.domain.events.decisions import TransferEvent
from consent_registry.domain.events.tables import TABLES
from tests.campaigns.tampering.harness import Mutation, shuffled
from tests.campaigns.tampering.register import OLDER
from tests.campaigns.tampering.values import others
from tests.domain.events.logged import event, read

# How the catalogue's tables call the number by which all others name their entries.
NUMBERS = {"partners": "partner_id", "data_categories": "category_id", "purposes": "purpose_id"}
_TRANSFER = read(event("transfer", 0))
assert isinstance(_TRANSFER, TransferEvent)
TRANSFERS = (("transfer_id",), tuple(name for name in _TRANSFER.transfer_row() if name != "transfer_id"))
TOLD: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {**TABLES, "transfers": TRANSFERS}
# What events tell of a sealed column without keys: whether there is a text.
PRESENCE = frozenset({"has_function", "has_kept_at"})
NOT_OPENED = frozenset(
    {"reference_not_opened", "reference_digest", "reference_other", "text_not_opened", "text_other", "column_differs"}
)
GONE = frozenset({"row_missing", "no_such_network"})
MOVED = frozenset({"row_missing", "row_added", "no_such_network"})
EDITED = frozenset({"column_differs"})
ADDED = frozenset({"row_added"})


@dataclass(frozen=True, slots=True)
class Table:
    """One network's rows of a table, with where each lies and the types of its columns."""

    name: str
    network: str
    rows: Sequence[asyncpg.Record]
    types: Mapping[str, str]

    @property
    def keys(self) -> tuple[str, ...]:
        """What replay calls a row by, in the database's words."""
        return TOLD[self.name][0]

    @property
    def columns(self) -> list[str]:
        """What replay compares of a row, in the database's words."""
        return columns_of(self.name)

    def values(self, column: str) -> list[Any]:
        """The values of a column in all networks, once each."""
        return list({repr(row[column]): row[column] for row in self.rows}.values())

    def mutation(self, kind: str, statement: str, codes: frozenset[str]) -> Mutation:
        """One mutation of this table; `transfers` and `networks` as others are found by their own names."""
        return Mutation(kind, self.network, statement, self.name, codes)


def columns_of(table: str) -> list[str]:
    """What replay compares of a table, in the database's words."""
    return [NUMBERS[table] if column == "number" else column for column in TOLD[table][1] if column not in PRESENCE]


async def read_table(sql: asyncpg.Connection, name: str, network: str) -> Table:
    """Read a network's rows of a table."""
    rows = await sql.fetch(
        f"select ctid::text as at_ctid, t.* from registry.{name} t where network_id ="
        " (select network_id from registry.networks where slug = $1) order by ctid",
        network,
    )
    types = await sql.fetch(
        "select attname, format_type(atttypid, null) from pg_attribute where attrelid = $1::regclass and attnum > 0"
        " and not attisdropped",
        f"registry.{name}",
    )
    return Table(name, network, rows, {type_[0]: type_[1] for type_ in types})


def cells(rng: random.Random, table: Table) -> Iterator[Iterator[Mutation]]:
    """Every column by itself: other values in every row, and two rows' values exchanged."""
    for column in (*table.keys, *table.columns, "network_id"):
        yield shuffled(rng, [*_edits(rng, table, column), *_exchanges(rng, table, column)])


def sealed_cells(rng: random.Random, table: Table, columns: Sequence[str]) -> Iterator[Iterator[Mutation]]:
    """Every column that only the keys tell of, by itself: other values in every row, and two rows' values exchanged."""
    for column in columns:
        mutations = [*_edits(rng, table, column), *_exchanges(rng, table, column)]
        yield shuffled(rng, [replace(mutation, codes=NOT_OPENED) for mutation in mutations])


def _edits(rng: random.Random, table: Table, column: str) -> Iterator[Mutation]:
    elsewhere, kind = table.values(column), table.types[column]
    for row in table.rows:
        for value in others(rng, column, kind, row[column], elsewhere):
            yield table.mutation(
                f"{_what(table, column)} edited",
                f"update registry.{table.name} x set {column} = {value} from (select {column} as before"
                f" from registry.{table.name} where ctid = '{row['at_ctid']}') o where ctid = '{row['at_ctid']}'"
                f" returning x.{column} is distinct from o.before",
                _codes(table, column),
            )


def _exchanges(rng: random.Random, table: Table, column: str) -> Iterator[Mutation]:
    if column in table.keys and len(table.keys) == 1:
        return
    # Two rows that differ in nothing else only change places.
    rest = [name for name in (*table.keys, *table.columns) if name != column]
    pairs = [
        (left, right)
        for left, right in combinations(table.rows, 2)
        if left[column] != right[column] and any(left[name] != right[name] for name in rest)
    ]
    for left, right in rng.sample(pairs, min(8, len(pairs))):
        yield table.mutation(
            f"{_what(table, column)} exchanged", _exchange(table, left, right, [column]), EDITED | MOVED
        )


def _exchange(table: Table, left: asyncpg.Record, right: asyncpg.Record, columns: Sequence[str]) -> str:
    places = f"('{left['at_ctid']}', '{right['at_ctid']}')"
    sets = ", ".join(f"{column} = o.{column}" for column in columns)
    return (
        f"with done as (update registry.{table.name} x set {sets} from registry.{table.name} o"
        f" where x.ctid in {places} and o.ctid in {places} and x.ctid <> o.ctid returning 1)"
        " select count(*) = 2 from done"
    )


def _what(table: Table, column: str) -> str:
    return "key" if column in table.keys else "network" if column == "network_id" else "column"


def _codes(table: Table, column: str) -> frozenset[str]:
    return EDITED if column in table.columns else MOVED


def whole_rows(rng: random.Random, table: Table) -> Iterator[Iterator[Mutation]]:
    """Rows taken out, put in, doubled, or given each other's content."""
    for make in (_deletions, _insertions, _row_exchanges):
        yield shuffled(rng, make(rng, table))


def _deletions(rng: random.Random, table: Table) -> Iterator[Mutation]:
    for size in (1, 2, 3):
        for _ in range(len(table.rows) if len(table.rows) >= size else 0):
            chosen = sorted(row["at_ctid"] for row in rng.sample(list(table.rows), size))
            places = ", ".join(f"'{place}'" for place in chosen)
            yield table.mutation(
                "row deleted",
                f"with gone as (delete from registry.{table.name} where ctid in ({places}) returning 1)"
                " select count(*) > 0 from gone",
                GONE,
            )


def _insertions(rng: random.Random, table: Table) -> Iterator[Mutation]:
    for row in table.rows:
        copy = f"insert into registry.{table.name} select * from registry.{table.name} where ctid = '{row['at_ctid']}'"
        yield table.mutation("row doubled", f"{copy} returning true", ADDED)
        for key in table.keys:
            for value in others(rng, f"t.{key}", table.types[key], row[key], []):
                # Acts are told by id: what somebody forges has one of its own. It was recorded when it was put in, or
                # when the row it is made from was, in a span that may have been erased since.
                act = [f"'act_id', '{uuid.UUID(int=rng.getrandbits(128))}'"] if "act_id" in table.types else []
                now = ["'recorded_at', now()"] if "recorded_at" in table.types and rng.random() < 0.5 else []
                members = ", ".join([*act, f"'{key}', {value}", *now])
                yield table.mutation(
                    "row inserted",
                    f"insert into registry.{table.name} select (jsonb_populate_record(t, jsonb_build_object("
                    f"{members}))).* from registry.{table.name} t where ctid = '{row['at_ctid']}' returning true",
                    ADDED,
                )


def _row_exchanges(rng: random.Random, table: Table) -> Iterator[Mutation]:
    pairs = [
        pair
        for pair in combinations(table.rows, 2)
        if any(pair[0][column] != pair[1][column] for column in table.columns)
    ]
    for left, right in rng.sample(pairs, min(20, len(pairs))):
        yield table.mutation("rows exchanged", _exchange(table, left, right, table.columns), EDITED)


async def whole_tables(rng: random.Random, sql: asyncpg.Connection, tables: Sequence[Table]) -> list[Mutation]:
    """Tables emptied, and put back as the older copy has them: each alone, and several together."""
    changed = [table for table in tables if await _has_changed(sql, table)]
    mutations = [
        table.mutation("table emptied", _emptied(f"truncate registry.{table.name} cascade"), GONE) for table in tables
    ]
    groups = [[table] for table in changed]
    groups += [rng.sample(changed, size) for size in (2, 3, 5) for _ in range(30) if len(changed) >= size]
    for group in groups:
        names = ", ".join(f"registry.{table.name}" for table in group)
        back = "; ".join(f"insert into registry.{table.name} select * from {OLDER}.{table.name}" for table in group)
        kind = "table restored" if len(group) == 1 else "tables restored together"
        mutations.append(group[0].mutation(kind, _emptied(f"truncate {names}; {back}"), MOVED))
    return mutations


def _emptied(body: str) -> str:
    return f"do $$ begin {body}; end $$"


async def _has_changed(sql: asyncpg.Connection, table: Table) -> bool:
    keys = ", ".join(table.keys)
    return bool(
        await sql.fetchval(
            f"select exists (select {keys} from registry.{table.name} where network_id = $1"
            f" except select {keys} from {OLDER}.{table.name} where network_id = $1)",
            table.rows[0]["network_id"],
        )
    )
