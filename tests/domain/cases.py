"""Hand-made test values: partners, categories, flows and grants with sensible facts unless a test says otherwise."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from consent_registry.domain import decisions
from consent_registry.domain.approvals import ApprovalGate
from consent_registry.domain.catalogue import (
    Agreement,
    Basis,
    Category,
    Flow,
    FlowRules,
    Partner,
    PartnerFunction,
    Purpose,
)
from consent_registry.domain.decisions import Decision, Question
from consent_registry.domain.grants import Change, ChangeKind, Grant

START = datetime(2026, 1, 1, tzinfo=UTC)
# A function that makes its partner a secrecy holder.
COUNSELLING = PartnerFunction("social-counselling", "Sozialberatung", "§ 203 Abs. 1 Nr. 6 StGB")
MICROSECOND = timedelta(microseconds=1)
IDENTITY, CONTACT, FAMILY, MENTAL_HEALTH = (
    Category(1, "identity", "Stammdaten", "Identity", special=False, secrecy=False),
    Category(2, "contact", "Kontakt", "Contact", special=False, secrecy=False),
    Category(3, "family", "Familie", "Family", special=False, secrecy=False),
    Category(7, "mental-health", "Psyche", "Mental health", special=True, secrecy=True),
)
SUPPORT, APPOINTMENT = (
    Purpose(number, slug, slug, slug, frozenset({1, 2, 3, 7})) for number, slug in enumerate(("support", "appointment"))
)


def day(number: float) -> datetime:
    """The moment this many days after the start."""
    return START + timedelta(days=number)


def partner(number: int, slug: str = "", **facts: object) -> Partner:
    """A partner that may send and receive, under the DSGVO alone and not bound by § 203 StGB."""
    plain = Partner(
        number,
        slug or f"partner-{number}",
        slug,
        "Organisation",
        kind="office",
        regime="gdpr_bdsg",
        functions=(),
        selectable=True,
        isolated=False,
        suspended=False,
    )
    return msgspec.structs.replace(plain, **facts)


def grant(sender: Partner, recipient: Partner, *categories: Category, **facts: object) -> Grant:
    """A grant for support, given from the start for a hundred days."""
    plain = Grant(
        "grant-1",
        "consent-1",
        sender.partner_id,
        recipient.partner_id,
        SUPPORT.purpose_id,
        tuple(category.category_id for category in categories),
        explicit=False,
        answer="given",
        valid_from=START,
        valid_until=day(100),
        recorder_id=sender.partner_id,
    )
    return msgspec.structs.replace(plain, **facts)


def change(kind: ChangeKind, effective: float, recorded: float | None = None, **facts: object) -> Change:
    """A change effective on one day and recorded on another, by default the same."""
    return msgspec.structs.replace(
        Change(kind, day(effective), day(effective if recorded is None else recorded)), **facts
    )


def changed(before: Grant, *changes: Change) -> Grant:
    """The grant with these changes."""
    return msgspec.structs.replace(before, changes=changes)


def flow(sender: Partner, recipient: Partner, *categories: Category, basis: Basis = "consent", **facts: object) -> Flow:
    """A flow for support, in an agreement without end."""
    frame = Agreement("agreement-1", "1", None, None, ended=False)
    numbers = frozenset(category.category_id for category in categories)
    plain = Flow(frame, sender.partner_id, recipient.partner_id, SUPPORT.purpose_id, numbers, basis, None)
    return msgspec.structs.replace(plain, **facts)


def decide(
    question: Question, flows: Sequence[Flow], grants: Sequence[Grant], now: datetime, **rules: object
) -> Decision:
    """The answer where the agreements have these flows; nothing is approved unless `rules` says so."""
    isolated = [before for before in (question.sender, question.recipient) if before.isolated]
    gates = tuple(ApprovalGate("isolated_partner", "sender", ()) for _ in isolated)
    plain = FlowRules(tuple(flows), gates)
    return decisions.decide(question, msgspec.structs.replace(plain, **rules), grants, now)


def asks(sender: Partner, recipient: Partner, *categories: Category, purpose: Purpose = SUPPORT) -> Question:
    """The sender's question about these categories."""
    return Question(sender, recipient, purpose, categories)
