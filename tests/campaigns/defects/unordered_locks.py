"""A registry that takes clients' locks in the order of the request (the campaign with reversed pairs must find it)."""

import asyncio
from collections.abc import Sequence
from functools import partial

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.clients import links
from consent_registry.storage.clients.clients import client_lock, lock_client
from consent_registry.storage.database.database import Connection


async def lock_groups(
    connection: Connection,
    network_id: int,
    *,
    references: Sequence[tuple[int, bytes]] = (),
    client_ids: Sequence[str] = (),
) -> set[str]:
    """Take the code's client first, then, a moment later, the caller's own and everybody else."""
    for client_id in client_ids:
        await lock_client(connection, network_id, client_lock(client_id))
        await asyncio.sleep(0.02)
    return await _real(connection, network_id, references=references, client_ids=client_ids)


def create_app() -> ASGIApp:
    """Return the real application with the disorder in it."""
    return real_app(make_runtime=partial(Runtime, steps=Steps(lock_groups=lock_groups)))


_real = links.lock_groups
