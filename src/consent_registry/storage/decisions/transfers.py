"""Statements for transfers: a sender's reports of what it did after a decision."""

from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_CLIENT


class TransferRow(msgspec.Struct, frozen=True):
    """A reported transfer."""

    transfer_id: str
    decision_id: str
    partner_id: int
    client_id: str | None
    outcome: str
    category_ids: tuple[int, ...]
    transferred_at: datetime
    recorded_at: datetime


async def lock_decision(connection: Connection, network_id: int, decision_id: str) -> None:
    """Take the exclusive lock of a decision until the transaction ends, so that the second of two concurrent reports
    sees the first.

    The lock is in the clients' class; its number comes from the random end of the id, because the beginning is a time.
    The client's shared lock is taken before. A deadlock with a command that locks several clients needs a collision of
    32 bits, and then lock_timeout ends the wait.
    """
    number = int.from_bytes(bytes.fromhex(decision_id[-8:]), "big", signed=True)
    await connection.execute("select pg_advisory_xact_lock($1, $2)", LOCK_CLIENT | network_id, number)


async def outcomes_of(connection: Connection, network_id: int, decision_id: str) -> list[str]:
    """The outcomes that were reported for a decision so far."""
    rows = await connection.fetch(
        "select outcome from registry.transfers where network_id = $1 and decision_id = $2", network_id, decision_id
    )
    return [row["outcome"] for row in rows]


async def add_transfer(connection: Connection, network_id: int, row: TransferRow) -> None:
    """Add a reported transfer."""
    await connection.execute(
        """
        insert into registry.transfers
            (network_id, transfer_id, decision_id, partner_id, client_id, outcome, category_ids, transferred_at,
             recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        network_id,
        *msgspec.structs.astuple(row),
    )


async def list_unreported(
    connection: Connection, network_id: int, sender_id: int, before: str | None, limit: int
) -> list[bytes]:
    """The event bytes of this sender's permits without a reported transfer, newest first."""
    rows = await connection.fetch(
        """
        select e.event from registry.events e
        where e.network_id = $1 and e.sender_id = $2 and e.kind = registry.kind('decision') and e.outcome <= 2
          and ($3::uuid is null or e.event_id < $3)
          and not exists (
              select from registry.transfers t where t.network_id = e.network_id and t.decision_id = e.event_id
          )
        order by e.event_id desc limit $4
        """,
        network_id,
        sender_id,
        before,
        limit,
    )
    return [row["event"] for row in rows]
