"""Groups of client numbers: which locks are taken, in which order, and which permits an unlinking makes findings."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest_asyncio

from consent_registry.storage.clients.clients import client_lock, digest_locks
from consent_registry.storage.clients.links import ClientGroup, add_memberships, find_groups, lock_groups
from consent_registry.storage.clients.unlinkings import permits_on_undone_links
from consent_registry.storage.database.database import begin_sql
from consent_registry.storage.database.locks import LOCK_CLIENT
from consent_registry.storage.decisions.client_locks import UNKNOWN_CLIENT, FactsQuery, lock_clients
from tests.support.installation import Registry
from tests.support.office import Office, office
from tests.support.small_network import NUMBER, PARTNERS, question

BACK = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}


@pytest_asyncio.fixture(loop_scope="session")
async def app(registry: Registry) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of the application on behalf of north, rolled back at the end."""
    async with registry.sql("app") as connection:
        await connection.execute(begin_sql(NUMBER, [PARTNERS["north"]]))
        yield connection
        await connection.execute("rollback")


async def held(connection: asyncpg.Connection) -> dict[int, str]:
    """Return the clients' locks of this connection, with their mode."""
    rows = await connection.fetch(
        "select objid, mode from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and classid = $1",
        LOCK_CLIENT | NUMBER,
    )
    return {row["objid"] - (1 << 32 if row["objid"] >= 1 << 31 else 0): row["mode"] for row in rows}


async def clients(connection: asyncpg.Connection, number: int) -> list[str]:
    """Add this many clients."""
    found = [str(uuid.uuid4()) for _ in range(number)]
    now = await connection.fetchval("select now()")
    for client_id in found:
        await connection.execute("insert into registry.clients values ($1, $2, $3)", NUMBER, client_id, now)
    return found


async def joined(connection: asyncpg.Connection, positions: dict[str, int]) -> str:
    """Link these clients."""
    group_id, now = str(uuid.uuid4()), await connection.fetchval("select now()")
    await add_memberships(connection, NUMBER, group_id, positions, now)
    return group_id


async def test_a_group_is_what_the_last_rows_say(app: asyncpg.Connection) -> None:
    """A client number is in the group of its last membership row."""
    a, b, c, d = await clients(app, 4)
    await joined(app, {a: 0, b: 0})
    everybody = await joined(app, {a: 1, b: 1, c: 0})
    assert await find_groups(app, NUMBER, [a, d]) == {
        a: ClientGroup(everybody, {a: 2, b: 2, c: 1}),
        d: ClientGroup(None, {d: 0}),
    }
    alone = await joined(app, {b: 2})
    assert await find_groups(app, NUMBER, [b, c]) == {
        b: ClientGroup(alone, {b: 3}),
        c: ClientGroup(everybody, {a: 2, c: 1}),
    }


async def test_everybody_in_a_group_is_held_alone(app: asyncpg.Connection) -> None:
    """A command takes the exclusive locks of all numbers in a client's group, and no others."""
    a, b, c, d = await clients(app, 4)
    await joined(app, {a: 0, b: 0, c: 0})
    await joined(app, {b: 1})
    assert await lock_groups(app, NUMBER, client_ids=[a, d]) == {a, c, d}
    assert await held(app) == {client_lock(client): "ExclusiveLock" for client in (a, c, d)}


async def test_a_reference_nobody_registered_is_held_by_its_digests(app: asyncpg.Connection) -> None:
    """For an unknown reference a command takes the locks that decisions take for it."""
    digests = [uuid.uuid4().bytes * 2, uuid.uuid4().bytes * 2]
    assert await lock_groups(app, NUMBER, references=[(PARTNERS["north"], digest) for digest in digests]) == set()
    assert await held(app) == dict.fromkeys(digest_locks(digests), "ExclusiveLock")


async def test_a_decision_holds_everybody_beside_others(app: asyncpg.Connection) -> None:
    """A decision takes the shared locks of the whole group of a linked reference, or of an unknown
    reference's digest.
    """
    a, b = await clients(app, 2)
    group_id = await joined(app, {a: 0, b: 0})
    known, unknown = uuid.uuid4().bytes * 2, uuid.uuid4().bytes * 2
    await app.execute(
        "insert into registry.client_references (network_id, partner_id, digest, digest_key, client_id, sealed,"
        " recorded_at) values ($1, $2, $3, 'digest-1', $4, '', now())",
        NUMBER,
        PARTNERS["north"],
        known,
        a,
    )
    queries = [FactsQuery(PARTNERS["north"], (digest,), PARTNERS["south"], 1) for digest in (known, unknown)]
    (whose, free), (nobody, also_free) = await lock_clients(app, NUMBER, queries)
    assert (whose.client_id, whose.group_id, free) == (a, group_id, True)
    assert (nobody, also_free) == (UNKNOWN_CLIENT, True)
    assert await held(app) == dict.fromkeys([client_lock(a), client_lock(b), *digest_locks([unknown])], "ShareLock")


async def linked(north: Office, south: Office) -> tuple[str, str]:
    """Link north's and south's references for one client."""
    client, theirs = await north.client(), await south.client()
    code = (await north.post("/link-codes", {"client": client}))["link_code"]
    await south.post("/clients", {"reference": theirs, "link_code": code}, 200)
    return client, theirs


async def findings(registry: Registry, unlinking: str, partner: str, *, linker: bool = False) -> list[str]:
    """Return the decisions that a partner's reconciliation would list for an unlinking; `linker` redeemed the code."""
    async with registry.sql("app") as connection:
        await connection.execute(begin_sql(NUMBER, [PARTNERS[partner]]))
        end = await connection.fetchval("select statement_timestamp()")
        found = await permits_on_undone_links(connection, NUMBER, PARTNERS[partner], end - timedelta(days=1), end)
        await connection.execute("rollback")
    of_it = [finding for finding in found if finding.unlinking_id == unlinking]
    assert all((finding.linked_at is not None) is linker for finding in of_it), (
        "when others linked is not this partner's to know"
    )
    return [finding.decision_id for finding in of_it]


async def test_permits_that_rested_on_the_link_are_findings(registry: Registry) -> None:
    """After either side's unlinking each partner finds its own permits that used the other side's consent; permits by
    its own consents, and those before an earlier unlinking, are not found.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await linked(north, south)
    at_north, at_south = await north.consent(client, BACK), await south.consent(theirs, purpose="housing")
    await south.post(f"/consents/{at_north['consent_id']}/confirmations", {})
    await north.post(f"/consents/{at_south['consent_id']}/confirmations", {})
    to_north = {"client": theirs, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    to_south = question(client, purpose="housing")
    crossing = [(await south.post("/decisions", to_north, 200))["decision_id"] for _ in range(2)]
    across = (await north.post("/decisions", to_south, 200))["decision_id"]
    assert await north.outcome(client) == "permit"
    gone = (await south.post("/unlinkings", {"client": theirs}))["unlinking_id"]
    assert (await south.post("/decisions", to_north, 200))["outcome"] == "no_permission"
    await south.consent(theirs, **BACK)
    assert (await south.post("/decisions", to_north, 200))["outcome"] == "permit"
    assert await findings(registry, gone, "south", linker=True) == crossing
    assert await findings(registry, gone, "north") == [across]
    assert await findings(registry, gone, "east") == []
    # Linked once more and undone once more: what was found before is not found again.
    code = (await south.post("/link-codes", {"client": theirs}))["link_code"]
    await north.post("/clients", {"reference": client, "link_code": code}, 200)
    later = (await north.post("/decisions", to_south, 200))["decision_id"]
    again = (await north.post("/unlinkings", {"client": client}))["unlinking_id"]
    assert await findings(registry, again, "south") == []
    assert await findings(registry, again, "north", linker=True) == [later]
