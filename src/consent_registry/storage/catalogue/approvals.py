"""Statements for data-protection officers' approvals and their revocations."""

from datetime import datetime

from consent_registry.domain.approvals import Approval
from consent_registry.storage.database.database import Connection


async def list_approvals(connection: Connection, network_id: int) -> list[Approval]:
    """All approvals of the network, revoked ones included, in the order of recording."""
    rows = await connection.fetch(
        """
        select a.approval_id, a.partner_id, a.subject_purpose_id, a.sender_id, a.recipient_id, a.purpose_id,
            a.approved_by, a.norm, a.valid_until, a.recorded_at, r.recorded_at as revoked_at
        from registry.approvals a
        left join registry.approval_revocations r
          on r.network_id = a.network_id and r.approval_id = a.approval_id
        where a.network_id = $1
        order by a.recorded_at, a.approval_id
        """,
        network_id,
    )
    return [Approval(str(row[0]), *row[1:]) for row in rows]


async def add_approval(connection: Connection, network_id: int, approval: Approval) -> None:
    """Add an approval."""
    await connection.execute(
        """
        insert into registry.approvals
            (network_id, approval_id, partner_id, subject_purpose_id, sender_id, recipient_id, purpose_id, approved_by,
             norm, valid_until, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        network_id,
        approval.approval_id,
        approval.partner_id,
        approval.subject_purpose_id,
        approval.sender_id,
        approval.recipient_id,
        approval.purpose_id,
        approval.approved_by,
        approval.norm,
        approval.valid_until,
        approval.recorded_at,
    )


async def revoke_approval(
    connection: Connection, network_id: int, revocation_id: str, approval_id: str, revoked_by: str, at: datetime
) -> None:
    """Revoke an approval permanently."""
    await connection.execute(
        """
        insert into registry.approval_revocations (network_id, revocation_id, approval_id, revoked_by, recorded_at)
        values ($1, $2, $3, $4, $5)
        """,
        network_id,
        revocation_id,
        approval_id,
        revoked_by,
        at,
    )
