"""Decides "may I send?" from facts and a time, without I/O (docs/design/decisions.md).

A permit means "valid consent on file", never "lawful": the sender stays responsible (§ 67d Abs. 1 SGB X).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from consent_registry.domain.approvals import all_open
from consent_registry.domain.catalogue import Basis, Category, FlowRules, Partner, Purpose
from consent_registry.domain.flags import ATTENDANCE
from consent_registry.domain.grants import Grant, covers_others, end_of_permission, lacks_evidence, permitted_categories

Outcome = Literal["permit", "partial", "no_permission", "not_consent_based"]

# How long an answer is valid: long enough to send, short enough that a withdrawal soon takes effect.
ANSWER_LIFETIME = timedelta(minutes=5)
# Times of concurrent statements may be in any order. A clock that is behind by more than this was set back.
SET_BACK = timedelta(seconds=1)


class Question(msgspec.Struct, frozen=True):
    """A sender's question: recipient, purpose, data categories, and the legal basis that the sender claims."""

    sender: Partner
    recipient: Partner
    purpose: Purpose
    categories: tuple[Category, ...]
    basis: Basis = "consent"
    norm: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """The answer to a question. Each category asked for is in exactly one of the three lists, in the order asked."""

    outcome: Outcome
    permitted: list[Category]
    denied: list[Category]
    not_consent_based: list[Category]
    expires_at: datetime
    grant_ids: list[str]


def decide(question: Question, rules: FlowRules, grants: Sequence[Grant], now: datetime) -> Decision:
    """Answer `question` from the network's rules for its flow and from the client's grants.

    Order of checks: claimed basis, agreement, parties, what may be shared at all, approval gates, grants,
    explicitness, others' data, release; then the result for each category.
    """
    if question.basis == "statute":
        # A claimed statute is recorded with its norm and not judged: the registry does not interpret statutes.
        return _answer(question, {}, frozenset(category.category_id for category in question.categories), now)
    statutory = _listed(rules, "statute", now)
    judged = _listed(rules, "consent", now) - statutory if _parties_are_open(question) else frozenset()
    # If several grants permit a category, the answer names the one that lasts longest; the first wins a tie.
    entrusted = _entrusted(rules, now)
    passing = [
        _Passing(grant, now, entrusted)
        for grant in grants
        if _is_for(question, grant) and _gates_are_open(rules, grant, now)
    ]
    passing.sort(key=lambda candidate: candidate.until, reverse=True)
    grounds: dict[int, _Ground] = {}
    for category in question.categories:
        if category.category_id in judged and _may_be_shared(rules, category):
            found = _grounds(question, category, passing, now)
            if found:
                grounds[category.category_id] = max(found, key=lambda ground: ground.until)
    return _answer(question, grounds, statutory, now)


class _Ground(msgspec.Struct, frozen=True):
    """The grant that permits a category, and the instant at which it, or the release that it needs, ends."""

    grant_id: str
    until: datetime


def _grounds(question: Question, category: Category, passing: Sequence["_Passing"], now: datetime) -> list[_Ground]:
    """The grants that permit this category. Without a secrecy holder the first lasts longest and is enough."""
    found = []
    for candidate in passing:
        if _permits(question, category, candidate, now):
            if not question.sender.secrecy_holder:
                return [_Ground(candidate.grant.grant_id, candidate.until)]
            released_until = _released_until(candidate, category, now)
            if released_until is not None:
                found.append(_Ground(candidate.grant.grant_id, released_until))
    return found


def _released_until(candidate: "_Passing", category: Category, now: datetime) -> datetime | None:
    """When the last release that frees the grant's sender for this category ends, at the latest with the grant; None
    without a release. Everything that is entrusted to a secrecy holder is secret, the name too (§ 203 Abs. 1 StGB).
    """
    ends = [
        candidate.until if release.valid_until is None else min(candidate.until, release.valid_until)
        for release in candidate.grant.releases
        if release.frees(candidate.grant.flow, category.category_id, now)
    ]
    return max(ends, default=None)


def without_ended(rules: FlowRules, grants: Iterable[Grant], latest: datetime) -> tuple[FlowRules, list[Grant]]:
    """The rules and the client's grants without what had ended by `latest`, a time later than now. For a clock that was
    set back: what had ended must not permit again.
    """
    flows = (flow for flow in rules.flows if flow.agreement.valid_until is None or flow.agreement.valid_until > latest)
    gates = (
        msgspec.structs.replace(
            gate, approvals=tuple(approval for approval in gate.approvals if approval.in_force(latest))
        )
        for gate in rules.gates
    )
    lasting = msgspec.structs.replace(rules, flows=tuple(flows), gates=tuple(gates))
    return lasting, [_with_lasting_releases(grant, latest) for grant in grants if _lasts_until(grant) > latest]


def _with_lasting_releases(grant: Grant, latest: datetime) -> Grant:
    """The grant without releases that had ended by then."""
    releases = (release for release in grant.releases if release.valid_until is None or release.valid_until > latest)
    return msgspec.structs.replace(grant, releases=tuple(releases))


class _Passing:
    """A grant, the categories that may be sent under it at this moment, and the instant at which it ends."""

    __slots__ = ("category_ids", "entrusted", "grant", "until")

    def __init__(self, grant: Grant, now: datetime, entrusted: frozenset[int]) -> None:
        self.grant = grant
        self.entrusted = entrusted
        self.category_ids = permitted_categories(grant, now)
        self.until = _lasts_until(grant)


def _lasts_until(grant: Grant) -> datetime:
    return end_of_permission(grant, sorted(grant.changes, key=lambda change: change.recorded_at))


def _listed(rules: FlowRules, basis: Basis, now: datetime) -> frozenset[int]:
    """The categories that agreements in force list for this flow on this basis."""
    return frozenset().union(
        *[flow.category_ids for flow in rules.flows if flow.basis == basis and flow.agreement.in_force(now)]
    )


def _entrusted(rules: FlowRules, now: datetime) -> frozenset[int]:
    """The categories that an agreement in force marks as entrusted on this flow (§ 65 SGB VIII)."""
    return frozenset().union(
        *[flow.category_ids for flow in rules.flows if flow.entrusted and flow.agreement.in_force(now)]
    )


def _parties_are_open(question: Question) -> bool:
    sender, recipient = question.sender, question.recipient
    return not (recipient.suspended or sender.suspended) and recipient.selectable and sender.selectable


def _gates_are_open(rules: FlowRules, grant: Grant, now: datetime) -> bool:
    """Whether every approval that these rules need was recorded before the grant was given, and is in force now. An
    isolated partner needs an approval for each direction.
    """
    return not rules.gates or all_open(rules.gates, grant.given_at, now)


def _may_be_shared(rules: FlowRules, category: Category) -> bool:
    if category.flags.default == "not_shareable":
        return False
    return not rules.is_back_channel or category.slug in ATTENDANCE


def _permits(question: Question, category: Category, candidate: _Passing, now: datetime) -> bool:
    return (
        category.category_id in candidate.category_ids
        and _is_ticked(question, category, candidate.grant)
        and _is_proven(question, category, candidate.grant)
        and _says_who_entrusted(category, candidate)
        and (not category.flags.third_party_data or covers_others(candidate.grant, category.category_id, now))
    )


def _is_ticked(question: Question, category: Category, grant: Grant) -> bool:
    """Whether the consent was as explicit as the category and the purpose require (Art. 9 Abs. 2 lit. a DSGVO)."""
    if category.flags.default == "off":
        return grant.explicit and len(grant.category_ids) == 1
    return grant.explicit or not (category.special or question.purpose.flags.flow_itself_is_special)


def _is_proven(question: Question, category: Category, grant: Grant) -> bool:
    """Whether the evidence is there for which special data wait: the client's, and that of others in the data."""
    if not (category.special or question.purpose.flags.flow_itself_is_special):
        return True
    others = grant.depends_on if category.flags.third_party_data else ()
    return not any(lacks_evidence(needed) for needed in (grant, *others))


def _says_who_entrusted(category: Category, candidate: _Passing) -> bool:
    """Whether it is on record who entrusted what was entrusted; of other persons in the data too (§ 65 SGB VIII)."""
    if category.category_id not in candidate.entrusted:
        return True
    others = candidate.grant.depends_on if category.flags.third_party_data else ()
    return all(needed.entrusted_by is not None for needed in (candidate.grant, *others))


def _is_for(question: Question, grant: Grant) -> bool:
    return (grant.sender_id, grant.recipient_id, grant.purpose_id) == (
        question.sender.partner_id,
        question.recipient.partner_id,
        question.purpose.purpose_id,
    )


def _answer(question: Question, grounds: dict[int, _Ground], statutory: frozenset[int], now: datetime) -> Decision:
    """The decision from the grants that permit categories (`grounds`, by category number) and the statutory ones."""
    permitted: list[Category] = []
    denied: list[Category] = []
    not_consent_based: list[Category] = []
    for category in question.categories:
        if category.category_id in grounds:
            permitted.append(category)
        elif category.category_id in statutory:
            not_consent_based.append(category)
        else:
            denied.append(category)
    outcome: Outcome
    if not denied and not not_consent_based:
        outcome = "permit"
    elif permitted:
        outcome = "partial"
    elif denied:
        outcome = "no_permission"
    else:
        outcome = "not_consent_based"
    return Decision(
        outcome=outcome,
        permitted=permitted,
        denied=denied,
        not_consent_based=not_consent_based,
        expires_at=min([now + ANSWER_LIFETIME, *[ground.until for ground in grounds.values()]]),
        grant_ids=list(dict.fromkeys([ground.grant_id for ground in grounds.values()])),
    )
