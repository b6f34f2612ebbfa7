"""Sets up a PostgreSQL server as its administrator, once: the database, the roles and their passwords."""

from collections.abc import Mapping
from types import MappingProxyType

from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.roles import DEFAULT_PREFIX, role_names, roles_sql


async def create_database(dsn: str, name: str) -> None:
    """Create the database `name` unless it exists, with the same collation on every machine."""
    connection = await connect(dsn)
    try:
        if not await connection.fetchval("select exists (select from pg_database where datname = $1)", name):
            make = await connection.fetchval("select format('create database %I template template0', $1::text)", name)
            await connection.execute(make)
    finally:
        await connection.close()


async def create_roles(
    dsn: str, prefix: str = DEFAULT_PREFIX, *, passwords: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Create the roles and the empty schema `registry` in the database of `dsn`. `passwords` are by role, such as
    `app`.
    """
    connection = await connect(dsn)
    try:
        await connection.execute(roles_sql(prefix))
        for suffix, password in passwords.items():
            role = role_names(prefix)[suffix]
            # A utility statement takes no parameters; format() quotes both.
            quoted = "select format('alter role %I password %L', $1::text, $2::text)"
            await connection.execute(await connection.fetchval(quoted, role, password))
    finally:
        await connection.close()


async def analyze_tables(dsn: str) -> None:
    """Run ANALYZE, so that the planner knows the tables' sizes at once; autovacuum would need about a minute."""
    connection = await connect(dsn)
    try:
        await connection.execute("analyze")
    finally:
        await connection.close()
