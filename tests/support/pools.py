"""Connections to the database of a running registry, as the application's role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consent_registry.domain.catalogue import Network
from consent_registry.storage.database.database import Pool, open_pool
from tests.support.installation import Registry
from tests.support.small_network import NUMBER, small_network

NETWORK: Network = small_network().network
ACTOR = (1, "north")


@asynccontextmanager
async def pool_of(registry: Registry, size: int = 4) -> AsyncIterator[Pool]:
    """Open a pool for the length of a block; what hangs in it at the end is cut."""
    pool = await open_pool(registry.installation.dsn(registry.database), size)
    try:
        yield pool
    finally:
        pool.terminate()


async def count(registry: Registry, table: str) -> int:
    """Return how many rows of the small network a table holds, seen past every rule."""
    async with registry.sql() as connection:
        return int(await connection.fetchval(f"select count(*) from registry.{table} where network_id = {NUMBER}"))  # noqa: S608
