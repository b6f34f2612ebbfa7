"""Statements for suspensions of partners and the reinstatements that end them."""

from datetime import datetime

from consent_registry.domain.catalogue import SuspensionReason
from consent_registry.storage.database.database import Connection


async def add_suspension(
    connection: Connection,
    network_id: int,
    suspension_id: str,
    partner_id: int,
    reason: SuspensionReason,
    at: datetime,
) -> None:
    """Add a suspension of a partner."""
    await connection.execute(
        """
        insert into registry.suspensions (network_id, suspension_id, partner_id, reason, recorded_at)
        values ($1, $2, $3, $4, $5)
        """,
        network_id,
        suspension_id,
        partner_id,
        reason,
        at,
    )


async def open_suspension(connection: Connection, network_id: int, partner_id: int) -> str | None:
    """The id of this partner's suspension that has not ended; None if it is not suspended."""
    found = await connection.fetchval(
        """
        select suspension_id from registry.suspensions s
        where network_id = $1 and partner_id = $2
          and not exists (
              select from registry.reinstatements r
              where r.network_id = s.network_id and r.suspension_id = s.suspension_id
          )
        """,
        network_id,
        partner_id,
    )
    return None if found is None else str(found)


async def add_reinstatement(
    connection: Connection, network_id: int, reinstatement_id: str, suspension_id: str, at: datetime
) -> None:
    """Add a reinstatement, which ends a suspension."""
    await connection.execute(
        """
        insert into registry.reinstatements (network_id, reinstatement_id, suspension_id, recorded_at)
        values ($1, $2, $3, $4)
        """,
        network_id,
        reinstatement_id,
        suspension_id,
        at,
    )
