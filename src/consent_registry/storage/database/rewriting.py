"""Making removed rows unreadable on the disk: until a table is rewritten PostgreSQL leaves their bytes in its file.

VACUUM alone gives their place free and leaves the bytes; VACUUM FULL writes the table and its indices anew. It holds
the table alone while it does, so decisions wait or are answered 503: the operator chooses the hour. What ANALYZE kept
of removed values goes with a new ANALYZE; its catalogue's own file is rewritten when the login may.
"""

import asyncio
from collections.abc import Sequence

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect

# A rewrite that waits for its table makes everybody wait behind it: it gives up soon and comes again.
LOCK_TIMEOUT = "2s"
ATTEMPTS = 30
PAUSE = 1.0
KEPT = "dead row versions cannot be removed yet"


async def scrub(dsn: str, partitions: Sequence[str] | None = None) -> bool:
    """Rewrite every table that rows are removed from, as its owner or an administrator, and of the log's events those
    partitions (None: all). Returns whether the statistics' catalogue was rewritten too, which needs the database's
    owner. Raises Unusable when a table could not be had alone, or an old transaction still sees what was removed.
    """
    connection = await connect(dsn, timeout=10)
    try:
        await connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        tables = [*await _removable(connection), *(await _partitions(connection) if partitions is None else partitions)]
        for table in tables:
            await _rewrite(connection, table)
        await connection.execute("analyze registry.events")
        may = await connection.fetchval(
            """
            select pg_has_role(current_user, d.datdba, 'usage') or r.rolsuper
            from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = current_user
            """
        )
        if may:
            await _rewrite(connection, "pg_catalog.pg_statistic")
    finally:
        await connection.close()
    return bool(may)


async def _removable(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch("select format('registry.%I', name) from registry.removable_tables()")
    return [row[0] for row in rows]


async def _partitions(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'registry.events'::regclass order by 1"
    )
    return [row[0] for row in rows]


async def _rewrite(connection: asyncpg.Connection, table: str) -> None:
    for _ in range(ATTEMPTS):
        said: list[str] = []

        def listen(_: object, message: asyncpg.PostgresLogMessage, said: list[str] = said) -> None:
            said.append(message.detail or "")

        connection.add_log_listener(listen)
        try:
            await connection.execute(f"vacuum (full, verbose, analyze) {table}")
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(PAUSE)
            continue
        finally:
            connection.remove_log_listener(listen)
        if all(detail.startswith("0 ") for detail in said if KEPT in detail):
            return
        await asyncio.sleep(PAUSE)  # a transaction older than the removal is still under way
    raise Unusable(f"{table} could not be rewritten: it is in use, or an old transaction still sees what was removed")
