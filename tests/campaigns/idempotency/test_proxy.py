"""The fault proxy must forward faithfully and cut exactly where it is told to."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import asyncpg
import pytest

from consent_registry.process.postgres.cluster import Cluster, prepare
from tests.campaigns.idempotency.proxy import Proxy
from tests.campaigns.support.places import scratch

pytestmark = pytest.mark.campaign

ROWS = 20_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Run a PostgreSQL for this module."""
    with scratch("proxy") as folder:
        made = prepare(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def proxy(cluster: Cluster, tmp_path: Path) -> Iterator[Proxy]:
    """Put a proxy before it."""
    with Proxy(tmp_path, cluster.socket) as made:
        yield made


async def connect(proxy: Proxy) -> asyncpg.Connection:
    """Connect through the proxy."""
    return await asyncpg.connect(host=str(proxy.folder), user="postgres", database="postgres", timeout=10)


def test_the_proxy_forwards_faithfully(proxy: Proxy) -> None:
    """Large answers, large parameters, errors and cancel requests go through as they are."""

    async def talk() -> None:
        connection = await connect(proxy)
        assert len(await connection.fetch("select n, repeat('x', 100) from generate_series(1, $1) n", ROWS)) == ROWS
        assert await connection.fetchval("select length($1::text)", "y" * 3_000_000) == 3_000_000
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("select 1/0")
        with pytest.raises(TimeoutError):
            await connection.fetchval("select pg_sleep(20)", timeout=0.2)
        assert await connection.fetchval("select 2") == 2
        await connection.close()

    asyncio.run(talk())


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_proxy_cuts_at_every_message_of_a_transaction(proxy: Proxy, when: Literal["before", "after"]) -> None:
    """The row is there exactly from the point on where COMMIT went through; the last run is not cut."""

    async def trial(number: int) -> tuple[bool, list[str], bool]:
        direct = await asyncpg.connect(host=str(proxy.upstream), user="postgres", database="postgres")
        await direct.execute("drop table if exists marks; create table marks (n int)")
        connection = await connect(proxy)
        proxy.arm(number, when)
        try:
            async with connection.transaction():
                await connection.execute("insert into marks values (1)")
            ended = True
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            ended = False
        cut = proxy.disarm()
        connection.terminate()
        busy = "select count(*) from pg_stat_activity where state <> 'idle'"
        while await direct.fetchval(busy) > 1:  # noqa: ASYNC110 - it is PostgreSQL that ends
            await asyncio.sleep(0.01)
        there = bool(await direct.fetchval("select count(*) from marks"))
        await direct.close()
        return there, cut.seen, ended and not cut.done

    outcomes = [asyncio.run(trial(number)) for number in range(1, 11)]
    # BEGIN, INSERT and COMMIT: a query, a completion and a "ready" each; the tenth message does not exist.
    assert outcomes[-1][1] == [">Q", "<C", "<Z"] * 3
    assert [there for there, _, _ in outcomes] == [number > (7 if when == "before" else 6) for number in range(1, 11)]
    assert [uncut for _, _, uncut in outcomes] == [False] * 9 + [True]
