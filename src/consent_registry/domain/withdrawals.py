"""Withdrawals: what they cover, and the changes they make to a client's grants (Art. 7 Abs. 3 DSGVO).

A withdrawal names a consent, a code or grants: these it takes back whenever they were given. It also takes back the
*flow*: every yes given until it was received, on whatever paper, recorded before or after it. What comes out does not
depend on the order of entry, because the withdrawal that finds a paper and the paper that finds a withdrawal follow the
same rule (`take_back`).

A withdrawal may cover some categories only. It counts from the moment it is recorded, and is never undone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.berlin import day_in_berlin
from consent_registry.domain.grants import (
    LIVE,
    Change,
    Grant,
    Precision,
    counting_changes,
    status_of,
    withdrawn_categories,
)

# Sender, recipient and purpose.
FlowNumbers = tuple[int, int, int]
WithdrawalTarget = Literal["consent", "client", "receipt_code"]
Channel = Literal["in_person", "phone", "letter", "email", "third_person"]


class CoveredFlows(msgspec.Struct, frozen=True, tag="flows"):
    """A withdrawal covers the flows that it named, each with the categories that it withdrew."""

    flows: Mapping[FlowNumbers, frozenset[int]]


class FlowsOfPartner(msgspec.Struct, frozen=True, tag="partner"):
    """A withdrawal covers every flow in which a partner takes part; all categories, or these."""

    partner_id: int
    category_ids: frozenset[int] | None = None


class EveryFlow(msgspec.Struct, frozen=True, tag="everything"):
    """A withdrawal covers everything that the client ever gave."""


class NamedAlone(msgspec.Struct, frozen=True, tag="consent"):
    """A withdrawal covers nothing but the grants that it named: the client said so."""


Coverage = CoveredFlows | FlowsOfPartner | EveryFlow | NamedAlone


class ProposedWithdrawal(msgspec.Struct, frozen=True):
    """A withdrawal as a partner asked for it.

    `target` says by what it was made, and `name` which: a consent's id, the caller's reference or a receipt code. None
    for grants, releases or categories means all. Times of None mean the time of recording.
    """

    target: WithdrawalTarget
    name: str
    channel: Channel
    everything: bool = False
    only_this_consent: bool = False
    grant_ids: tuple[str, ...] | None = None
    release_ids: tuple[str, ...] | None = None
    category_ids: frozenset[int] | None = None
    declared_at: datetime | None = None
    received_at: datetime | None = None

    @property
    def names_all(self) -> bool:
        """Whether it names no grants and no releases, and so means all."""
        return self.grant_ids is None and self.release_ids is None

    @property
    def names_papers(self) -> bool:
        """Whether it names papers or grants, which it takes back whenever they were given, and not the client alone."""
        return not self.everything and (self.target != "client" or not self.names_all)


class RecordedWithdrawal(msgspec.Struct, frozen=True):
    """A withdrawal on record: when it was received, and what it covers beyond the grants that it named."""

    withdrawal_id: str
    received_at: datetime
    coverage: Coverage


class Withdrawn(msgspec.Struct, frozen=True):
    """A grant with the change that withdraws it, or some of its categories, and the withdrawal that makes it."""

    grant: Grant
    change: Change
    withdrawal_id: str = ""


def can_be_withdrawn(grant: Grant, now: datetime) -> bool:
    """Whether a grant can be withdrawn: it is live, or requested and could still be confirmed."""
    status = status_of(grant, now, now)
    return status in LIVE or status == "requested"


def was_given_until(grant: Grant, received_at: datetime) -> bool:
    """Whether the client gave this grant until a withdrawal was received, so that the withdrawal takes it back."""
    return is_given_until(grant.given_at, grant.given_at_precision, grant.recorded_at, received_at)


def is_given_until(
    given_at: datetime | None, precision: Precision, recorded_at: datetime | None, received_at: datetime
) -> bool:
    """Whether what was given at this time, as its paper says, was given until a withdrawal was received.

    A time ahead of the clock counts as the time of recording. A paper that bears a day and no hour counts as given
    before what was received on the same day in Germany. What was given at an unknown time counts as given before,
    because the withdrawal is the client's last known word.
    """
    if given_at is None:
        return True
    if recorded_at is not None:
        given_at = min(given_at, recorded_at)
    if precision == "day":
        return day_in_berlin(given_at) <= day_in_berlin(received_at)
    return given_at <= received_at


def coverage_of(asked: ProposedWithdrawal, named: Iterable[Grant], partner_id: int) -> Coverage:
    """What a withdrawal covers that was taken by this partner, and that names these grants.

    The flows and categories of what it names are covered also where they were withdrawn before: the client said it
    again, later.
    """
    if asked.everything:
        return EveryFlow()
    if not asked.names_papers:
        return FlowsOfPartner(partner_id, asked.category_ids)
    if asked.only_this_consent:
        return NamedAlone()
    flows: dict[FlowNumbers, frozenset[int]] = {}
    for grant in named:
        own = frozenset(grant.category_ids)
        chosen = own if asked.category_ids is None else own & asked.category_ids
        if grant.answer != "refused" and chosen:
            flows[grant.flow] = flows.get(grant.flow, frozenset()) | chosen
    return CoveredFlows(flows)


def covered_categories(coverage: Coverage, grant: Grant) -> frozenset[int]:
    """The categories of this grant that a withdrawal with this coverage takes back."""
    own = frozenset(grant.category_ids)
    match coverage:
        case EveryFlow():
            return own
        case FlowsOfPartner(partner_id, category_ids):
            if partner_id not in {grant.sender_id, grant.recipient_id}:
                return frozenset()
            return own if category_ids is None else own & category_ids
        case CoveredFlows(flows):
            return own & flows.get(grant.flow, frozenset())
        case NamedAlone():
            return frozenset()


def covers_flow(coverage: Coverage, grant: Grant) -> bool:
    """Whether the withdrawal is about the flow of this grant, whatever its categories."""
    match coverage:
        case EveryFlow():
            return True
        case FlowsOfPartner(partner_id):
            return partner_id in {grant.sender_id, grant.recipient_id}
        case CoveredFlows(flows):
            return grant.flow in flows
        case NamedAlone():
            return False


def withdraw(
    grants: Iterable[Grant], received_at: datetime, now: datetime, category_ids: frozenset[int] | None = None
) -> list[Withdrawn]:
    """The changes that withdraw these grants, or only these categories. Grants and categories that are already
    withdrawn are left out.
    """
    changes = [(grant, _change(grant, category_ids, received_at, now)) for grant in grants]
    return [Withdrawn(grant, change) for grant, change in changes if change is not None]


def _change(grant: Grant, category_ids: frozenset[int] | None, received_at: datetime, now: datetime) -> Change | None:
    """The change that withdraws these categories of a grant, None for all; None if nothing of that is left."""
    if not can_be_withdrawn(grant, now):
        return None
    if category_ids is None:
        return Change("withdrawn", received_at, now)
    gone = withdrawn_categories(grant, counting_changes(grant, now, now))
    parts = category_ids.intersection(grant.category_ids) - gone
    return Change("withdrawn", received_at, now, parts) if parts else None


def take_back(grants: Iterable[Grant], withdrawal: RecordedWithdrawal, now: datetime) -> list[Withdrawn]:
    """The changes by which a withdrawal takes back those of these grants that it covers and that were given until it
    was received, whether they or the withdrawal were recorded first.
    """
    withdrawn = []
    for grant in grants:
        if was_given_until(grant, withdrawal.received_at):
            covered = covered_categories(withdrawal.coverage, grant)
            chosen = None if covered == frozenset(grant.category_ids) else covered
            change = _change(grant, chosen, withdrawal.received_at, now)
            if change is not None:
                withdrawn.append(Withdrawn(grant, change, withdrawal.withdrawal_id))
    return withdrawn


def take_back_all(grants: Iterable[Grant], withdrawals: Iterable[RecordedWithdrawal], now: datetime) -> list[Withdrawn]:
    """The changes by which the withdrawals on record take back these grants: of a paper that is recorded, or of clients
    that are linked. What the first received withdrew no later one withdraws again.
    """
    current = {grant.grant_id: grant for grant in grants}
    withdrawn = []
    for withdrawal in sorted(withdrawals, key=lambda withdrawal: (withdrawal.received_at, withdrawal.withdrawal_id)):
        found = take_back(current.values(), withdrawal, now)
        current |= {grant.grant_id: grant for grant in changed(current.values(), found)}
        withdrawn += found
    return withdrawn


def changed(grants: Iterable[Grant], withdrawn: Iterable[Withdrawn]) -> list[Grant]:
    """These grants with the changes that were made to them."""
    changes: dict[str, list[Change]] = {}
    for item in withdrawn:
        changes.setdefault(item.grant.grant_id, []).append(item.change)
    return [
        msgspec.structs.replace(grant, changes=(*grant.changes, *changes.get(grant.grant_id, ()))) for grant in grants
    ]


def joined(withdrawn: Iterable[Withdrawn]) -> list[Withdrawn]:
    """The changes, where several withdrawals change one grant at one moment joined into one change."""
    by_moment: dict[tuple[str, datetime], Withdrawn] = {}
    for item in withdrawn:
        key = (item.grant.grant_id, item.change.effective_at)
        before = by_moment.get(key)
        by_moment[key] = item if before is None else _with_categories(before, item.change.category_ids)
    return list(by_moment.values())


def _with_categories(item: Withdrawn, more: frozenset[int] | None) -> Withdrawn:
    parts = item.change.category_ids
    whole = None if parts is None or more is None else parts | more
    return msgspec.structs.replace(item, change=msgspec.structs.replace(item.change, category_ids=whole))


def still_given(
    grants: Sequence[Grant], named: Iterable[Grant], coverage: Coverage, withdrawn: Iterable[Withdrawn], now: datetime
) -> list[Grant]:
    """The live grants that the answer names, because their flows continue: those of the flows of what was named, or
    that the withdrawal covers, after the withdrawal, but for those of the consents that were named.
    """
    papers = list(named)
    consents = {grant.consent_id for grant in papers}
    flows = {grant.flow for grant in papers if grant.answer != "refused"}
    return [
        grant
        for grant in changed(grants, withdrawn)
        if grant.consent_id not in consents
        and (grant.flow in flows or covers_flow(coverage, grant))
        and status_of(grant, now, now) in LIVE
    ]
