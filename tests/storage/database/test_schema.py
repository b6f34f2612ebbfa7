"""The committed schema.sql is the sum of the migrations, on both PostgreSQL versions."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from tools.schema.reader import UnknownObjectError, read_schema

from consent_registry.process.postgres.cluster import Cluster
from consent_registry.storage.database.migration_files import GENERATED
from tests.support.installation import ROLES, empty_database

COMMITTED = Path(__file__).parents[3] / "migrations" / GENERATED
_numbers = itertools.count(1)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="session",
    params=["cluster", pytest.param("debian_15", marks=pytest.mark.system)],
    ids=["embedded 18", "debian 15"],
)
async def sql(request: pytest.FixtureRequest) -> AsyncIterator[asyncpg.Connection]:
    """Give an administrator's connection to a migrated database."""
    cluster: Cluster = request.getfixturevalue(request.param)
    name = f"schema_{next(_numbers)}"
    await empty_database(cluster, name)
    connection = await asyncpg.connect(cluster.dsn(database=name))
    yield connection
    await connection.close()


async def test_the_committed_schema_is_the_sum_of_the_migrations(sql: asyncpg.Connection) -> None:
    """`make schema` would write exactly the committed file."""
    assert await read_schema(sql) == COMMITTED.read_text(encoding="utf-8"), "run `make schema` and read the difference"


@pytest.mark.parametrize(
    "statement",
    [
        "alter table registry.grants add column more text",
        "alter table registry.grants alter column given_at set not null",
        "alter table registry.changes alter column use_ban set default true",
        "alter table registry.leaves alter column leaf set storage plain",
        "alter table registry.grants drop constraint grants_direction_check",
        "alter table registry.grants drop constraint grants_sender_fkey",
        "create index more on registry.grants (grant_id)",
        "drop index registry.grants_flow_idx",
        "alter table registry.grants no force row level security",
        "alter table registry.grants disable row level security",
        "create policy more on registry.grants for select using (true)",
        "alter policy grants_read on registry.grants using (true)",
        "alter policy grants_audit on registry.grants to public",
        "drop policy grants_write on registry.grants",
        "drop trigger grants_append_only on registry.grants",
        "alter table registry.grants disable trigger grants_append_only",
        "grant update on registry.grants to {app}",
        "grant select on registry.grants to public",
        "grant select (grant_id) on registry.grants to {sealer}",
        "revoke insert on registry.grants from {app}",
        "grant create on schema registry to {app}",
        "create view registry.more as select 1 as number",
        "create function registry.more() returns integer language sql as 'select 1'",
        "drop function registry.event_places",
        "alter function registry.event_places security invoker",
        "alter function registry.event_places volatile",
        "alter function registry.event_places set search_path = registry",
        "alter function registry.event_places strict",
        "grant execute on function registry.event_places to {sealer}",
        "revoke execute on function registry.event_places from {app}",
        "create or replace function registry.retention_now() returns timestamptz language sql stable as 'select now()'",
        "alter function registry.spans cost 7",
        "grant select on registry.events_default to {app}",
    ],
)
async def test_control_a_change_by_hand_is_another_text(sql: asyncpg.Connection, statement: str) -> None:
    """Control: any change in the database changes the text."""
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute(f"set local role {ROLES['owner']}")
        await sql.execute(statement.format(**ROLES))
        assert await read_schema(sql) != COMMITTED.read_text(encoding="utf-8")
    finally:
        await transaction.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "create type registry.more as enum ('a')",
        "create sequence registry.more",
        "create function registry.more() returns integer return 1",
        "create domain registry.more as integer",
        "create materialized view registry.more as select 1 as number",
        "create aggregate registry.more (integer) (sfunc = int4pl, stype = integer)",
        "create statistics registry.more on network_id, client_id from registry.grants",
        "create rule more as on insert to registry.grants do instead nothing",
        "alter default privileges for role {owner} grant select on tables to {app}",
        "alter table registry.grants owner to postgres",
        "alter function registry.event_places owner to postgres",
    ],
)
async def test_control_what_the_text_would_not_show_is_an_error(sql: asyncpg.Connection, statement: str) -> None:
    """Control: an object of an unknown kind or of another owner is an error."""
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute(statement.format(**ROLES))
        with pytest.raises(UnknownObjectError):
            await read_schema(sql)
    finally:
        await transaction.rollback()


async def test_a_month_of_another_shape_is_seen(sql: asyncpg.Connection) -> None:
    """Monthly partitions share one line; a partition of another shape adds a line."""
    month = await sql.fetchval("select min(relname) from pg_class where relname ~ '^events_[0-9]{6}$'")
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute(f"grant select on registry.{month} to {ROLES['app']}")
        assert (await read_schema(sql)).count("partitions events_YYYYMM") == 2
    finally:
        await transaction.rollback()
