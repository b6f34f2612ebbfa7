"""Renewals: by a new act the client agrees again to what it agreed to before (dpv:RenewedConsentGiven).

The new act is a consent of its own and must meet the same rules. It renews the earlier consent's given grants of the
same flow: their status becomes `renewed`, with the new end. The earlier rows permit no longer than before; after that
the new grant permits, with its own text and evidence.

A withdrawal or ending of either consent takes back both. Otherwise a client that withdrew "the consent" would still be
bound by the other paper. Only an invalidation of the new act restores the earlier consent as it was.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.grants import (
    Change,
    Grant,
    counting_changes,
    end_of_validity,
    renewal_of,
    status_of,
    withdrawn_categories,
)
from consent_registry.domain.releases import RecordedRelease


class RenewablePart(msgspec.Struct, frozen=True):
    """The part of an earlier consent that can be renewed for a flow: its categories, and the end of its first grant to
    end.
    """

    category_ids: frozenset[int]
    until: datetime


def renewable(earlier: Iterable[Grant], flow: tuple[int, int, int], now: datetime) -> RenewablePart | None:
    """The part of an earlier consent that may be renewed for this flow, or None. Only grants with status `given` count:
    a renewal revives nothing withdrawn, ended, void or expired, and a renewed grant is renewed by its newest act.
    """
    given = [grant for grant in earlier if grant.flow == flow and status_of(grant, now, now) == "given"]
    if not given:
        return None
    categories: set[int] = set()
    for grant in given:
        gone = withdrawn_categories(grant, counting_changes(grant, now, now))
        categories.update(set(grant.category_ids) - gone)
    until = min(end_of_validity(grant, counting_changes(grant, now, now)) for grant in given)
    return RenewablePart(frozenset(categories), until)


def renew(
    earlier: Iterable[Grant], new: Sequence[Grant], effective_at: datetime, now: datetime
) -> list[tuple[Grant, Change]]:
    """The changes by which newly given grants renew the earlier consent's grants of the same flows."""
    changes = []
    for grant in earlier:
        if status_of(grant, now, now) == "given":
            same_flow = (candidate for candidate in new if candidate.flow == grant.flow)
            longest = max(same_flow, key=lambda candidate: candidate.valid_until, default=None)
            if longest is not None:
                until, by = longest.valid_until, longest.grant_id
                changes.append((grant, Change("renewed", effective_at, now, None, until, by)))
    return changes


def unrenew(grants: Iterable[Grant], void: Iterable[Grant], now: datetime) -> list[tuple[Grant, Change]]:
    """The changes that undo renewals of these grants, because the renewing grants were void from the start. The earlier
    grants get their former end back.
    """
    void_ids = {grant.grant_id for grant in void}
    changes = []
    for grant in grants:
        renewal = renewal_of(counting_changes(grant, now, now))
        if renewal is not None and renewal.by_grant_id in void_ids:
            change = Change("unrenewed", renewal.effective_at, now, by_grant_id=renewal.by_grant_id)
            changes.append((grant, change))
    return changes


def related_consents(grants: Iterable[Grant]) -> dict[str, frozenset[str]]:
    """For each consent of these grants the set of consents connected to it by renewals, itself included. A renewal that
    is only requested counts.
    """
    related: dict[str, frozenset[str]] = {}
    for grant in grants:
        ids = {grant.consent_id} if grant.renews is None else {grant.consent_id, grant.renews}
        joined = frozenset(ids.union(*(related.get(consent_id, ()) for consent_id in ids)))
        related.update(dict.fromkeys(joined, joined))
    return related


def related_grants(chosen: Sequence[Grant], grants: Sequence[Grant]) -> list[Grant]:
    """The grants that a renewal connects with the chosen ones: the same flow in a related consent."""
    related = related_consents(grants)
    own = {grant.consent_id for grant in chosen}
    wanted = {
        (consent_id, grant.flow)
        for grant in chosen
        if grant.answer != "refused"
        for consent_id in related[grant.consent_id] - own
    }
    return [grant for grant in grants if (grant.consent_id, grant.flow) in wanted]


def related_releases(
    chosen: Sequence[RecordedRelease], releases: Sequence[RecordedRelease], grants: Sequence[Grant]
) -> list[RecordedRelease]:
    """The releases that a renewal connects with the chosen ones: same holder, same side, in a related consent."""
    related = related_consents(grants)
    own = {release.consent_id for release in chosen}
    wanted = {
        (consent_id, release.holder_id, release.towards_id)
        for release in chosen
        for consent_id in related[release.consent_id] - own
    }
    return [release for release in releases if (release.consent_id, release.holder_id, release.towards_id) in wanted]
