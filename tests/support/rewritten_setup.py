"""A network of a test as if it had been set up otherwise: the first event of its log written again, with its leaf."""

from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec

from consent_registry.tlog.leaf import canonical, make_leaf
from tests.support.small_network import NUMBER

Facts = dict[str, Any]


async def tell_setup(dsn: str, alter: Callable[[Facts], Facts], network: int = NUMBER) -> None:
    """Let the event that set a network up say something else; before anything of the log was sealed."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            row = await connection.fetchrow(
                "select log_index, event, nonce from registry.events where network_id = $1 and kind = 10"
                " order by log_index limit 1",
                network,
            )
            assert row is not None
            event = canonical(alter(msgspec.json.decode(row["event"])))
            place = (network, row["log_index"])
            await connection.execute(
                "update registry.events set event = $3 where network_id = $1 and log_index = $2", *place, event
            )
            leaf = make_leaf(event, row["nonce"])
            await connection.execute(
                "update registry.leaves set leaf = $3 where network_id = $1 and log_index = $2", *place, leaf
            )
    finally:
        await connection.close()


async def let_evidence_follow(dsn: str) -> None:
    """Set the small network up with the policy that evidence may follow the record."""
    policies = {"evidence_may_follow": True}
    connection = await asyncpg.connect(dsn)
    written = msgspec.json.encode(policies).decode()
    await connection.execute("set session_replication_role = replica")
    await connection.execute("update registry.policies set policies = $2::jsonb where network_id = $1", NUMBER, written)
    await connection.close()
    await tell_setup(dsn, lambda event: event | {"policies": policies})
