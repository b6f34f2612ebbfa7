"""A registry whose commands take a client's lock shared instead of exclusive (the races of renewals must find it)."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import cast

import asyncpg
from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.clients import links
from consent_registry.storage.database.database import Connection


class _Sharing:
    """A connection on which a lock is shared, whatever is asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Fetch with shared locks."""
        shared = statement.replace("pg_advisory_xact_lock(", "pg_advisory_xact_lock_shared(")
        return await self._connection.fetch(shared, *values)


async def lock_groups(
    connection: Connection,
    network_id: int,
    *,
    references: Sequence[tuple[int, bytes]] = (),
    client_ids: Sequence[str] = (),
) -> set[str]:
    """Hold everybody beside others, and give the others time to begin."""
    sharing = cast("Connection", _Sharing(connection))
    held = await _real(sharing, network_id, references=references, client_ids=client_ids)
    await asyncio.sleep(0.02)
    return held


def create_app() -> ASGIApp:
    """Return the real application with the defect in it."""
    return real_app(make_runtime=partial(Runtime, steps=Steps(lock_groups=lock_groups)))


_real = links.lock_groups
