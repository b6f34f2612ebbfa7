"""Decisions worked out by hand: the cases and known mistakes of docs/design/cases.md, by their numbers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from consent_registry.domain.approvals import Approval, ApprovalGate
from consent_registry.domain.catalogue import Agreement, Flow, FlowRules
from consent_registry.domain.decisions import SET_BACK, Decision, Question, without_ended
from consent_registry.domain.flags import CategoryFlags, PurposeFlags
from consent_registry.domain.grants import EntrustedBy, Grant
from consent_registry.domain.secrecy import Release
from consent_registry.domain.withdrawals import withdraw
from tests.domain.cases import (
    APPOINTMENT,
    CONTACT,
    COUNSELLING,
    FAMILY,
    IDENTITY,
    MENTAL_HEALTH,
    MICROSECOND,
    START,
    asks,
    change,
    changed,
    day,
    decide,
    flow,
    grant,
    partner,
)

NOW = day(10)


def outcome(question: Question, flows: Sequence[Flow], grants: Sequence[Grant], now: datetime = NOW) -> str:
    """The outcome of the decision only."""
    return decide(question, flows, grants, now).outcome


def slugs(decision: Decision) -> tuple[list[str], list[str], list[str]]:
    """The slugs of the permitted, denied and not consent-based categories."""
    lists = (decision.permitted, decision.denied, decision.not_consent_based)
    permitted, denied, statutory = ([category.slug for category in categories] for categories in lists)
    return permitted, denied, statutory


def test_case_2_a_handover_carries_no_permit() -> None:
    """Wesel: Xanten may not send Moers even an appointment unless the consent names Moers."""
    xanten, moers, centre = partner(1, "xanten"), partner(2, "moers"), partner(3, "centre")
    appointment = APPOINTMENT.purpose_id
    flows = [
        flow(xanten, moers, IDENTITY, CONTACT),
        *(flow(sender, centre, IDENTITY, CONTACT) for sender in (xanten, moers)),
        *(flow(sender, centre, IDENTITY, CONTACT, purpose_id=appointment) for sender in (xanten, moers)),
    ]
    given = [
        grant(xanten, moers, IDENTITY, CONTACT),
        grant(xanten, centre, IDENTITY, CONTACT),
        grant(xanten, centre, IDENTITY, CONTACT, purpose_id=appointment),
    ]

    def ask(question: Question, grants: Sequence[Grant]) -> str:
        ids = (question.sender.partner_id, question.recipient.partner_id, question.purpose.purpose_id)
        return outcome(
            question, [flow for flow in flows if (flow.sender_id, flow.recipient_id, flow.purpose_id) == ids], grants
        )

    assert ask(asks(xanten, moers, IDENTITY, CONTACT), given) == "permit"
    assert ask(asks(moers, centre, IDENTITY, CONTACT), given) == "no_permission"
    assert ask(asks(moers, centre, IDENTITY, purpose=APPOINTMENT), given) == "no_permission"
    named = grant(moers, centre, IDENTITY, purpose_id=appointment)
    assert ask(asks(moers, centre, IDENTITY, purpose=APPOINTMENT), [*given, named]) == "permit"
    assert ask(asks(moers, centre, IDENTITY, CONTACT), [*given, named]) == "no_permission"


def test_case_3_secrecy_is_released_and_then_withdrawn_by_phone() -> None:
    """Herne: psychosocial data need an explicit grant and a live release; after the release is withdrawn nothing is
    permitted, not even the name.
    """
    sender, recipient = partner(1, "case-management", functions=(COUNSELLING,)), partner(2, "advice")
    flows = [flow(sender, recipient, IDENTITY, MENTAL_HEALTH)]
    question = asks(sender, recipient, IDENTITY, MENTAL_HEALTH)
    release = Release(sender.partner_id, recipient.partner_id, live=True)
    given = grant(sender, recipient, IDENTITY, MENTAL_HEALTH, explicit=True, releases=(release,))
    assert outcome(question, flows, [given]) == "permit"
    for lacking in (
        (),
        (msgspec.structs.replace(release, live=False),),
        (Release(recipient.partner_id, sender.partner_id, live=True),),
    ):
        without = msgspec.structs.replace(given, releases=lacking)
        assert slugs(decide(question, flows, [without], NOW)) == ([], ["identity", "mental-health"], [])
    received_by_recipient = withdraw([given], day(2), day(2.001))[0].change
    assert outcome(question, flows, [changed(given, received_by_recipient)], day(2.002)) == "no_permission"


def test_case_4_a_unit_is_not_its_district() -> None:
    """Herford: a consent for Soziale Dienste permits nothing to or from Sicherheit und Ordnung of the same Kreis."""
    services = partner(1, "kreis-herford-soziale-dienste", organisation="Kreis Herford")
    order = partner(2, "kreis-herford-sicherheit-ordnung", organisation="Kreis Herford", isolated=True)
    jobcenter = partner(3, "jobcenter-herford")
    given = [grant(services, jobcenter, IDENTITY), grant(jobcenter, services, IDENTITY)]
    assert outcome(asks(services, jobcenter, IDENTITY), [flow(services, jobcenter, IDENTITY)], given) == "permit"
    assert outcome(asks(order, jobcenter, IDENTITY), [flow(order, jobcenter, IDENTITY)], given) == "no_permission"
    assert outcome(asks(jobcenter, order, IDENTITY), [flow(jobcenter, order, IDENTITY)], given) == "no_permission"


def test_case_7_another_persons_data_are_left_out() -> None:
    """The mother's consent covers her own data; a question that also asks for the family's gets a partial permit."""
    sender, recipient = partner(1), partner(2)
    flows = [flow(sender, recipient, IDENTITY, CONTACT, FAMILY)]
    given = grant(sender, recipient, IDENTITY, CONTACT)
    decision = decide(asks(sender, recipient, FAMILY, IDENTITY), flows, [given], NOW)
    assert (decision.outcome, slugs(decision)) == ("partial", (["identity"], ["family"], []))


SENDER, RECIPIENT = partner(1), partner(2)
FLOWS = [flow(SENDER, RECIPIENT, IDENTITY, CONTACT)]
GIVEN = grant(SENDER, RECIPIENT, IDENTITY, CONTACT)
QUESTION = asks(SENDER, RECIPIENT, IDENTITY, CONTACT)


def test_trap_1_consent_has_direction_purpose_category_and_time() -> None:
    """A consent permits nothing in another direction, for another purpose, category or day."""
    assert outcome(QUESTION, FLOWS, [GIVEN]) == "permit"
    reverse = [flow(RECIPIENT, SENDER, IDENTITY, CONTACT)]
    assert outcome(asks(RECIPIENT, SENDER, IDENTITY), reverse, [GIVEN]) == "no_permission"
    for_appointment = [flow(SENDER, RECIPIENT, IDENTITY, purpose_id=APPOINTMENT.purpose_id)]
    assert outcome(asks(SENDER, RECIPIENT, IDENTITY, purpose=APPOINTMENT), for_appointment, [GIVEN]) == "no_permission"
    wide = [flow(SENDER, RECIPIENT, FAMILY)]
    assert outcome(asks(SENDER, RECIPIENT, FAMILY), wide, [GIVEN]) == "no_permission"
    assert outcome(QUESTION, FLOWS, [GIVEN], day(100)) == "no_permission"


def test_trap_3_the_network_widens_nothing() -> None:
    """A partner new in the agreement gets nothing without a grant that names it, and a grant permits nothing without a
    flow.
    """
    newcomer = partner(3)
    flows = [flow(SENDER, newcomer, IDENTITY, CONTACT)]
    assert outcome(asks(SENDER, newcomer, IDENTITY, CONTACT), flows, [GIVEN]) == "no_permission"
    assert outcome(QUESTION, [], [GIVEN]) == "no_permission"
    narrow = decide(QUESTION, [flow(SENDER, RECIPIENT, IDENTITY)], [GIVEN], NOW)
    assert (narrow.outcome, slugs(narrow)) == ("partial", (["identity"], ["contact"], []))


def test_a_flow_counts_while_its_agreement_does() -> None:
    """An agreement allows nothing before its begin, from its end on, or after it was ended."""
    frame = Agreement("a", "1", day(5), day(20), ended=False)
    within = [msgspec.structs.replace(FLOWS[0], agreement=frame)]
    outcomes = [outcome(QUESTION, within, [GIVEN], at) for at in (day(5) - MICROSECOND, day(5), day(20) - MICROSECOND)]
    assert outcomes == ["no_permission", "permit", "permit"]
    assert outcome(QUESTION, within, [GIVEN], day(20)) == "no_permission"
    ended = [msgspec.structs.replace(FLOWS[0], agreement=msgspec.structs.replace(frame, ended=True))]
    assert outcome(QUESTION, ended, [GIVEN]) == "no_permission"


def test_what_was_over_stays_over() -> None:
    """A grant, agreement or approval that had ended by the latest known time permits nothing after the clock was set
    back; one that has not ended still does.
    """
    bounded = msgspec.structs.replace(FLOWS[0], agreement=Agreement("a", "1", None, day(20), ended=False))
    brief = msgspec.structs.replace(GIVEN, valid_until=day(20))
    shortened = changed(GIVEN, change("renewed", 1, valid_until=day(20)))
    approvals = [Approval(str(end), 1, None, None, None, None, "dpo", None, day(end), START) for end in (20, 99)]
    rules = FlowRules(
        (bounded, FLOWS[0]), (ApprovalGate("isolated_partner", "sender", tuple(approvals)),), is_back_channel=True
    )
    for latest, left in ((day(20) - MICROSECOND, 2), (day(20), 1), (day(20) + MICROSECOND, 1)):
        lasting, grants = without_ended(rules, [brief, GIVEN], latest)
        assert [len(lasting.flows), len(lasting.gates[0].approvals), len(grants)] == [left] * 3
        assert (lasting.flows[-1], lasting.gates[0].approvals[-1], grants[-1]) == (FLOWS[0], approvals[1], GIVEN)
        assert lasting.is_back_channel
    assert without_ended(rules, [brief, shortened, GIVEN], day(25))[1] == [GIVEN]
    assert timedelta() < SET_BACK <= timedelta(seconds=1)


def test_trap_6_a_statute_is_neither_asked_for_nor_blocked() -> None:
    """Statutory categories are listed apart, with or without a consent; alone they make the outcome "not consent
    based".
    """
    statute = flow(SENDER, RECIPIENT, IDENTITY, basis="statute", norm="§ 69 SGB X")
    for grants in ([], [GIVEN]):
        assert outcome(asks(SENDER, RECIPIENT, IDENTITY), [statute], grants) == "not_consent_based"
    mixed = [statute, *FLOWS]
    with_consent = decide(QUESTION, mixed, [GIVEN], NOW)
    assert (with_consent.outcome, slugs(with_consent)) == ("partial", (["contact"], [], ["identity"]))
    without = decide(QUESTION, mixed, [], NOW)
    assert (without.outcome, slugs(without)) == ("no_permission", ([], ["contact"], ["identity"]))
    suspended = msgspec.structs.replace(RECIPIENT, suspended=True)
    assert outcome(asks(SENDER, suspended, IDENTITY), [statute], []) == "not_consent_based"


def test_trap_6_a_claimed_statute_is_recorded_and_not_judged() -> None:
    """With the basis statute every category is "not consent based", whatever agreement and consent say."""
    claimed = msgspec.structs.replace(QUESTION, basis="statute", norm="§ 8a SGB VIII")
    decision = decide(claimed, FLOWS, [GIVEN], NOW)
    assert (decision.outcome, slugs(decision)) == ("not_consent_based", ([], [], ["identity", "contact"]))
    assert decision.grant_ids == []


def test_trap_10_a_later_consent_heals_nothing() -> None:
    """A consent permits nothing before it begins."""
    late = msgspec.structs.replace(GIVEN, valid_from=NOW)
    assert outcome(QUESTION, FLOWS, [late], NOW - MICROSECOND) == "no_permission"
    assert outcome(QUESTION, FLOWS, [late], NOW) == "permit"


def test_special_data_need_a_tick_of_their_own() -> None:
    """Only an explicit grant permits special data (Art. 9 DSGVO)."""
    flows = [flow(SENDER, RECIPIENT, MENTAL_HEALTH)]
    question = asks(SENDER, RECIPIENT, MENTAL_HEALTH)
    plain = grant(SENDER, RECIPIENT, MENTAL_HEALTH)
    explicit = grant(SENDER, RECIPIENT, MENTAL_HEALTH, explicit=True, grant_id="explicit")
    assert outcome(question, flows, [plain]) == "no_permission"
    assert decide(question, flows, [plain, explicit], NOW).grant_ids == ["explicit"]


@pytest.mark.parametrize("closed", ["suspended", "isolated", "selectable"])
def test_closed_parties_get_nothing_by_consent(closed: str) -> None:
    """A suspended, isolated or not selectable partner neither sends nor receives on consent."""
    facts = {closed: closed != "selectable"}
    for sender, recipient in (
        (msgspec.structs.replace(SENDER, **facts), RECIPIENT),
        (SENDER, msgspec.structs.replace(RECIPIENT, **facts)),
    ):
        assert outcome(asks(sender, recipient, IDENTITY), FLOWS, [GIVEN]) == "no_permission"


def test_a_permit_lasts_five_minutes_or_until_its_grant_ends() -> None:
    """A permit expires after five minutes, or with the first used grant to end; of several grants for a category the
    longest is used.
    """
    end = day(100)
    assert decide(QUESTION, FLOWS, [GIVEN], NOW).expires_at == NOW + timedelta(minutes=5)
    short = msgspec.structs.replace(GIVEN, valid_until=NOW + timedelta(minutes=1))
    assert decide(QUESTION, FLOWS, [short], NOW).expires_at == NOW + timedelta(minutes=1)
    both = decide(QUESTION, FLOWS, [short, msgspec.structs.replace(GIVEN, grant_id="long")], NOW)
    assert (both.expires_at, both.grant_ids) == (NOW + timedelta(minutes=5), ["long"])
    last = decide(QUESTION, FLOWS, [GIVEN], end - MICROSECOND)
    assert (last.outcome, last.expires_at) == ("permit", end)


def test_categories_may_rest_on_different_consents() -> None:
    """Each category passes by any grant that has it; the answer names both grants and keeps the order asked."""
    parts = [grant(SENDER, RECIPIENT, CONTACT, grant_id="two"), grant(SENDER, RECIPIENT, IDENTITY, grant_id="one")]
    decision = decide(QUESTION, FLOWS, parts, NOW)
    assert (decision.outcome, slugs(decision)[0]) == ("permit", ["identity", "contact"])
    assert decision.grant_ids == ["one", "two"]
    assert decision.expires_at > START


@pytest.mark.parametrize("said", [None, "self", "other"])
def test_what_was_entrusted_goes_if_it_is_said_by_whom(said: EntrustedBy | None) -> None:
    """§ 65 SGB VIII: on a marked flow a grant that does not say by whom permits nothing; elsewhere it does."""
    youth, school = partner(1, "youth"), partner(2, "school")
    given = [grant(youth, school, IDENTITY, CONTACT, entrusted_by=said)]
    question = asks(youth, school, IDENTITY, CONTACT)
    marked = flow(youth, school, IDENTITY, CONTACT, entrusted=True)
    in_part = [flow(youth, school, IDENTITY, CONTACT), flow(youth, school, CONTACT, entrusted=True)]
    ended = Agreement("0", "0", None, None, ended=True)
    no_more = [flow(youth, school, IDENTITY, CONTACT), msgspec.structs.replace(marked, agreement=ended)]
    assert outcome(question, [marked], given) == ("no_permission" if said is None else "permit")
    assert slugs(decide(question, in_part, given, NOW))[1] == (["contact"] if said is None else [])
    assert outcome(question, no_more, given) == "permit"


def test_what_others_entrusted_too() -> None:
    """Data about others go only if each of their own grants says who entrusted it."""
    youth, school = partner(1, "youth"), partner(2, "school")
    flagged = msgspec.structs.replace(FAMILY, flags=CategoryFlags(third_party_data=True))
    said, unsaid = [grant(youth, school, flagged, entrusted_by=who) for who in ("self", None)]
    flows = [flow(youth, school, flagged, CONTACT, entrusted=True)]
    for theirs, expected in ((said, ["family", "contact"]), (unsaid, ["contact"])):
        hers = grant(
            *(youth, school, flagged, CONTACT),
            entrusted_by="self",
            third_parties="consented",
            third_party_grants=("other",),
            depends_on=(theirs,),
        )
        assert slugs(decide(asks(youth, school, flagged, CONTACT), flows, [hers], NOW))[0] == expected


@pytest.mark.parametrize("special", ["category", "purpose", None])
def test_special_data_wait_for_the_evidence(special: str | None) -> None:
    """Special data, by their category or by their flow, do not pass before the evidence that follows has come."""
    office, clinic = partner(1, "office"), partner(2, "clinic")
    category = MENTAL_HEALTH if special == "category" else IDENTITY
    question = asks(office, clinic, category)
    if special == "purpose":
        flags = PurposeFlags(flow_itself_is_special=True)
        question = msgspec.structs.replace(question, purpose=msgspec.structs.replace(question.purpose, flags=flags))
    waiting = grant(office, clinic, category, explicit=True, evidence_follows=True)
    flows = [flow(office, clinic, category)]
    assert outcome(question, flows, [waiting]) == ("permit" if special is None else "no_permission")
    assert outcome(question, flows, [changed(waiting, change("evidenced", 3))]) == "permit"
    assert outcome(question, flows, [msgspec.structs.replace(waiting, evidence_follows=False)]) == "permit"


def test_special_data_about_others_wait_for_their_evidence() -> None:
    """Special data about others also wait for the evidence of the other person's own consent."""
    office, clinic = partner(1, "office"), partner(2, "clinic")
    for about_others in (True, False):
        flags = CategoryFlags(third_party_data=about_others)
        category = msgspec.structs.replace(MENTAL_HEALTH, secrecy=False, flags=flags)
        his = grant(office, clinic, category, explicit=True, evidence_follows=True)
        hers = grant(office, clinic, category, explicit=True, third_parties="consented", third_party_grants=("his",))
        flows, question = [flow(office, clinic, category)], asks(office, clinic, category)
        came = changed(his, change("evidenced", 3))
        found = [
            outcome(question, flows, [msgspec.structs.replace(hers, depends_on=(of_him,))]) for of_him in (his, came)
        ]
        assert found == ["no_permission" if about_others else "permit", "permit"]


def test_a_release_that_had_ended_frees_nothing_after_the_clock_was_set_back() -> None:
    """A release with an end of its own stays over, like a grant; one that still lasts goes on."""
    sender, recipient = partner(1, functions=(COUNSELLING,)), partner(2)
    release = Release(sender.partner_id, recipient.partner_id, live=True, valid_until=day(5))
    given = grant(sender, recipient, IDENTITY, releases=(release,))
    for latest, kept in ((day(4.9), (release,)), (day(5), ()), (day(6), ())):
        (lasting,) = without_ended(FlowRules(()), [given], latest)[1]
        assert lasting.releases == kept
