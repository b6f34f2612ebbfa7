"""A catalogue's rules for a direction and a purpose: its flows, its approval gates and its back channel."""

import msgspec

from consent_registry.domain.approvals import Approval
from consent_registry.domain.catalogue import (
    Agreement,
    Aliases,
    Catalogue,
    Flow,
    Network,
    Partner,
    Purpose,
    SuspensionReason,
    TextLanguage,
    advice_offices,
)
from consent_registry.domain.flags import Policies, PurposeFlags
from tests.domain.cases import CONTACT, FAMILY, IDENTITY, MENTAL_HEALTH, MICROSECOND, START, SUPPORT, day, flow, partner

OFFICE, ADVICE, APART = partner(1, "office"), partner(2, "advice"), partner(3, "apart", isolated=True)
NARROW = Purpose(5, "advice", "Rat", "Advice", frozenset({1, 7}), PurposeFlags(back_channel="attendance_only"))
GATED = Purpose(6, "gated", "Tor", "Gated", frozenset({1}), PurposeFlags(dpo_approval=True))
FORTH = flow(OFFICE, ADVICE, IDENTITY, MENTAL_HEALTH, purpose_id=5)
BACK = flow(ADVICE, OFFICE, IDENTITY, CONTACT, purpose_id=5)
WIDE = flow(OFFICE, ADVICE, FAMILY)


def catalogue(*flows: Flow, approvals: tuple[Approval, ...] = ()) -> Catalogue:
    """A catalogue with these flows and approvals."""
    return Catalogue(
        network=Network(1, "small", "Small", "", "log"),
        version=1,
        partners={party.slug: party for party in (OFFICE, ADVICE, APART)},
        categories={category.slug: category for category in (IDENTITY, CONTACT, FAMILY, MENTAL_HEALTH)},
        purposes={purpose.slug: purpose for purpose in (SUPPORT, NARROW, GATED)},
        agreements=(),
        flows={(flow.sender_id, flow.recipient_id, flow.purpose_id): (flow,) for flow in flows},
        texts={},
        credentials={},
        approvals=approvals,
    )


def approval(**facts: object) -> Approval:
    """An approval of the isolated partner."""
    plain = Approval("approval", APART.partner_id, None, None, None, None, "D-1", None, None, START)
    return msgspec.structs.replace(plain, **facts)


def test_an_agreement_holds_from_its_first_moment_and_not_at_its_last() -> None:
    """An agreement is in force from its begin, not at its end, and not after it was ended; an open end is no limit."""
    frame = Agreement("a", "1", day(5), day(20), ended=False)
    moments = (day(5) - MICROSECOND, day(5), day(20) - MICROSECOND, day(20))
    assert [frame.in_force(at) for at in moments] == [False, True, True, False]
    assert all(Agreement("a", "1", None, None, ended=False).in_force(at) for at in moments)
    assert not any(Agreement("a", "1", None, None, ended=True).in_force(at) for at in moments)


def test_entries_are_found_by_number() -> None:
    """Partners, categories and purposes are found by number, and slugs come in the given order, or for a set in the
    catalogue's.
    """
    found = catalogue()
    assert found.partner_by_id == {1: OFFICE, 2: ADVICE, 3: APART}
    assert found.category_by_id == {1: IDENTITY, 2: CONTACT, 3: FAMILY, 7: MENTAL_HEALTH}
    assert found.purpose_by_id == {0: SUPPORT, 5: NARROW, 6: GATED}
    assert found.category_slugs([7, 1]) == ["mental-health", "identity"]
    assert found.category_slugs(frozenset({7, 1})) == ["identity", "mental-health"]


def test_flow_rules_have_the_flows_of_their_direction_and_purpose() -> None:
    """The rules hold no flow of the other direction or of another purpose; they are computed once."""
    found = catalogue(FORTH, BACK, WIDE)
    assert found.flow_rules(1, 2, 5).flows == (FORTH,)
    assert found.flow_rules(1, 2, 0).flows == (WIDE,)
    assert found.flow_rules(2, 1, 0).flows == ()
    assert found.flow_rules(1, 2, 5) is found.flow_rules(1, 2, 5)


def test_who_gets_more_than_attendance_advises() -> None:
    """What an advice office sends for its purpose is the back channel; other purposes and the other
    direction are not.
    """
    found = catalogue(FORTH, BACK, WIDE)
    assert found.flow_rules(2, 1, 5).is_back_channel
    assert not found.flow_rules(1, 2, 5).is_back_channel
    assert not found.flow_rules(2, 1, 0).is_back_channel
    assert not catalogue(BACK, WIDE).flow_rules(2, 1, 5).is_back_channel
    second = flow(OFFICE, APART, IDENTITY, MENTAL_HEALTH, purpose_id=5)
    offices = advice_offices([FORTH, second, WIDE, BACK], found.purpose_by_id, found.category_by_id)
    assert offices == {5: frozenset({ADVICE.partner_id, APART.partner_id})}


def test_an_isolated_partner_has_an_approval_gate_in_each_direction() -> None:
    """A flow from or to an isolated partner has a gate with that partner's fitting approvals; other flows have none."""
    fits, foreign = approval(), approval(approval_id="other", sender_id=ADVICE.partner_id)
    of_another, of_purpose = approval(partner_id=1), approval(partner_id=None, subject_purpose_id=6)
    found = catalogue(approvals=(fits, foreign, of_another, of_purpose))
    assert found.flow_rules(1, 2, 0).gates == ()
    (outward,) = found.flow_rules(3, 1, 0).gates
    assert (outward.rule, outward.member, outward.approvals) == ("isolated_partner", "sender", (fits,))
    (inward,) = found.flow_rules(2, 3, 0).gates
    assert (inward.rule, inward.member, inward.approvals) == ("isolated_partner", "recipient", (fits, foreign))


def test_a_purpose_that_needs_approval_has_a_gate() -> None:
    """A purpose that needs approval has a gate for all partners, and a partner's approval does not open it."""
    of_purpose = approval(partner_id=None, subject_purpose_id=6)
    (gate,) = catalogue(approvals=(approval(), of_purpose)).flow_rules(1, 2, 6).gates
    assert (gate.rule, gate.member, gate.approvals) == ("dpo_approval", "purpose", (of_purpose,))
    gates = catalogue().flow_rules(1, 3, 6).gates
    assert [(gate.rule, gate.member) for gate in gates] == [
        ("isolated_partner", "recipient"),
        ("dpo_approval", "purpose"),
    ]


def test_who_is_suspended_may_record_withdrawals_unless_for_security() -> None:
    """Its clients are not kept from withdrawing there, unless nobody knows who speaks for the partner."""
    plain = partner(1)
    reasons: dict[SuspensionReason | None, bool] = {None: False, "security": False, "agreement": True, "other": True}
    for reason, may in reasons.items():
        suspended = msgspec.structs.replace(plain, suspended=True, suspended_for=reason)
        assert suspended.may_record_withdrawals is may
    assert plain.may_record_withdrawals


def test_what_nothing_is_said_about_is_plain() -> None:
    """Without further words a partner has no coordinating post, a text is not void and a flow is no back channel."""
    plain = Partner(1, "a", "A", None, "k", None, (), *[False] * 3)  # type: ignore[arg-type]
    assert (plain.coordinating_post, plain.suspended_for, plain.may_record_withdrawals) == (False, None, True)
    assert (catalogue().policies, catalogue().approvals) == (Policies(), ())
    assert not TextLanguage("de", "", stale=True).void
    assert TextLanguage("de", "", stale=True).aliases == Aliases()
