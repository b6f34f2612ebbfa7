"""One caller's acts, however many it sends at once, leave connections for what others ask."""

import asyncio

from consent_registry.operations.running.turns import Turns
from tests.support.installation import Registry

MANY = 20


async def _held_up_at_once(registry: Registry) -> int:
    """Let one partner register many clients while nobody can be added; give how many connections it held at once."""
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
    """Half of a pool of four is the most that it holds."""
    assert await _held_up_at_once(fresh_registry) == 2


async def test_without_turns_they_take_all_connections(fresh_registry: Registry) -> None:
    """The control."""
    fresh_registry.app.state.shared.runtime.turns = Turns()
    assert await _held_up_at_once(fresh_registry) > 2
