"""A small pool with its own queue, for slow work that must not take connections from fast work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consent_registry.domain.errors import CannotRecord
from consent_registry.storage.database.database import Connection, Pool

RETRY_AFTER = 5


class QueuedPool:
    """A pool of `size` connections with a queue: up to `queue` more transactions wait for a connection."""

    def __init__(self, pool: Pool, size: int, queue: int) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(size)
        self._queue = queue
        self._waiting = 0

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[Connection]:  # noqa: ASYNC109 - as the driver's pool
        """Lend a connection for the length of a block, after a wait in the queue; `timeout` is for opening it. Raises
        CannotRecord at once if the queue is full.
        """
        if self._turns.locked() and self._waiting >= self._queue:
            raise CannotRecord("Too many searches are waiting. Ask again shortly.", retry_after=RETRY_AFTER)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            async with self._pool.acquire(timeout=timeout) as connection:
                yield connection
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close the pool's connections."""
        await self._pool.close()
