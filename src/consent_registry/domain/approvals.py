"""A data-protection officer's approvals: what opens the wall of an isolated partner, or a purpose that needs one.

An approval looks forward only: what a client agreed to before it stays closed, because later approval heals nothing
(§ 67b Abs. 1 SGB X asks for consent beforehand).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec


class Approval(msgspec.Struct, frozen=True):
    """An approval of a partner (as sender or recipient) or of a purpose; limits that are None leave that open."""

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
        """Whether it counts now: not over, and not revoked, whenever that was: presence decides."""
        return self.revoked_at is None and (self.valid_until is None or at < self.valid_until)

    def fits(self, sender_id: int, recipient_id: int, purpose_id: int) -> bool:
        """Whether its limits leave room for this flow."""
        return (
            self.sender_id in {None, sender_id}
            and self.recipient_id in {None, recipient_id}
            and self.purpose_id in {None, purpose_id}
        )

    def opens(self, given_at: datetime | None, now: datetime) -> bool:
        """Whether it opens the way to a grant given at that time: in force now and there before."""
        return given_at is not None and self.recorded_at <= given_at and self.in_force(now)


class Wall(msgspec.Struct, frozen=True):
    """What keeps a flow closed until it is approved: an isolated partner or a purpose, with the approvals that fit."""

    rule: str
    member: str
    approvals: tuple[Approval, ...]

    def is_open(self, given_at: datetime | None, now: datetime) -> bool:
        """Whether one of the approvals opens it to a grant given at that time."""
        return any(one.opens(given_at, now) for one in self.approvals)


def all_open(walls: Sequence[Wall], given_at: datetime | None, now: datetime) -> bool:
    """Whether no wall stands before a grant given at that time."""
    return all(wall.is_open(given_at, now) for wall in walls)
