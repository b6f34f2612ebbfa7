"""Releases from professional secrecy (§ 203 StGB) as recorded, and the status that follows.

A release belongs to one consent and serves its grants from the holder towards the released side. It is taken back by
the client, alone or with the consent, and lapses when its occasion ends: with the last of the grants it serves.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from consent_registry.domain.grants import Change, Grant, Status, status_of_consent


class RecordedRelease(msgspec.Struct, frozen=True):
    """A release with what happened to it, and the partners who may see it."""

    release_id: str
    consent_id: str
    holder_id: int
    towards_id: int
    partner_ids: tuple[int, ...]
    changes: tuple[Change, ...] = ()

    @property
    def live(self) -> bool:
        """Whether it was not taken back: times describe, presence decides."""
        return not self.changes

    def serves(self, grant: Grant) -> bool:
        """Whether this is the release of the grant's sender towards its recipient, given in the same act."""
        return (self.consent_id, self.holder_id, self.towards_id) == (
            grant.consent_id,
            grant.sender_id,
            grant.recipient_id,
        )

    def is_visible_to(self, partner_id: int, visible: Iterable[Grant]) -> bool:
        """Whether this partner, who may see these grants, may learn of the release: it says no more than they do."""
        return partner_id in self.partner_ids and any(self.serves(grant) for grant in visible)


def status_of_release(release: RecordedRelease, grants: Iterable[Grant], at: datetime, known_at: datetime) -> Status:
    """The status at a point of both time axes: withdrawn on its own, or as long as the grants it serves and as they.

    `grants` hold at least one it serves. The axes are read as for grants: a question about the present counts every
    change on record, one about the past those in effect by then.
    """
    for change in release.changes:
        if change.recorded_at <= known_at and (at >= known_at or change.effective_at <= at):
            return "withdrawn"
    return status_of_consent([grant for grant in grants if release.serves(grant)], at, known_at)
