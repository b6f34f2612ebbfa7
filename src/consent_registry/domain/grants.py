"""Grants and releases, their changes, and the status that follows (docs/design/consents.md).

Two time axes: `at` is the time the question is about, `known_at` the time of the registry's knowledge. A question about
the present (`at` not before `known_at`) counts every recorded change, whatever its date. A question about the past
counts the changes in effect by then, and every invalidation, because it voids from the start.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from consent_registry.domain.secrecy import Release

Answer = Literal["given", "refused", "requested"]
# Whether a paper says at which instant it was given, or the day alone.
Precision = Literal["instant", "day"]
# Data about other persons: the recorder states whether there are any, and whether these persons agreed.
ThirdParties = Literal["unstated", "none", "consented", "not_consented"]
EntrustedBy = Literal["self", "other"]
Status = Literal["requested", "given", "renewed", "refused", "withdrawn", "ended", "expired", "invalidated"]
ChangeKind = Literal[
    "confirmed", "evidenced", "renewed", "unrenewed", "withdrawn", "ended", "invalidated", "restricted", "unrestricted"
]

# The statuses on which data may be passed on (dpv:ConsentStatusValidForProcessing).
LIVE_ORDER: tuple[Status, ...] = ("given", "renewed")
LIVE = frozenset(LIVE_ORDER)
# The strongest status first: a void grant was never withdrawn, a withdrawn one did not expire.
PRECEDENCE: tuple[Status, ...] = (
    "invalidated",
    "refused",
    "withdrawn",
    "ended",
    "expired",
    "requested",
    "renewed",
    "given",
)
# A partner, by its number or by its slug.
P = TypeVar("P", int, str)
_BEFORE_EVERYTHING = datetime.min.replace(tzinfo=UTC)


class Change(msgspec.Struct, frozen=True):
    """A recorded change of a grant. `category_ids` None means all categories. `valid_until` and `by_grant_id` are set
    for a renewal: the new end, and the renewing grant.
    """

    kind: ChangeKind
    effective_at: datetime
    recorded_at: datetime
    category_ids: frozenset[int] | None = None
    valid_until: datetime | None = None
    by_grant_id: str | None = None


class Grant(msgspec.Struct, frozen=True):
    """The smallest unit of a consent: one sender, one recipient, one purpose, categories and a validity. `renews` is
    the earlier consent that this grant's consent renews; `client_id` is the client number of the record.
    """

    grant_id: str
    consent_id: str
    sender_id: int
    recipient_id: int
    purpose_id: int
    category_ids: tuple[int, ...]
    explicit: bool
    answer: Answer
    valid_from: datetime
    valid_until: datetime
    recorder_id: int = 0
    changes: tuple[Change, ...] = ()
    releases: tuple[Release, ...] = ()
    renews: str | None = None
    # None in old records without this time; no approval covers such a grant.
    given_at: datetime | None = None
    third_parties: ThirdParties | None = None
    # The ids of the other persons' own grants for the same flow, and those of the grants that are still on record.
    third_party_grants: tuple[str, ...] = ()
    depends_on: tuple["Grant", ...] = ()
    client_id: str = ""
    # Whether the consent was recorded before its evidence was there.
    evidence_follows: bool = False
    # Who entrusted the data to the youth office (§ 65 SGB VIII); None if nothing was said.
    entrusted_by: EntrustedBy | None = None
    given_at_precision: Precision = "instant"
    # None where nobody asked when the grant was recorded, such as for a decision.
    recorded_at: datetime | None = None
    # The ids of the releases that serve the grant: its own consent's and those of the consents that this one renews.
    release_ids: tuple[str, ...] = ()

    @property
    def readers(self) -> frozenset[int]:
        """The partners that may read this grant's rows (see `readers_of`)."""
        return readers_of(self.answer, self.recorder_id, self.sender_id, self.recipient_id)

    @property
    def flow(self) -> tuple[int, int, int]:
        """Sender, recipient and purpose."""
        return (self.sender_id, self.recipient_id, self.purpose_id)

    def is_visible_to(self, partner_id: int, status: Status) -> bool:
        """Whether this partner may see the grant: its recorder always, its sender and recipient once it was given, and
        the sender of a requested grant, because the sender confirms it (docs/design/consents.md).
        """
        if partner_id == self.recorder_id:
            return True
        if status == "requested":
            return partner_id == self.sender_id
        return self.was_given and partner_id in {self.sender_id, self.recipient_id}

    @property
    def was_given(self) -> bool:
        """Whether the grant was ever in force: given at once, or requested and then confirmed."""
        confirmed = any(change.kind == "confirmed" for change in self.changes)
        return self.answer == "given" or (self.answer == "requested" and confirmed)


def readers_of(answer: Answer, recorder: P, sender: P, recipient: P) -> frozenset[P]:
    """The partners that may read a grant's rows: the recorder always, the sender unless the client refused, the
    recipient only if it was given (docs/design/consents.md). The row-level policy of `registry.grants` enforces the
    same.

    The recipient of a requested grant is its recorder, so a confirmation adds no reader.
    """
    if answer == "refused":
        return frozenset({recorder})
    if answer == "requested":
        return frozenset({recorder, sender})
    return frozenset({recorder, sender, recipient})


def counting_changes(grant: Grant, at: datetime, known_at: datetime) -> list[Change]:
    """The changes that count for a question about `at` with the knowledge of `known_at`, in order of recording.

    See the module's head for the rule.
    """
    known = [change for change in grant.changes if change.recorded_at <= known_at]
    if at < known_at:
        known = [change for change in known if change.kind == "invalidated" or change.effective_at <= at]
    return sorted(known, key=lambda change: change.recorded_at)


def withdrawn_categories(grant: Grant, changes: Iterable[Change]) -> frozenset[int]:
    """The categories of the grant that these changes withdrew."""
    withdrawn: set[int] = set()
    for change in changes:
        if change.kind == "withdrawn":
            withdrawn.update(grant.category_ids if change.category_ids is None else change.category_ids)
    return frozenset(withdrawn.intersection(grant.category_ids))


def renewal_of(changes: Iterable[Change]) -> Change | None:
    """The renewal in force: the one recorded last, unless it was undone."""
    renewal = None
    for change in changes:
        if change.kind == "renewed":
            renewal = change
        elif change.kind == "unrenewed":
            renewal = None
    return renewal


def end_of_validity(grant: Grant, changes: Iterable[Change]) -> datetime:
    """The end of the client's agreement: the grant's own end, or its renewal's."""
    renewal = renewal_of(changes)
    return grant.valid_until if renewal is None or renewal.valid_until is None else renewal.valid_until


def end_of_permission(grant: Grant, changes: Iterable[Change]) -> datetime:
    """When this grant stops permitting. A renewal never extends this: the renewing grant permits, with its own text and
    evidence. A renewal that ends earlier shortens it, because it is the client's last word.
    """
    return min(grant.valid_until, end_of_validity(grant, changes))


def restricted_categories(grant: Grant, changes: Iterable[Change]) -> frozenset[int]:
    """The categories whose processing is restricted (Art. 18 DSGVO). For each category its last change decides."""
    restricted: set[int] = set()
    for change in changes:
        covered = grant.category_ids if change.category_ids is None else change.category_ids
        if change.kind == "restricted":
            restricted.update(covered)
        elif change.kind == "unrestricted":
            restricted.difference_update(covered)
    return frozenset(restricted)


def status_of(grant: Grant, at: datetime, known_at: datetime) -> Status:
    """The status of a grant at `at` with the knowledge of `known_at`; the strongest status wins (see PRECEDENCE)."""
    return _status(grant, counting_changes(grant, at, known_at), at)


def _status(grant: Grant, changes: Sequence[Change], at: datetime) -> Status:
    kinds = {change.kind for change in changes}
    if "invalidated" in kinds:
        return "invalidated"
    if grant.answer == "refused":
        return "refused"
    if "withdrawn" in kinds and withdrawn_categories(grant, changes) >= set(grant.category_ids):
        return "withdrawn"
    if "ended" in kinds:
        return "ended"
    if end_of_validity(grant, changes) <= at:
        return "expired"
    if grant.answer == "requested" and "confirmed" not in kinds:
        return "requested"
    return "given" if renewal_of(changes) is None else "renewed"


def status_since(grant: Grant, at: datetime, known_at: datetime) -> datetime:
    """When the grant got the status that ended it. A withdrawal counts from the withdrawal of the last category, an
    expiry from the end of validity, an ending or invalidation from the first such change. A grant with another status
    gets the earliest possible time.
    """
    changes = counting_changes(grant, at, known_at)
    status = _status(grant, changes, at)
    if status == "expired":
        return end_of_validity(grant, changes)
    if status == "withdrawn":
        return max(_withdrawn_since(category_id, changes) for category_id in grant.category_ids)
    if status in {"ended", "invalidated"}:
        return min(change.effective_at for change in changes if change.kind == status)
    return _BEFORE_EVERYTHING


def _withdrawn_since(category_id: int, changes: Sequence[Change]) -> datetime:
    return min(
        change.effective_at
        for change in changes
        if change.kind == "withdrawn" and (change.category_ids is None or category_id in change.category_ids)
    )


def status_of_consent(grants: Sequence[Grant], at: datetime, known_at: datetime) -> Status:
    """The status of a consent with these grants: `given` or else `renewed` if any grant has that status; otherwise the
    status of the grant that ended last, and of grants that ended together the strongest.
    """
    statuses = [status_of(grant, at, known_at) for grant in grants]
    for status in LIVE_ORDER:
        if status in statuses:
            return status
    since = [status_since(grant, at, known_at) for grant in grants]
    last = {status for status, ended in zip(statuses, since, strict=True) if ended == max(since)}
    return min(last, key=PRECEDENCE.index)


def permitted_categories(grant: Grant, now: datetime) -> frozenset[int]:
    """The categories that the grant permits now. It permits nothing before its begin, after its end, or unless its
    status is live; withdrawn and restricted categories are left out.
    """
    changes = sorted(grant.changes, key=lambda change: change.recorded_at)
    if now < grant.valid_from or now >= grant.valid_until or _status(grant, changes, now) not in LIVE:
        return frozenset()
    gone = withdrawn_categories(grant, changes) | restricted_categories(grant, changes)
    return frozenset(grant.category_ids) - gone


def lacks_evidence(grant: Grant) -> bool:
    """Whether the evidence of the grant's consent was to follow and did not come yet."""
    return grant.evidence_follows and all(change.kind != "evidenced" for change in grant.changes)


def covers_others(grant: Grant, category_id: int, now: datetime) -> bool:
    """Whether the grant permits data about persons other than the client (nobody can agree for another adult).

    If the recorder said that there are no other persons, this is accepted. If the others agreed, each of their own
    grants must permit the category now; a grant no longer on record does not. If nothing was said, they did not agree.
    """
    if grant.third_parties == "none":
        return True
    if grant.third_parties != "consented":
        return False
    return len(grant.depends_on) == len(grant.third_party_grants) and all(
        category_id in permitted_categories(third_party, now) for third_party in grant.depends_on
    )
