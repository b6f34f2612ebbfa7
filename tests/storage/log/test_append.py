"""Concurrent appends leave no gap in the log, also if transactions roll back, and an event's bytes open its leaf."""

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from consent_registry.domain.commitments import commit_to
from consent_registry.domain.events.decisions import DecisionEvent, ReadEvent
from consent_registry.domain.events.event import Event
from consent_registry.domain.instants import format_instant
from consent_registry.operations.runtime.commands import new_id
from consent_registry.storage.database.database import Pool, transaction
from consent_registry.storage.log.append import LogPlace, NewEntry, append, append_all, find_event, find_places
from consent_registry.tlog.leaf import canonical, opens
from tests.support.installation import Registry
from tests.support.pools import ACTOR, NETWORK, count, pool_of
from tests.support.small_network import NUMBER

NOW = datetime.now(UTC)


class GaveUp(Exception):
    """A transaction that ends without a commit."""


def events(number: int) -> list[Event]:
    """Return this many events without content."""
    return [ReadEvent(id=new_id(NOW), what="test", count=place, digest="") for place in range(number)]


async def no_pause() -> None:
    """Do not pause for one event."""


async def write(pool: Pool, number: int, *, give_up: bool = False) -> list[LogPlace]:
    """Append in a transaction of its own, which may roll back after the append."""
    async with transaction(pool, NUMBER, [ACTOR[0]]) as connection:
        places = await append(connection, NETWORK, ACTOR, NOW, events(number))
        await asyncio.sleep(0.002)
        if give_up:
            raise GaveUp
    return places


async def at_once(pool: Pool) -> list[list[LogPlace] | BaseException]:
    """Run twenty concurrent transactions that append one to five events each; every third rolls back."""
    lengths = random.Random(7).choices(range(1, 6), k=20)
    writes = [write(pool, length, give_up=place % 3 == 2) for place, length in enumerate(lengths)]
    return await asyncio.gather(*writes, return_exceptions=True)


async def test_twenty_at_once_leave_no_gap(registry: Registry) -> None:
    """After twenty concurrent transactions, a third of them rolled back, indices have no gap and no duplicate."""
    before = await count(registry, "leaves")
    async with pool_of(registry, 20) as pool:
        written = await at_once(pool)
    kept = [result for result in written if isinstance(result, list)]
    assert [result for result in written if not isinstance(result, list | GaveUp)] == []
    assert len(kept) == 14
    indices = [[place.index for place in places] for places in kept]
    assert sorted(index for run in indices for index in run) == list(range(before, await count(registry, "leaves")))
    assert all(run == list(range(run[0], run[0] + len(run))) for run in indices)
    assert await count(registry, "events") == await count(registry, "leaves")


async def test_an_append_without_its_lock_fails(fresh_registry: Registry) -> None:
    """Control: without its lock the append function fails for twenty concurrent transactions."""
    async with fresh_registry.sql() as owner:
        source = await owner.fetchval(
            "select pg_get_functiondef(oid) from pg_proc where proname = 'append' order by pronargs desc limit 1"
        )
        lock = "perform pg_advisory_xact_lock((4 << 20) | p_network, 0);"
        assert lock in source
        await owner.execute(source.replace(lock, ""))
    async with pool_of(fresh_registry, 20) as pool:
        written = await at_once(pool)
    assert any(isinstance(result, asyncpg.UniqueViolationError) for result in written)


async def test_what_was_appended_opens_its_leaf(registry: Registry) -> None:
    """An event's stored bytes and nonce open the leaf of the answer, and the bytes are canonical and complete."""
    client = "00000000-0000-4000-8000-000000000001"
    event = DecisionEvent(
        id=new_id(NOW),
        actor=ACTOR[1],
        client=client,
        reference_commitment=commit_to("N-1"),
        recipient="south",
        purpose="support",
        categories=["identity"],
        permitted=["identity"],
        outcome="permit",
        basis="statute",
        norm="§ 69 SGB X",
        expires_at=format_instant(NOW),
        grants=[],
    )
    entry = NewEntry.of(NETWORK, ACTOR, format_instant(NOW), event, (2, 1))
    async with pool_of(registry) as pool:
        async with transaction(pool, NUMBER, [ACTOR[0]]) as connection:
            (place,) = await append_all(connection, NETWORK, NOW, [entry], no_pause)
        async with transaction(pool, NUMBER, [ACTOR[0]]) as connection:
            stored = await find_event(connection, NETWORK, event.id)
    assert stored is not None
    assert (stored.place, stored.client_id, stored.kind) == (place, client, 1)
    assert opens(place.leaf, stored.event, stored.place.nonce)
    facts: dict[str, Any] = json.loads(stored.event)
    assert canonical(facts) == stored.event
    head = {name: facts[name] for name in ("v", "kind", "id", "network", "actor", "client")}
    assert head == {
        "v": 1,
        "kind": "decision",
        "id": event.id,
        "network": "small",
        "actor": "north",
        "client": client,
    }
    assert b"N-1" not in stored.event
    assert facts["reference_commitment"]


async def test_an_event_is_its_actors_and_its_place_is_everybodys(registry: Registry) -> None:
    """Only its actor can read an event; every partner of the network may see its index and leaf."""
    async with pool_of(registry) as pool:
        (place,) = await write(pool, 1)
        async with transaction(pool, NUMBER, [ACTOR[0]]) as connection:
            event_id = await connection.fetchval(
                "select event_id from registry.events where network_id = $1 and log_index = $2", NUMBER, place.index
            )
        for network_id, partners, sees in ((NUMBER, [2], True), (NUMBER, [], True), (1, [1], False)):
            async with transaction(pool, network_id, partners) as connection:
                assert await find_event(connection, NETWORK, str(event_id)) is None
                found = await find_places(connection, NETWORK, [str(event_id)])
                assert found == ({str(event_id): (place.index, place.leaf)} if sees else {})


@pytest.mark.parametrize("statement", ["update registry.leaves set leaf = leaf", "delete from registry.leaves"])
async def test_the_application_cannot_alter_the_log(registry: Registry, statement: str) -> None:
    """The application's role can neither change nor delete a leaf, and a trigger stops the owner."""
    async with registry.sql("app") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    async with registry.sql() as connection:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await connection.execute(statement)
