"""Grants and releases, what happens to them, and the status that follows (docs/design/consents.md).

Two time axes: `at` asks when it was true, `known_at` when the registry knew it. A question about the present (`at` not
before `known_at`) counts every change that is on record, whatever its own time says: times describe, presence decides.
A question about the past counts the changes in effect by then, and every invalidation: it voids from the start.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

Answer = Literal["given", "refused", "requested"]
# Data about others than the client: whether there are any, and whether they agreed, as the recorder says.
ThirdParties = Literal["unstated", "none", "consented", "not_consented"]
Status = Literal["requested", "given", "renewed", "refused", "withdrawn", "ended", "expired", "invalidated"]
ChangeKind = Literal[
    "confirmed", "renewed", "unrenewed", "withdrawn", "ended", "invalidated", "restricted", "unrestricted"
]

# The statuses on which data may be passed on (dpv:ConsentStatusValidForProcessing).
LIVE_ORDER: tuple[Status, ...] = ("given", "renewed")
LIVE = frozenset(LIVE_ORDER)
# The strongest ground first: what is void was never withdrawn, what was withdrawn did not expire.
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
    """Something that happened to a grant; `category_ids` None means all of it. `valid_until` and `by_grant_id` belong
    to a renewal: until when it was renewed, and by which grant of the renewing consent.
    """

    kind: ChangeKind
    effective_at: datetime
    recorded_at: datetime
    category_ids: frozenset[int] | None = None
    valid_until: datetime | None = None
    by_grant_id: str | None = None


class Release(msgspec.Struct, frozen=True):
    """A release from professional secrecy (§ 203 StGB) of `holder_id` towards `towards_id`."""

    holder_id: int
    towards_id: int
    live: bool


class Grant(msgspec.Struct, frozen=True):
    """The smallest unit of a consent: sender → recipient × purpose × categories × validity. Directed. `renews` is the
    earlier consent that this one's act renews; `client_id` the client number it was recorded under.
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
    # None in what was recorded before times were kept here: no approval is older than such a grant.
    given_at: datetime | None = None
    third_parties: ThirdParties | None = None
    # The other persons' own grants for the same flow, and as much of them as is still on record.
    third_party_grants: tuple[str, ...] = ()
    depends_on: tuple["Grant", ...] = ()
    client_id: str = ""

    @property
    def readers(self) -> frozenset[int]:
        """The partners whose transactions may read the rows of this grant (see `readers_of`)."""
        return readers_of(self.answer, self.recorder_id, self.sender_id, self.recipient_id)

    @property
    def flow(self) -> tuple[int, int, int]:
        """Sender, recipient and purpose."""
        return (self.sender_id, self.recipient_id, self.purpose_id)

    def is_visible_to(self, partner_id: int, status: Status) -> bool:
        """Whether this partner may learn of the grant: its recorder always; its sender and recipient once it was
        given; a requested one also its sender, who is to confirm it (docs/design/consents.md).
        """
        if partner_id == self.recorder_id:
            return True
        if status == "requested":
            return partner_id == self.sender_id
        return self.was_given and partner_id in {self.sender_id, self.recipient_id}

    @property
    def was_given(self) -> bool:
        """Whether the client's yes ever counted: given at once, or requested and then confirmed."""
        confirmed = any(change.kind == "confirmed" for change in self.changes)
        return self.answer == "given" or (self.answer == "requested" and confirmed)


def readers_of(answer: Answer, recorder: P, sender: P, recipient: P) -> frozenset[P]:
    """The partners that may read what is stored of a grant (docs/design/consents.md): its recorder always; its sender
    unless the client refused; its recipient only what was given. The policy of `registry.grants` says the same.

    A requested grant was recorded by its recipient, so confirming it adds no reader.
    """
    if answer == "refused":
        return frozenset({recorder})
    if answer == "requested":
        return frozenset({recorder, sender})
    return frozenset({recorder, sender, recipient})


def counting_changes(grant: Grant, at: datetime, known_at: datetime) -> list[Change]:
    """The changes that count for a question about `at` with the knowledge of `known_at`, in order of recording."""
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
    """The renewal that holds: the one recorded last, unless it was void."""
    renewal = None
    for change in changes:
        if change.kind == "renewed":
            renewal = change
        elif change.kind == "unrenewed":
            renewal = None
    return renewal


def end_of_validity(grant: Grant, changes: Iterable[Change]) -> datetime:
    """When this yes stops counting: its own end, or that of its renewal."""
    renewal = renewal_of(changes)
    return grant.valid_until if renewal is None or renewal.valid_until is None else renewal.valid_until


def end_of_permission(grant: Grant, changes: Iterable[Change]) -> datetime:
    """When this grant's own row stops permitting. A renewal never stretches it: the renewing grant carries the flow,
    by its own text and evidence; but one that ends earlier is the client's last word.
    """
    return min(grant.valid_until, end_of_validity(grant, changes))


def restricted_categories(grant: Grant, changes: Iterable[Change]) -> frozenset[int]:
    """The categories whose processing is restricted (Art. 18 DSGVO): for each the last word on it decides."""
    restricted: set[int] = set()
    for change in changes:
        covered = grant.category_ids if change.category_ids is None else change.category_ids
        if change.kind == "restricted":
            restricted.update(covered)
        elif change.kind == "unrestricted":
            restricted.difference_update(covered)
    return frozenset(restricted)


def status_of(grant: Grant, at: datetime, known_at: datetime) -> Status:
    """The status of a grant at a point of both time axes; the strongest ground comes first."""
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
    """When the grant ended with the status it has: withdrawn when its last category was, expired at the end of its
    validity, ended or invalidated by the first such change. What has not ended is as old as can be.
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
    """`given` while any of these grants is, `renewed` while any of them is; else the status its grants ended with, the
    latest where they differ, the strongest where they ended together.
    """
    statuses = [status_of(grant, at, known_at) for grant in grants]
    for status in LIVE_ORDER:
        if status in statuses:
            return status
    since = [status_since(grant, at, known_at) for grant in grants]
    last = {status for status, ended in zip(statuses, since, strict=True) if ended == max(since)}
    return min(last, key=PRECEDENCE.index)


def permitted_categories(grant: Grant, now: datetime) -> frozenset[int]:
    """The categories this grant lets pass at this moment: live, begun, not restricted, less what was withdrawn."""
    changes = sorted(grant.changes, key=lambda change: change.recorded_at)
    if now < grant.valid_from or now >= grant.valid_until or _status(grant, changes, now) not in LIVE:
        return frozenset()
    gone = withdrawn_categories(grant, changes) | restricted_categories(grant, changes)
    return frozenset(grant.category_ids) - gone


def covers_others(grant: Grant, category_id: int, now: datetime) -> bool:
    """Whether the grant lets data about others than the client pass (nobody agrees for another adult).

    Where others agreed, each of their own grants must let the category pass now; what is no longer on record does not.
    What was said to hold nobody else's data, or said nothing about it, is taken at its word.
    """
    if grant.third_parties == "not_consented":
        return False
    if grant.third_parties != "consented":
        return True
    return len(grant.depends_on) == len(grant.third_party_grants) and all(
        category_id in permitted_categories(other, now) for other in grant.depends_on
    )
