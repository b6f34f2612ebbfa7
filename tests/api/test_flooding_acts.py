"""A caller with many simultaneous commands leaves database connections for others."""

import asyncio

from consent_registry.operations.runtime.turns import Turns
from tests.support.installation import Registry

MANY = 20


async def _held_up_at_once(registry: Registry) -> int:
    """Let a partner register many clients while inserts are blocked; return its greatest number of connections."""
    flooder = await registry.partner("north")
    async with registry.sql() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("lock table registry.clients in exclusive mode")
        acts = [
            asyncio.create_task(flooder.post("/clients", {"reference": f"N-flood-{number}"})) for number in range(MANY)
        ]
        blocked = "select count(*) from pg_locks where not granted and relation = 'registry.clients'::regclass"
        most = 0
        for _ in range(60):
            most = max(most, await connection.fetchval(blocked))
            await asyncio.sleep(0.01)
        await transaction.rollback()
        await asyncio.gather(*acts)
    return most


async def test_acts_of_one_caller_leave_connections_for_others(fresh_registry: Registry) -> None:
    """A caller uses at most half of a pool of four."""
    assert await _held_up_at_once(fresh_registry) == 2


async def test_without_turns_they_take_all_connections(fresh_registry: Registry) -> None:
    """Control: without the limit a caller uses all connections."""
    fresh_registry.app.state.shared.runtime.turns = Turns()
    assert await _held_up_at_once(fresh_registry) > 2
