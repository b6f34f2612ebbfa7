"""Housekeeping deletes old stored answers and keeps young ones (the log's partitions: test_partitions.py)."""

from consent_registry.operations.background.housekeeping import run_round
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.keys.keyring import load_keys
from tests.support.installation import ISSUER, Registry
from tests.support.pools import pool_of

OLD_AND_YOUNG = """
insert into registry.idempotency_keys
select network_id, 1, sha256(hours::text::bytea), '', '', '{}', now() - make_interval(hours => hours)
from registry.networks, unnest(array[0, 23, 25, 47, 49, 480]) hours
"""


async def keep(registry: Registry) -> None:
    """Run one round of housekeeping, as the application."""
    async with pool_of(registry) as pool:
        await run_round(Runtime(pool, load_keys(registry.installation.keys), ISSUER))


async def test_answers_are_kept_a_day_and_forgotten_after_two(registry: Registry) -> None:
    """In every network, answers older than 48 hours are deleted, and those of the promised 24 hours are kept."""
    ages = """
        select network_id, round(extract(epoch from now() - recorded_at) / 3600)::integer as hours
        from registry.idempotency_keys order by 1, 2
    """
    async with registry.sql() as connection:
        await connection.execute("delete from registry.idempotency_keys")
        await connection.execute(OLD_AND_YOUNG)
        await keep(registry)
        left = [tuple(row) for row in await connection.fetch(ages)]
        networks = await connection.fetch("select network_id from registry.networks order by 1")
    assert len(networks) == 3
    assert left == [(network[0], hours) for network in networks for hours in (0, 23, 25, 47)]
