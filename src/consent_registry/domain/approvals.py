"""Approvals by data-protection officers: flows with an isolated partner, and some purposes, need one.

An approval covers only grants given after it was recorded: a later approval does not make an earlier grant usable
(§ 67b Abs. 1 SGB X asks for consent beforehand).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec


class Approval(msgspec.Struct, frozen=True):
    """An approval of a partner (as sender or recipient) or of a purpose. A limit that is None does not restrict."""

    approval_id: str
    partner_id: int | None
    subject_purpose_id: int | None
    sender_id: int | None
    recipient_id: int | None
    purpose_id: int | None
    approved_by: str
    norm: str | None
    valid_until: datetime | None
    recorded_at: datetime
    revoked_at: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Whether the approval has not ended by `at` and was not revoked. A revocation counts whatever its date."""
        return self.revoked_at is None and (self.valid_until is None or at < self.valid_until)

    def fits(self, sender_id: int, recipient_id: int, purpose_id: int) -> bool:
        """Whether the approval's limits allow this flow."""
        return (
            self.sender_id in {None, sender_id}
            and self.recipient_id in {None, recipient_id}
            and self.purpose_id in {None, purpose_id}
        )

    def opens(self, given_at: datetime | None, now: datetime) -> bool:
        """Whether the approval covers a grant given at that time: it was recorded before, and is in force now."""
        return given_at is not None and self.recorded_at <= given_at and self.in_force(now)


class ApprovalGate(msgspec.Struct, frozen=True):
    """A condition that an approval must meet before data may flow: an isolated partner, or a purpose that needs
    approval. `approvals` are those whose limits fit the flow; `rule` and `member` name the refusal.
    """

    rule: str
    member: str
    approvals: tuple[Approval, ...]

    def is_open(self, given_at: datetime | None, now: datetime) -> bool:
        """Whether one of the approvals covers a grant given at that time."""
        return any(approval.opens(given_at, now) for approval in self.approvals)


def all_open(gates: Sequence[ApprovalGate], given_at: datetime | None, now: datetime) -> bool:
    """Whether every gate has an approval that covers a grant given at that time."""
    return all(gate.is_open(given_at, now) for gate in gates)
