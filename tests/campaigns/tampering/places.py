"""What can be done to a log's events and leaves in the database, as long as replay alone has to find it."""

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import asyncpg

from tests.campaigns.tampering.harness import Mutation, shuffled
from tests.campaigns.tampering.rows import EDITED, Table, read_table
from tests.campaigns.tampering.values import others

SEARCHED = (
    *("at", "event_id", "client_id", "actor_id", "sender_id", "recipient_id"),
    *("purpose_id", "kind", "outcome", "person"),
)
NOT_OPENED = frozenset({"event_not_opened", "event_missing"})
NOT_THERE = frozenset({"event_missing", "event_not_opened", "place_twice", "event_misplaced"})
NO_LEAF = frozenset({"leaf_missing", "event_misplaced", "event_not_opened", "place_twice"})
LEAF = frozenset({"event_not_opened", "leaf_missing"})


async def places(rng: random.Random, sql: asyncpg.Connection, network: str) -> list[Iterator[Mutation]]:
    """Groups of mutations of the events and leaves of one log."""
    events, leaves = await read_table(sql, "events", network), await read_table(sql, "leaves", network)
    present = {row["log_index"] for row in events.rows}
    opened = [row for row in leaves.rows if row["log_index"] in present]
    makers = (
        *(_searched(rng, events, column) for column in SEARCHED),
        *(_edited(rng, events, column, NOT_OPENED) for column in ("event", "nonce")),
        *(_edited(rng, events, column, NOT_THERE) for column in ("log_index", "network_id")),
        _edited(rng, leaves, "leaf", LEAF, opened),
        *(_edited(rng, leaves, column, NO_LEAF) for column in ("log_index", "network_id")),
        _removed(events, "events", frozenset({"event_missing"})),
        _removed(leaves, "leaves", frozenset({"leaf_missing"})),
        _both_removed(leaves),
        _exchanged(rng, events, "events", "event = o.event, nonce = o.nonce", list(events.rows)),
        _exchanged(rng, leaves, "leaves", "leaf = o.leaf", opened),
        _doubled(events, "events"),
        _doubled(leaves, "leaves"),
        _said_again(rng, leaves, opened),
        _appended(rng, leaves),
        _emptied(network, leaves.rows[0]["network_id"]),
    )
    return [shuffled(rng, make) for make in makers]


def _place(row: asyncpg.Record) -> str:
    return f"network_id = {row['network_id']} and log_index = {row['log_index']}"


def _change(table: str, column: str, value: str, row: asyncpg.Record) -> str:
    return (
        f"update registry.{table} x set {column} = {value} from (select {column} as before from registry.{table}"
        f" where {_place(row)}) o where {_place(row)} returning x.{column} is distinct from o.before"
    )


def _searched(rng: random.Random, events: Table, column: str) -> Iterator[Mutation]:
    for row in events.rows:
        for value in others(rng, column, events.types[column], row[column], events.values(column)):
            statement = _change("events", column, value, row)
            yield Mutation("search column edited", events.network, statement, f"events {column}", EDITED)


def _edited(
    rng: random.Random, table: Table, column: str, codes: frozenset[str], rows: Sequence[asyncpg.Record] | None = None
) -> Iterator[Mutation]:
    for row in table.rows if rows is None else rows:
        for value in others(rng, column, table.types[column], row[column], table.values(column)):
            kind = f"{table.name}: {column} edited"
            yield Mutation(kind, table.network, _change(table.name, column, value, row), "", codes)


def _removed(table: Table, name: str, codes: frozenset[str]) -> Iterator[Mutation]:
    for row in table.rows:
        statement = f"delete from registry.{name} where {_place(row)} returning true"
        yield Mutation(f"{name}: deleted", table.network, statement, "", codes)
    for left, right in pairwise(table.rows[::7]):
        statement = (
            f"with gone as (delete from registry.{name} where network_id = {left['network_id']} and log_index"
            f" between {left['log_index']} and {right['log_index']} returning 1) select count(*) > 0 from gone"
        )
        yield Mutation(f"{name}: several deleted", table.network, statement, "", codes)


def _both_removed(leaves: Table) -> Iterator[Mutation]:
    """From the middle: a cut end is found by what others kept of it (test_restored)."""
    for row in leaves.rows[:-1]:
        statement = (
            f"with gone as (delete from registry.events where {_place(row)})"
            f" delete from registry.leaves where {_place(row)} returning true"
        )
        yield Mutation("event and leaf deleted", leaves.network, statement, "", frozenset({"leaf_missing"}))


def _exchanged(
    rng: random.Random, table: Table, name: str, sets: str, rows: list[asyncpg.Record]
) -> Iterator[Mutation]:
    for _ in range(60):
        left, right = rng.sample(rows, 2)
        places = f"({left['log_index']}, {right['log_index']})"
        statement = (
            f"with done as (update registry.{name} x set {sets} from registry.{name} o where x.network_id ="
            f" {left['network_id']} and o.network_id = x.network_id and x.log_index in {places}"
            f" and o.log_index in {places} and x.log_index <> o.log_index returning 1)"
            " select count(*) = 2 from done"
        )
        yield Mutation(f"{name}: exchanged", table.network, statement, "", NOT_OPENED)


def _doubled(table: Table, name: str) -> Iterator[Mutation]:
    for row in table.rows:
        statement = f"insert into registry.{name} select * from registry.{name} where {_place(row)} returning true"
        yield Mutation(f"{name}: doubled", table.network, statement, "", frozenset({"place_twice"}))


def _said_again(rng: random.Random, leaves: Table, rows: list[asyncpg.Record]) -> Iterator[Mutation]:
    for row in rows:
        foreign = rng.choice([leaf for leaf in leaves.rows if leaf["leaf"] != row["leaf"]])
        statement = _change("leaves", "leaf", f"'\\x{foreign['leaf'].hex()}'", row)
        yield Mutation("leaves: another's leaf", leaves.network, statement, "", NOT_OPENED)


def _appended(rng: random.Random, leaves: Table) -> Iterator[Mutation]:
    network, size = leaves.rows[0]["network_id"], len(leaves.rows)
    for _ in range(30):
        leaf = f"'\\x01{rng.getrandbits(256):064x}'"
        at = size + rng.choice((0, 0, 1, 5))
        statement = f"insert into registry.leaves (network_id, log_index, leaf) values ({network}, {at}, {leaf})"
        codes = frozenset({"event_missing", "leaf_missing"})
        yield Mutation("leaves: appended", leaves.network, f"{statement} returning true", "", codes)


def _emptied(network: str, number: int) -> Iterator[Mutation]:
    tables = {"events": {"event_missing"}, "leaves": {"leaf_missing"}, "events, registry.leaves": {"row_added"}}
    for names, codes in tables.items():
        statement = f"do $$ begin truncate registry.{names}; end $$"
        yield Mutation("log emptied", network, statement, "", frozenset(codes))
    for name in ("events", "leaves"):
        statement = (
            f"do $$ begin delete from registry.{name} where network_id = {number};"
            f" insert into registry.{name} select * from older.{name} where network_id = {number}; end $$"
        )
        yield Mutation("log restored in part", network, statement, "", frozenset({"event_missing", "leaf_missing"}))
