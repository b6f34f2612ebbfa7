"""The leader seals every network, again after ten minutes by a clock that cannot be set; two never lead at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest_asyncio

from consent_registry.operations.log.sealer import AGAIN_AFTER, Sealer
from tests.support.installation import Installation
from tests.support.sealing import Office, office

NETWORKS = ("small", "paderborn", "widunetz")
LIMIT = 15.0


@dataclass(slots=True)
class Clock:
    """A clock in seconds that the test can move ahead."""

    ahead: float = 0.0

    def __call__(self) -> float:
        """The seconds of this clock."""
        return time.monotonic() + self.ahead


@pytest_asyncio.fixture(loop_scope="session")
async def desk(installation: Installation, tmp_path: Path) -> AsyncIterator[Office]:
    """A database that only this test uses; none of its logs is sealed."""
    async with installation.copy() as database, office(installation, database, tmp_path / "heads") as sealer:
        yield sealer


@asynccontextmanager
async def sealing(
    desk: Office, keys: Path, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[asyncio.Event]:
    """Run a sealer for the length of a block; setting the event stops it sooner."""
    stop = asyncio.Event()
    task = asyncio.create_task(Sealer(desk.dsn, keys, desk.tools, clock).run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def until(truth: Callable[[], "asyncio.Future[bool] | object"]) -> None:
    """Wait until this is true, at most LIMIT seconds."""
    end = time.monotonic() + LIMIT
    while not await truth():  # type: ignore[misc]
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def count(desk: Office, slug: str = "small") -> int:
    """How many checkpoints of a network were published."""
    found = await desk.sql.fetchval(
        "select count(*) from registry.checkpoints join registry.networks using (network_id) where slug = $1", slug
    )
    return int(found)


async def test_every_network_is_sealed_and_again_when_it_grows(desk: Office, installation: Installation) -> None:
    """Every network is sealed; only a network with new leaves gets another checkpoint."""
    async with sealing(desk, installation.keys):
        await until(lambda: _sealed(desk, *NETWORKS))
        await desk.add_leaves(7, "paderborn")
        await until(lambda: _sealed(desk, *NETWORKS))
        assert await count(desk, "paderborn") == 2
        assert await count(desk, "small") == await count(desk, "widunetz") == 1
    for slug in NETWORKS:
        await desk.check(slug)


async def _sealed(desk: Office, *slugs: str) -> bool:
    return all([await count(desk, slug) and await desk.check(slug) == len(await desk.leaves(slug)) for slug in slugs])


async def test_signed_again_after_ten_minutes_of_a_clock_that_is_never_set(
    desk: Office, installation: Installation
) -> None:
    """A checkpoint is signed again after AGAIN_AFTER seconds, not when the database's clock jumps by a day."""
    clock = Clock()
    async with sealing(desk, installation.keys, clock):
        await until(lambda: _sealed(desk, *NETWORKS))
        for jump in ("interval '1 day'", "interval '-1 day'"):
            await desk.sql.execute("set session_replication_role = replica")
            await desk.sql.execute(f"update registry.checkpoints set published_at = published_at + {jump}")  # noqa: S608
        clock.ahead += AGAIN_AFTER - 60
        await asyncio.sleep(1.0)
        assert await count(desk) == 1
        clock.ahead += 61
        await until(lambda: _counted(desk, 2))
        await asyncio.sleep(0.6)
        assert await count(desk) == 2


async def _counted(desk: Office, least: int) -> bool:
    return await count(desk) >= least


async def test_a_new_leader_signs_again_what_is_old(desk: Office, installation: Installation) -> None:
    """A new leader signs an old checkpoint again; one published in the future counts as published now."""
    for slug in NETWORKS:
        await desk.seal(slug)
    await desk.sql.execute("set session_replication_role = replica")
    for shift, published in (("interval '-1 day'", 2), ("interval '3 days'", 2)):
        await desk.sql.execute(f"update registry.checkpoints set published_at = published_at + {shift}")  # noqa: S608
        async with sealing(desk, installation.keys):
            await asyncio.sleep(1.5)
            assert await count(desk) == published


async def test_one_leads_and_the_other_takes_over(desk: Office, installation: Installation) -> None:
    """Only one sealer leads; when it stops or its connection is cut, a sealer leads again."""
    async with sealing(desk, installation.keys) as first, sealing(desk, installation.keys):
        await until(lambda: _sealed(desk, *NETWORKS))
        assert await _leaders(desk.sql) == 1
        first.set()
        await desk.add_leaves(3)
        await until(lambda: _sealed(desk, *NETWORKS))
        await desk.sql.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 6 << 20"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        await desk.add_leaves(3)
        await until(lambda: _sealed(desk, *NETWORKS))
    await until(lambda: _nobody_leads(desk.sql))


async def _nobody_leads(sql: asyncpg.Connection) -> bool:
    return await _leaders(sql) == 0


async def _leaders(sql: asyncpg.Connection) -> int:
    held = await sql.fetchval(
        "select count(*) from pg_locks where locktype = 'advisory' and classid = 6 << 20 and granted"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    return int(held)


async def test_old_checkpoints_are_thinned_to_one_an_hour(desk: Office, installation: Installation) -> None:
    """Of checkpoints older than a day the last of each hour is kept, of the last day all."""
    await desk.seal()
    await desk.sql.execute("set session_replication_role = replica")
    await desk.sql.execute(
        "insert into registry.checkpoints (network_id, size, published_at, root, note)"
        " select network_id, 1, date_trunc('hour', now()) - make_interval(mins => 10 * n), root, note"
        " from registry.checkpoints, generate_series(1, 6 * 48) n where network_id = $1",
        (await desk.log()).network_id,
    )
    clock = Clock()
    async with sealing(desk, installation.keys, clock):
        clock.ahead += 3600
        await until(lambda: _thinned(desk))
    kept = await desk.sql.fetch(
        "select date_trunc('hour', published_at), count(*) as number, max(extract(minute from published_at)) as last"
        " from registry.checkpoints where network_id = $1 and published_at < now() - interval '25 hours' group by 1",
        (await desk.log()).network_id,
    )
    assert len(kept) >= 22
    assert {(row["number"], int(row["last"])) for row in kept} == {(1, 50)}


async def _thinned(desk: Office) -> bool:
    # A day of six an hour, a day of one an hour, and some of the test itself and of the present hour.
    return await count(desk) < 6 * 24 + 24 + 6
