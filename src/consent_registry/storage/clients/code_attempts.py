"""Statements for failed attempts at codes, to throttle guessing. Rows hold partner and time, never the code."""

from datetime import datetime
from typing import Literal

from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_ATTEMPTS

CodeKind = Literal["receipt_code", "link_code"]


async def lock_attempts(connection: Connection, network_id: int, partner_id: int) -> None:
    """Take the lock of a partner's attempts until the transaction ends, so that each attempt sees the earlier ones."""
    await connection.execute("select pg_advisory_xact_lock($1, $2)", LOCK_ATTEMPTS | network_id, partner_id)


async def count_failures(connection: Connection, network_id: int, partner_id: int, kind: CodeKind) -> int:
    """How many wrong codes of this kind the partner tried within the last hour."""
    number = await connection.fetchval(
        """
        select count(*) from registry.code_failures
        where network_id = $1 and partner_id = $2 and kind = $3
          and recorded_at > statement_timestamp() - interval '1 hour'
        """,
        network_id,
        partner_id,
        kind,
    )
    return int(number or 0)


async def add_failure(
    connection: Connection, network_id: int, partner_id: int, kind: CodeKind, failure_id: str, at: datetime
) -> None:
    """Record that this partner tried a wrong code of this kind, without the code."""
    await connection.execute(
        """
        insert into registry.code_failures (network_id, partner_id, kind, failure_id, recorded_at)
        values ($1, $2, $3, $4, $5)
        """,
        network_id,
        partner_id,
        kind,
        failure_id,
        at,
    )
