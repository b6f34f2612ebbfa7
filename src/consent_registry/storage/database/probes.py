"""Probes for readiness: can the log's lock be had, may we write, is there room on the disk?"""

from consent_registry.domain.errors import CannotRecord
from consent_registry.storage.database.database import LOCK_LOG, Connection

# Numbers of which PostgreSQL writes 14 bytes each, 1.4 MB in all: more than it extends a relation by at once, which is
# up to 64 pages of 8 kB. With less room than that decisions may fail while a smaller probe succeeds.
ROWS = 100_000


async def probe_log(connection: Connection, network_id: int) -> None:
    """Take the log's lock for a moment and write to the write-ahead log; raises CannotRecord without the privilege."""
    await connection.execute("select pg_advisory_xact_lock($1, 0)", LOCK_LOG | network_id)
    allowed = await connection.fetchval(
        """
        select has_table_privilege('registry.events', 'insert') and has_table_privilege('registry.leaves', 'insert')
            and not pg_is_in_recovery()
        """
    )
    if not allowed:
        raise CannotRecord
    # A commit that must reach the disk, without a row that would have to be cleaned away.
    await connection.execute("select pg_logical_emit_message(true, 'consent-registry', 'ready?')")


async def probe_room(connection: Connection) -> None:
    """Keep more rows than the memory holds, which writes a file beside the tables: fails while the disk is full. A
    temporary table would need a privilege that no login has.
    """
    await connection.execute("set local work_mem = '64kB'")
    await connection.execute("select count(*) from generate_series(1, $1)", ROWS)
