"""What must be true of a database before the registry serves from it; each refusal is one clear line."""

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.migrations import check_schema
from consent_registry.storage.networks import is_demonstration

OLDEST_VERSION = 150_000
# A batch of 1000 decisions holds 1000 locks; several batches run at once.
LOCKS = 50_000
# Settings whose other values lose acknowledged commits.
DURABLE = {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "remote_apply"}}


async def require_safe(dsn: str, *, demonstration: bool) -> None:
    """Raise Unusable unless the application's login in `dsn` finds a database it may serve from.

    `demonstration` says whether demonstration data is expected; production refuses it.
    """
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        await _require_server(connection)
        await _require_role(connection)
        await check_schema(connection)
        await _require_row_level_security(connection)
        if await is_demonstration(connection) and not demonstration:
            raise Unusable("this database holds demonstration data: it is for `consent-registry demo` only")
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
        # Before the first migration the application's role may not even look into the schema.
        raise Unusable("the database has no schema yet: run `consent-registry migrate`") from error
    finally:
        await connection.close()


async def require_safe_for_sealing(dsn: str) -> None:
    """Raise Unusable unless the sealer's login in `dsn` finds a durable database with the tables it writes."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        await _require_server(connection)
        await _require_role(connection)
        if await connection.fetchval("select to_regprocedure('registry.log_sizes()')") is None:
            raise Unusable("the database lacks the sealer's tables: run `consent-registry migrate`")
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unusable("the database has no schema yet, or this is not the sealer's login") from error
    finally:
        await connection.close()


async def require_no_real_network(dsn: str) -> None:
    """Raise Unusable when a database holds a network that is not the demonstration's: none of it may be touched."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        if await connection.fetchval(
            "select to_regclass('registry.networks')"
        ) is not None and await connection.fetchval(
            "select exists (select from registry.networks where not demonstration)"
        ):
            raise Unusable("this database holds a real network: `consent-registry demo` needs an empty database")
    finally:
        await connection.close()


async def _require_server(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        """
        select name, setting from pg_settings where name in ('server_version_num', 'fsync', 'full_page_writes',
            'synchronous_commit', 'max_locks_per_transaction', 'max_connections', 'max_prepared_transactions')
        """
    )
    settings = {row["name"]: row["setting"] for row in rows}
    if int(settings["server_version_num"]) < OLDEST_VERSION:
        raise Unusable("PostgreSQL 15 or newer is needed")
    for name, allowed in DURABLE.items():
        if settings[name] not in allowed:
            raise Unusable(f"{name} is {settings[name]}: an acknowledged consent could be lost; set it to on")
    per_transaction = int(settings["max_locks_per_transaction"])
    locks = per_transaction * (int(settings["max_connections"]) + int(settings["max_prepared_transactions"]))
    if locks < LOCKS:
        raise Unusable(
            f"max_locks_per_transaction is {per_transaction}, which makes room for {locks} locks of {LOCKS}: raise it"
        )


async def _require_role(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        """
        select current_user as name, rolsuper or rolbypassrls as mighty,
            exists (
                select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'registry' and pg_has_role(current_user, c.relowner, 'usage')
            ) as owner
        from pg_roles where rolname = current_user
        """
    )
    if row is not None and (row["mighty"] or row["owner"]):
        raise Unusable(
            f"{row['name']} is a superuser, bypasses row-level security or owns the schema: log in as the app role"
        )


async def _require_row_level_security(connection: asyncpg.Connection) -> None:
    bare = await connection.fetchval(
        """
        select string_agg(c.relname, ', ' order by c.relname)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'network_id' and not a.attisdropped
        where n.nspname = 'registry' and c.relkind in ('r', 'p') and c.relname <> 'networks'
          and not (c.relrowsecurity and c.relforcerowsecurity)
        """
    )
    if bare:
        raise Unusable(f"row-level security is not forced on {bare}")
