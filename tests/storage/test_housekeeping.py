"""Housekeeping: old answers are forgotten, young ones kept, and the log's months are always made ahead."""

from datetime import UTC, datetime

from consent_registry.operations.housekeeping import tidy
from consent_registry.operations.runtime import Runtime
from consent_registry.storage.keys import load_keys
from tests.installation import ISSUER, ROLES, Registry
from tests.storage.pools import pool_of

OLD_AND_YOUNG = """
insert into registry.idempotency_keys
select network_id, 1, sha256(hours::text::bytea), '', '', '{}', now() - make_interval(hours => hours)
from registry.networks, unnest(array[0, 23, 25, 47, 49, 480]) hours
"""

PARTITIONS = """
select c.relname, c.relrowsecurity and c.relforcerowsecurity as guarded, pg_get_expr(c.relpartbound, c.oid) as bound,
    has_table_privilege($1, c.oid, 'select, insert, update, delete, truncate') as open
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'registry.events'::regclass order by 1
"""


async def keep(registry: Registry) -> None:
    """Do what is due, once, as the application."""
    async with pool_of(registry) as pool:
        await tidy(Runtime(pool, load_keys(registry.installation.keys), ISSUER))


async def test_answers_are_kept_a_day_and_forgotten_after_two(registry: Registry) -> None:
    """In every network answers older than 48 hours go; those of the promised 24 hours stay."""
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


def months(number: int) -> list[str]:
    """The names of the partitions of last month, this one and `number` more."""
    today = datetime.now(UTC)
    ordinals = range(today.year * 12 + today.month - 2, today.year * 12 + today.month + number)
    return [f"events_{ordinal // 12}{ordinal % 12 + 1:02}" for ordinal in ordinals]


async def test_partitions_are_made_ahead(registry: Registry) -> None:
    """Thirteen months ahead and one that takes the rest, each guarded and none open to the application by itself."""
    async with registry.sql() as connection:
        rows = await connection.fetch(PARTITIONS, ROLES["app"])
    assert [row["relname"] for row in rows] == [*months(13), "events_default"]
    assert [row["bound"] for row in rows].count("DEFAULT") == 1
    assert all(row["guarded"] and not row["open"] for row in rows)


async def test_a_missing_month_is_made_again(registry: Registry) -> None:
    """What a month's turn will ask for: a partition that is not there yet is made, guarded like the others."""
    async with registry.sql() as connection:
        before = await connection.fetch(PARTITIONS, ROLES["app"])
        for name in months(13)[-2:]:
            await connection.execute(f"drop table registry.{name}")
        assert len(await connection.fetch(PARTITIONS, ROLES["app"])) == len(before) - 2
        await keep(registry)
        assert await connection.fetch(PARTITIONS, ROLES["app"]) == before


async def test_doing_it_twice_changes_nothing(registry: Registry) -> None:
    """Every process keeps house, so the second one finds nothing to do and does no harm."""
    await keep(registry)
    async with registry.sql() as connection:
        before = await connection.fetch(PARTITIONS, ROLES["app"])
        await keep(registry)
        assert await connection.fetch(PARTITIONS, ROLES["app"]) == before
