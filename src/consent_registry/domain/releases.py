"""Recorded releases from professional secrecy (§ 203 StGB), and their status.

A release belongs to one consent and serves that consent's grants from the secrecy holder to the released side. The
client can withdraw it, alone or with the consent. It lapses with the last grant that it serves.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from consent_registry.domain.grants import Change, Grant, Status, status_of_consent


class RecordedRelease(msgspec.Struct, frozen=True):
    """A release with its changes and the partners that may see it."""

    release_id: str
    consent_id: str
    holder_id: int
    towards_id: int
    partner_ids: tuple[int, ...]
    changes: tuple[Change, ...] = ()

    @property
    def live(self) -> bool:
        """Whether the release was not withdrawn. A recorded withdrawal counts whatever its date."""
        return not self.changes

    def serves(self, grant: Grant) -> bool:
        """Whether the release frees the grant's sender towards its recipient and belongs to the same consent."""
        return (self.consent_id, self.holder_id, self.towards_id) == (
            grant.consent_id,
            grant.sender_id,
            grant.recipient_id,
        )

    def is_visible_to(self, partner_id: int, visible: Iterable[Grant]) -> bool:
        """Whether a partner that sees the `visible` grants may see the release: only if it serves one of them."""
        return partner_id in self.partner_ids and any(self.serves(grant) for grant in visible)


def status_of_release(release: RecordedRelease, grants: Iterable[Grant], at: datetime, known_at: datetime) -> Status:
    """The status of a release at a point of both time axes (see `grants`): `withdrawn` if it was withdrawn by itself,
    else the status of the grants that it serves. At least one of `grants` must be served by it.
    """
    for change in release.changes:
        if change.recorded_at <= known_at and (at >= known_at or change.effective_at <= at):
            return "withdrawn"
    return status_of_consent([grant for grant in grants if release.serves(grant)], at, known_at)
