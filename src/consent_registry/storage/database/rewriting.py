"""Makes deleted rows unreadable on disk by rewriting the tables' files.

VACUUM frees the space of deleted rows, but their bytes stay in the file. VACUUM FULL writes the table and its indices
again. It holds the table's exclusive lock meanwhile, so decisions wait or get 503, and the operator chooses the hour. A
new ANALYZE replaces statistics with deleted values; if the login may, pg_statistic is rewritten too.
"""

import asyncio
from collections.abc import Sequence

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect

# Everybody queues behind a rewrite that waits for its table. So it gives up soon and tries again.
LOCK_TIMEOUT = "2s"
ATTEMPTS = 30
PAUSE = 1.0
KEPT = "dead row versions cannot be removed yet"


async def scrub(dsn: str, partitions: Sequence[str] | None = None) -> bool:
    """Rewrite the files of all tables from which rows can be deleted, and of these partitions of `registry.events`
    (None: all).

    The login in `dsn` must own the tables or be an administrator. Returns whether pg_statistic was rewritten too, which
    needs the database's owner. Raises Unusable if a table could not be locked exclusively, or an old transaction still
    sees deleted rows.
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
        details: list[str] = []

        def listen(_: object, message: asyncpg.PostgresLogMessage, details: list[str] = details) -> None:
            details.append(message.detail or "")

        connection.add_log_listener(listen)
        try:
            await connection.execute(f"vacuum (full, verbose, analyze) {table}")
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(PAUSE)
            continue
        finally:
            connection.remove_log_listener(listen)
        if all(detail.startswith("0 ") for detail in details if KEPT in detail):
            return
        await asyncio.sleep(PAUSE)  # a transaction older than the deletion is still running
    raise Unusable(f"{table} could not be rewritten: it is in use, or an old transaction still sees what was removed")
