"""`/live` needs nothing, and `/ready` is 200 only while a decision could be recorded."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.installation import Installation, Registry, serving
from tests.support.small_network import question

SOON = 5.0


@asynccontextmanager
async def unreachable(installation: Installation, database: str) -> AsyncIterator[None]:
    """Refuse all connections to a database during a block, as if its server had failed."""
    admin = await asyncpg.connect(installation.cluster.dsn())
    try:
        await admin.execute(f"alter database {database} allow_connections false")
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database)
        yield
    finally:
        await admin.execute(f"alter database {database} allow_connections true")
        await admin.close()


async def until(registry: Registry, status: int) -> float:
    """Ask /ready until it has this status; return the seconds."""
    began = time.monotonic()
    while (answer := await registry.http.get("/ready")).status_code != status:
        assert time.monotonic() - began < SOON, answer.text
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_alive_and_ready(registry: Registry) -> None:
    """Both answer JSON to every caller, without a token and with any Accept header."""
    for path, status in (("/live", "alive"), ("/ready", "ready")):
        for headers in ({}, {"Accept": "text/html"}, {"Authorization": "Bearer x"}):
            answer = await registry.http.get(path, headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"status": status})
            assert answer.headers["cache-control"] == "no-store"


async def test_alive_but_not_ready_without_its_database(fresh_registry: Registry) -> None:
    """Without its database the process is alive but not ready, records nothing and sends Retry-After; later it
    recovers.
    """
    north = await fresh_registry.partner("north")
    async with unreachable(fresh_registry.installation, fresh_registry.database):
        await until(fresh_registry, 503)
        answer = await fresh_registry.http.get("/ready")
        assert (answer.json()["type"], answer.headers["retry-after"]) == ("/problems/cannot-record", "1")
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await fresh_registry.http.get("/live")).status_code == 200
        for response in (
            await north.post("/decisions", question("N-1")),
            await north.get("/me"),
            await north.get("/texts"),
        ):
            assert (response.status_code, response.json()["type"]) == (503, "/problems/cannot-record"), response.text
            assert int(response.headers["retry-after"]) >= 1
    assert await until(fresh_registry, 200) < SOON
    assert (await north.post("/decisions", question("N-1"))).status_code == 200


async def test_not_ready_when_the_log_cannot_be_written(fresh_registry: Registry) -> None:
    """Without the privilege to append to the log no decision is answered and `/ready` is 503; later both recover."""
    north = await fresh_registry.partner("north")
    async with fresh_registry.sql() as sql:
        await sql.execute("revoke insert on registry.leaves from consent_registry_app")
        refused = await north.post("/decisions", question("N-1"))
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/cannot-record"), refused.text
        assert "outcome" not in refused.json()
        await until(fresh_registry, 503)
        await sql.execute("grant insert on registry.leaves to consent_registry_app")
    await until(fresh_registry, 200)
    assert (await north.post("/decisions", question("N-1"))).status_code == 200


async def test_a_process_that_knows_nothing_yet_says_503_too(installation: Installation) -> None:
    """The first requests of a process without a database are 503, never 500."""
    async with installation.copy() as database:
        async with serving(installation, database) as before:
            token = (await before.partner("north")).token
        async with serving(installation, database) as registry, unreachable(installation, database):
            north = registry.stranger("north")
            north.token = token
            for answer in (
                await north.http.post(
                    "/oauth/token",
                    data={"grant_type": "client_credentials"},
                    auth=(north.client_id, north.client_secret),
                ),
                await north.http.get("/.well-known/jwks.json"),
                await north.get("/me"),
                await north.post("/decisions", question("N-1")),
            ):
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/cannot-record"), answer.text
                assert answer.headers["retry-after"]


async def test_connections_cut_in_the_middle_are_503(fresh_registry: Registry) -> None:
    """While the database cuts all connections twenty times, every request is 200 or 503, never 500."""
    north = await fresh_registry.partner("north")
    told: set[int] = set()
    over = asyncio.Event()

    async def ask_on() -> None:
        while not over.is_set():
            told.add((await north.post("/decisions", question("N-1"))).status_code)
            told.add((await north.get("/me")).status_code)

    askers = [asyncio.create_task(ask_on()) for _ in range(6)]
    for _ in range(20):
        await asyncio.sleep(0.05)
        async with unreachable(fresh_registry.installation, fresh_registry.database):
            await asyncio.sleep(0.05)
    over.set()
    await asyncio.gather(*askers)
    assert told == {200, 503}
