"""Readiness probes: whether the log's lock is free, the login may write, and the disk has room."""

from consent_registry.domain.errors import CannotRecord
from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_LOG

# PostgreSQL writes 14 bytes for each, 1.4 MB in all. It extends a relation by up to 64 pages of 8 kB at once, so with
# less room decisions may fail although a smaller probe succeeds.
ROWS = 100_000


async def probe_log(connection: Connection, network_id: int) -> None:
    """Take the log's lock briefly and write to the write-ahead log. Raises CannotRecord without the privilege."""
    await connection.execute("select pg_advisory_xact_lock($1, 0)", LOCK_LOG | network_id)
    allowed = await connection.fetchval(
        """
        select has_table_privilege('registry.events', 'insert') and has_table_privilege('registry.leaves', 'insert')
            and not pg_is_in_recovery()
        """
    )
    if not allowed:
        raise CannotRecord
    # Forces a commit to disk without writing a row.
    await connection.execute("select pg_logical_emit_message(true, 'consent-registry', 'ready?')")


async def probe_room(connection: Connection, rows: int = ROWS) -> None:
    """Produce more rows than work_mem holds, so that PostgreSQL writes a temporary file: fails while the disk is full.
    A temporary table would need a privilege that no login has.
    """
    await connection.execute("set local work_mem = '64kB'")
    await connection.execute("select count(*) from generate_series(1, $1)", rows)
