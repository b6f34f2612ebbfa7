"""A small pool with a queue of its own, for work that may be slow and must not take connections from quick work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consent_registry.domain.errors import CannotRecord
from consent_registry.storage.database.database import Connection, Pool

RETRY_AFTER = 5


class QueuedPool:
    """Wraps a pool of `size` connections: so many transactions go at a time, `queue` more wait their turn."""

    def __init__(self, pool: Pool, size: int, queue: int) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(size)
        self._queue = queue
        self._waiting = 0

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[Connection]:  # noqa: ASYNC109 - as the driver's pool
        """A connection for the length of a block, when its turn has come; `timeout` is for opening it. Raises
        CannotRecord at once when the queue is full.
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
        """Close the connections."""
        await self._pool.close()
