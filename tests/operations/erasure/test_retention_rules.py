"""What the rules of retention find due in made-up years, beside a second opinion written in SQL."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.operations.erasure.due_steps import DueReader
from consent_registry.operations.erasure.erasures import Eraser, find_network
from consent_registry.operations.erasure.retention import perform_retention
from consent_registry.storage.database.database import transaction
from tests.support.erasing import erasing
from tests.support.installation import Registry
from tests.support.retention_history import NETWORK, SLUG, fill, make_history

ORACLE = Path(__file__).parents[2] / "oracle" / "retention_oracle.sql"
PERSONS = 80
PERIODS = [(3, 3), (1, 5), (5, 1), (10, 10)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def eraser(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Eraser]:
    """The eraser's door."""
    async with erasing(registry, tmp_path_factory.mktemp("ledger") / "ledger") as door:
        yield door


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sql(registry: Registry) -> AsyncIterator[asyncpg.Connection]:
    """An administrator's connection to a database that has the second opinion installed."""
    async with registry.sql() as connection:
        await connection.execute(ORACLE.read_text(encoding="utf-8"))
        await connection.execute(f"set registry.network = '{NETWORK}'")
        yield connection


async def set_periods(sql: asyncpg.Connection, use_years: int, consent_years: int) -> None:
    """Set the network's periods."""
    await sql.execute(
        "insert into registry.retention_periods values ($1, $2, $3, $4, now())",
        *(NETWORK, uuid.uuid1(), use_years, consent_years),
    )


async def found(eraser: Eraser) -> tuple[set[int], set[str], set[int], set[str]]:
    """Return what the rules say is due: places of uses, consents and their places, clients."""
    async with transaction(eraser.pool, NETWORK, ()) as connection:
        reader = await DueReader.of(connection, NETWORK)
        uses = set(await reader._uses(1_000_000))
        groups = [group async for group in reader._consents()]
        clients = {client async for client in reader._clients()}
    consents = {consent for group in groups for consent in group.consents}
    return uses, consents, {place for group in groups for place in group.places}, clients


async def expected(sql: asyncpg.Connection) -> tuple[set[int], set[str], set[int], set[str]]:
    """Return what the second opinion says."""
    periods = await sql.fetchrow("select * from oracle.retention_terms($1)", NETWORK)
    assert periods is not None
    uses = await sql.fetch(
        "select log_index from registry.events where network_id = $1 and at < $2 and kind = any (oracle.use_kinds())"
        " and (client_id is null or client_id <> all (oracle.held_clients($1)))",
        *(NETWORK, periods["uses_before"]),
    )
    consents = await sql.fetchval("select oracle.due_consents($1, $2, null)", NETWORK, periods["consents_before"])
    places = await sql.fetchval("select oracle.places_of_consents($1, $2)", NETWORK, consents)
    clients = await sql.fetchval("select oracle.unused_clients($1, $2, null)", NETWORK, periods["consents_before"])
    return {row[0] for row in uses}, set(map(str, consents)), set(places or ()), set(map(str, clients))


@pytest.mark.parametrize("seed", range(4))
async def test_both_opinions_agree(eraser: Eraser, sql: asyncpg.Connection, seed: int) -> None:
    """In years in which acts come in time and nothing is renewed, both find the same uses, consents with their places
    in the log, and clients, whatever the periods.
    """
    await fill(sql, make_history(seed, PERSONS, wild=False))
    sizes = []
    for periods in PERIODS:
        await sql.execute("set session_replication_role = replica")
        await sql.execute("delete from registry.retention_periods where network_id = $1", NETWORK)
        await sql.execute("set session_replication_role = origin")
        await set_periods(sql, *periods)
        ours, theirs = await found(eraser), await expected(sql)
        assert ours == theirs
        sizes.append([len(part) for part in ours])
    assert all(max(size[part] for size in sizes) > 0 for part in range(4)), sizes


@pytest.mark.parametrize("seed", range(3))
async def test_late_acts_and_renewals_are_waited_for(eraser: Eraser, sql: asyncpg.Connection, seed: int) -> None:
    """In wild years ours lets nothing go that the second opinion keeps; done to the end, the database refuses none of
    it, no event refers to a consent that is gone, and no consent is without its entry.
    """
    await fill(sql, make_history(seed, PERSONS, wild=True))
    ours, theirs = await found(eraser), await expected(sql)
    assert ours[0] == theirs[0]
    assert ours[1] <= theirs[1]
    assert ours[3] <= theirs[3]
    network = await find_network(eraser, SLUG)
    steps = await perform_retention(eraser, network, batch=7)
    assert {step.step for step in steps} == {"uses", "consents", "clients"}
    assert await orphans(sql) == (0, 0)
    assert await perform_retention(eraser, network) == []


async def test_control_the_second_opinion_tears_renewals_apart(sql: asyncpg.Connection) -> None:
    """What ours waits for: the second opinion lets a consent's entry go with the one it renewed, while it stays."""
    torn = 0
    for seed in range(3):
        await fill(sql, make_history(seed, PERSONS, wild=True))
        _, consents, places, _ = await expected(sql)
        torn += await sql.fetchval(
            "select count(*) from registry.events e join registry.consents c using (network_id)"
            " where e.network_id = $1 and e.log_index = any ($2) and e.event_id = c.consent_id"
            " and c.consent_id <> all ($3::uuid[])",
            *(NETWORK, places, consents),
        )
    assert torn > 0


async def orphans(sql: asyncpg.Connection) -> tuple[int, int]:
    """Count entries that tell of a consent that is gone, and consents without their entry."""
    known = {
        str(row[0])
        for row in await sql.fetch("select consent_id from registry.consents where network_id = $1", NETWORK)
    }
    entries = await sql.fetch("select event_id, event from registry.events where network_id = $1", NETWORK)
    told = [said["consent"] for row in entries if "consent" in (said := json.loads(row["event"]))]
    own = {str(row["event_id"]) for row in entries if json.loads(row["event"])["kind"] == "consent"}
    return len(own - known) + len(set(told) - known), len(known - own)
