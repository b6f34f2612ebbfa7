"""Rows put into the tables behind the registry's back for the length of a block: what a story's control needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.installation import Registry


@asynccontextmanager
async def planting(registry: Registry, table: str, rule: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a superuser's connection past every trigger; the rows that the rule names are in the end as they were."""
    async with registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        await sql.execute(f"create temp table kept as select * from registry.{table} where {rule}")  # noqa: S608
        try:
            yield sql
        finally:
            await sql.execute(f"delete from registry.{table} where {rule}")  # noqa: S608 - our own names
            await sql.execute(f"insert into registry.{table} select * from kept")  # noqa: S608 - as above
