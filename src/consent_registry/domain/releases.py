"""Recorded releases from professional secrecy (§ 203 StGB), and their status.

A release belongs to one consent. It serves the grants of that consent, and of the consents that renew it, from the
secrecy holder to the released side: for their purposes, categories and end unless it says less. The client can withdraw
it, alone or with the consent. It lapses with the last grant that it serves.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from consent_registry.domain.grants import (
    LIVE,
    Change,
    Grant,
    Status,
    counting_changes,
    status_of_consent,
    withdrawn_categories,
)
from consent_registry.domain.secrecy import Release


class RecordedRelease(msgspec.Struct, frozen=True):
    """A release with its changes and the partners that may see it."""

    release_id: str
    consent_id: str
    holder_id: int
    towards_id: int
    partner_ids: tuple[int, ...]
    changes: tuple[Change, ...] = ()
    purpose_ids: frozenset[int] | None = None
    category_ids: frozenset[int] | None = None
    valid_until: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether the release was not withdrawn. A recorded withdrawal counts whatever its date."""
        return not self.changes

    def serves(self, grant: Grant) -> bool:
        """Whether the release serves this grant, as it was recorded with it."""
        return self.release_id in grant.release_ids

    def of_flow(self) -> Release:
        """What a grant needs to know of it."""
        return Release(
            self.holder_id, self.towards_id, self.live, self.purpose_ids, self.category_ids, self.valid_until
        )

    def is_visible_to(self, partner_id: int, visible: Iterable[Grant]) -> bool:
        """Whether a partner that sees the `visible` grants may see the release: only if it is one of its readers, and
        sees a grant of its consent.
        """
        return partner_id in self.partner_ids and any(grant.consent_id == self.consent_id for grant in visible)


def status_of_release(release: RecordedRelease, grants: Iterable[Grant], at: datetime, known_at: datetime) -> Status:
    """The status of a release at a point of both time axes (see `grants`): `withdrawn` if it was withdrawn by itself,
    `expired` after its own end, else the status of the grants that it serves. A release that serves none of them has
    the status of its consent.
    """
    for change in release.changes:
        if change.recorded_at <= known_at and (at >= known_at or change.effective_at <= at):
            return "withdrawn"
    if release.valid_until is not None and release.valid_until <= at:
        return "expired"
    every = list(grants)
    served = [grant for grant in every if release.serves(grant)]
    own = [grant for grant in every if grant.consent_id == release.consent_id]
    return status_of_consent(served or own, at, known_at)


def lacks_release(grant: Grant, releases: Iterable[RecordedRelease], at: datetime, known_at: datetime) -> bool:
    """Whether a grant still gives a category for which no release frees its sender, at a point of both time axes."""
    in_force = [
        msgspec.structs.replace(release.of_flow(), live=True)
        for release in releases
        if release.serves(grant) and status_of_release(release, [grant], at, known_at) in LIVE
    ]
    gone = withdrawn_categories(grant, counting_changes(grant, at, known_at))
    return not all(
        any(release.frees(grant.flow, category_id, at) for release in in_force)
        for category_id in set(grant.category_ids) - gone
    )
