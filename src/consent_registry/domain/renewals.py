"""Renewals: the client says yes again, by a new act, to what it said yes to before (dpv:RenewedConsentGiven).

The new act is a consent of its own and is judged as one. It renews the earlier consent's given grants of the same flow:
they show `renewed`, with its end. Their own rows permit no longer than they did: beyond that the new grant carries the
flow, with its own text and evidence. The two are one yes said twice. What takes back either takes back both, so that
nobody who withdrew "the consent" stays permitted by the other paper; only what voids the new act from the start leaves
the earlier yes as it was.
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


class Earlier(msgspec.Struct, frozen=True):
    """What an earlier consent still gives for one flow: its categories, until the first of its grants ends."""

    category_ids: frozenset[int]
    until: datetime


def renewable(earlier: Iterable[Grant], flow: tuple[int, int, int], now: datetime) -> Earlier | None:
    """What may be renewed for this flow, or None: only what is given. What was withdrawn, ended, void or has expired
    is not revived, and what was renewed before is renewed by its newest act.
    """
    given = [grant for grant in earlier if grant.flow == flow and status_of(grant, now, now) == "given"]
    if not given:
        return None
    categories: set[int] = set()
    for grant in given:
        gone = withdrawn_categories(grant, counting_changes(grant, now, now))
        categories.update(set(grant.category_ids) - gone)
    until = min(end_of_validity(grant, counting_changes(grant, now, now)) for grant in given)
    return Earlier(frozenset(categories), until)


def renew(
    earlier: Iterable[Grant], new: Sequence[Grant], effective_at: datetime, now: datetime
) -> list[tuple[Grant, Change]]:
    """The changes by which these new grants, just given, renew the earlier consent's grants of the same flows."""
    changes = []
    for grant in earlier:
        if status_of(grant, now, now) == "given":
            longest = max((one for one in new if one.flow == grant.flow), key=lambda one: one.valid_until, default=None)
            if longest is not None:
                until, by = longest.valid_until, longest.grant_id
                changes.append((grant, Change("renewed", effective_at, now, None, until, by)))
    return changes


def unrenew(grants: Iterable[Grant], void: Iterable[Grant], now: datetime) -> list[tuple[Grant, Change]]:
    """The changes by which renewals of these grants fall, because the grants that renewed them were void from the
    start: the earlier yes has the end it had.
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
    """For each consent of these grants all that renew it or that it renews, over any number of acts, itself among them;
    a renewal still requested counts.
    """
    related: dict[str, frozenset[str]] = {}
    for grant in grants:
        ids = {grant.consent_id} if grant.renews is None else {grant.consent_id, grant.renews}
        joined = frozenset(ids.union(*(related.get(one, ()) for one in ids)))
        related.update(dict.fromkeys(joined, joined))
    return related


def same_yes(chosen: Sequence[Grant], grants: Sequence[Grant]) -> list[Grant]:
    """The grants of other consents that say the same yes as the chosen ones: the same flow in a related consent."""
    related = related_consents(grants)
    own = {grant.consent_id for grant in chosen}
    wanted = {
        (consent_id, grant.flow)
        for grant in chosen
        if grant.answer != "refused"
        for consent_id in related[grant.consent_id] - own
    }
    return [grant for grant in grants if (grant.consent_id, grant.flow) in wanted]


def same_release(
    chosen: Sequence[RecordedRelease], releases: Sequence[RecordedRelease], grants: Sequence[Grant]
) -> list[RecordedRelease]:
    """The releases of related consents that release the same holder towards the same side as the chosen ones."""
    related = related_consents(grants)
    own = {release.consent_id for release in chosen}
    wanted = {
        (consent_id, release.holder_id, release.towards_id)
        for release in chosen
        for consent_id in related[release.consent_id] - own
    }
    return [one for one in releases if (one.consent_id, one.holder_id, one.towards_id) in wanted]
