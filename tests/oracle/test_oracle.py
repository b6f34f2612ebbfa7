"""The oracle itself, compared with cases worked by hand by the numbers of docs/design/cases.md."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from .oracle import decide, grant_status
from .samples import (
    CONTACT,
    DAY,
    HEALTH,
    NOW,
    OTHER,
    OTHER_PURPOSE,
    RECIPIENT,
    SENDER,
    STOPPING,
    US,
    outcome,
    plain_approval,
    plain_category,
    plain_change,
    plain_flow,
    plain_grant,
    plain_release,
    plain_scenario,
)

if TYPE_CHECKING:
    from .scenario_format import GivenAnswer, Scenario

MINUTE = timedelta(minutes=1)
UNGIVEN: tuple[GivenAnswer, ...] = ("refused", "requested")


def named(scenario: Scenario, sender: str, recipient: str, purpose: str) -> Scenario:
    """The scenario with other names: request, flow, grant and partners alike."""
    request, flow = scenario["request"], scenario["agreements"][0]["flows"][0]
    grant = scenario["consents"][0]["grants"][0]
    request["sender"], request["recipient"], request["purpose"] = sender, recipient, purpose
    flow["sender"], flow["recipient"], flow["purpose"] = sender, recipient, purpose
    grant["sender"], grant["recipient"], grant["purpose"] = sender, recipient, purpose
    scenario["purposes"].setdefault(purpose, scenario["purposes"][OTHER_PURPOSE].copy())
    for slug in (sender, recipient):
        scenario["partners"].setdefault(slug, scenario["partners"][OTHER].copy())
    return scenario


# --- cases ------------------------------------------------------------------------------------------------------------


def test_case_1_excluded_category_leaves_a_partial_answer() -> None:
    """Paderborn: what the client left out of the grant is denied, the rest permitted, both in the order asked."""
    scenario = plain_scenario()
    asked = ["employment", "identity", "contact", "qualifications"]
    for slug in asked:
        scenario["categories"][slug] = plain_category()
    scenario["request"]["categories"] = asked
    scenario["agreements"][0]["flows"] = [plain_flow(*asked)]
    scenario["consents"][0]["grants"] = [plain_grant("grant", "identity", "contact", "qualifications")]
    assert decide(scenario) == {
        "outcome": "partial",
        "permitted": ["identity", "contact", "qualifications"],
        "denied": ["employment"],
        "not_consent_based": [],
        "expires_at": NOW + 5 * MINUTE,
        "used": {"grant"},
        "obligations_expected": True,
    }


def test_case_2_permit_does_not_carry_over_to_another_town() -> None:
    """Wesel: a grant that names Kreis Wesel as recipient gives nothing to Moers, nor does it let Moers send."""
    scenario = named(plain_scenario(), "xanten", "kreis-wesel", "housing")
    scenario["partners"]["moers"] = scenario["partners"][OTHER].copy()
    assert outcome(scenario) == "permit"
    scenario["agreements"][0]["flows"].append({**plain_flow(), "sender": "xanten", "recipient": "moers"})
    scenario["request"]["recipient"] = "moers"
    assert outcome(scenario) == "no_permission"
    scenario["request"]["sender"], scenario["request"]["recipient"] = "moers", "kreis-wesel"
    assert outcome(scenario) == "no_permission"


def test_case_3_withdrawal_at_the_recipient_counts_at_once() -> None:
    """Herne: with explicit tick and release D07 may go; after a withdrawal by phone two days later it may not."""
    scenario = named(plain_scenario(), "herne-case-management", "herne-jugendamt", "psychosocial")
    scenario["categories"][HEALTH] = {**plain_category(), "secrecy": True, "special": True}
    scenario["partners"]["herne-case-management"]["secrecy_holder"] = True
    scenario["request"]["categories"] = [HEALTH]
    consent = scenario["consents"][0]
    consent["grants"][0]["explicit"] = True
    consent["releases"] = [plain_release("herne-case-management", "herne-jugendamt")]
    assert outcome(scenario) == "permit"
    consent["grants"][0]["changes"] = [plain_change("withdrawn", NOW - US)]
    assert outcome(scenario) == "no_permission"


def test_case_4_another_unit_of_the_same_district_is_another_partner() -> None:
    """Herford: a grant for Soziale Dienste gives nothing to Sicherheit und Ordnung, on either side."""
    scenario = named(plain_scenario(), "jobcenter-herford", "kreis-herford-soziale-dienste", "employment")
    unit = "kreis-herford-sicherheit-ordnung"
    scenario["partners"][unit] = scenario["partners"][OTHER].copy()
    for flow in (("jobcenter-herford", unit), (unit, "kreis-herford-soziale-dienste")):
        scenario["agreements"][0]["flows"].append({**plain_flow(), "sender": flow[0], "recipient": flow[1]})
        scenario["request"]["sender"], scenario["request"]["recipient"] = flow
        assert outcome(scenario) == "no_permission"


def test_case_6_void_text_invalidates_back_to_the_start() -> None:
    """An invalidation makes the grant void for every earlier time, though the registry knew it as given then."""
    grant = plain_grant()
    grant["changes"] = [plain_change("invalidated", NOW - DAY)]
    assert grant_status(grant, NOW, NOW) == "invalidated"
    assert grant_status(grant, NOW - 300 * DAY, NOW) == "invalidated"
    assert grant_status(grant, NOW - 300 * DAY, NOW - 2 * DAY) == "given"


# --- known mistakes ---------------------------------------------------------------------------------------------------


def test_trap_1_consent_is_directed_and_bound_to_its_purpose() -> None:
    """A grant from A to B for one purpose gives nothing from B to A and nothing for another purpose."""
    scenario = plain_scenario()
    scenario["agreements"][0]["flows"].append({**plain_flow(), "purpose": OTHER_PURPOSE})
    scenario["request"]["purpose"] = OTHER_PURPOSE
    assert outcome(scenario) == "no_permission"
    scenario = plain_scenario()
    scenario["agreements"][0]["flows"].append({**plain_flow(), "sender": RECIPIENT, "recipient": SENDER})
    scenario["request"]["sender"], scenario["request"]["recipient"] = RECIPIENT, SENDER
    assert outcome(scenario) == "no_permission"


def test_trap_3_flow_to_a_new_partner_widens_no_grant_and_a_grant_no_agreement() -> None:
    """Both are needed: a flow of an agreement in force and the client's grant for the same flow."""
    scenario = plain_scenario()
    scenario["consents"][0]["grants"][0]["recipient"] = OTHER
    assert outcome(scenario) == "no_permission"
    scenario = plain_scenario()
    scenario["agreements"][0]["flows"][0]["recipient"] = OTHER
    assert outcome(scenario) == "no_permission"


@pytest.mark.parametrize("side", [SENDER, RECIPIENT])
def test_trap_4_isolated_partner_needs_an_approval_of_this_very_flow(side: str) -> None:
    """An isolated partner on either side is denied until sender, recipient and purpose together are approved."""
    scenario = plain_scenario()
    scenario["partners"][side]["isolated"] = True
    assert outcome(scenario) == "no_permission"
    scenario["approvals"] = [{**plain_approval("partner", side), "purpose": OTHER_PURPOSE}]
    assert outcome(scenario) == "no_permission"
    scenario["approvals"].append({**plain_approval("partner", side), "purpose": "employment"})
    assert outcome(scenario) == "permit"
    scenario["approvals"][1]["name"] = OTHER
    assert outcome(scenario) == "no_permission"


def test_trap_6_statutory_flow_is_not_consent_based_whatever_the_client_said() -> None:
    """Where the agreement lists a statute the answer is not_consent_based, with or without a consent beside it."""
    scenario = plain_scenario()
    scenario["agreements"][0]["flows"].append({**plain_flow(), "basis": "statute"})
    answer = decide(scenario)
    assert (answer["outcome"], answer["not_consent_based"]) == ("not_consent_based", [CONTACT])
    assert not answer["obligations_expected"]
    scenario["consents"] = []
    scenario["partners"][RECIPIENT] = {"selectable": False, "isolated": True, "suspended": True, "secrecy_holder": True}
    assert decide(scenario) == answer


def test_trap_6_claimed_statute_is_recorded_not_judged() -> None:
    """A caller that claims a statute gets not_consent_based for all that it asks, without agreement or consent."""
    scenario = plain_scenario()
    scenario["request"]["basis"], scenario["request"]["categories"] = "statute", [HEALTH, CONTACT]
    scenario["agreements"], scenario["consents"] = [], []
    answer = decide(scenario)
    assert (answer["outcome"], answer["not_consent_based"]) == ("not_consent_based", [HEALTH, CONTACT])
    assert (answer["permitted"], answer["denied"]) == ([], [])


def test_trap_6_mixed_question_is_judged_for_the_rest_alone() -> None:
    """Statutory categories beside permitted ones make a partial answer, beside denied ones no permission."""
    scenario = plain_scenario()
    scenario["request"]["categories"] = [HEALTH, CONTACT]
    scenario["agreements"][0]["flows"].append({**plain_flow(HEALTH), "basis": "statute"})
    answer = decide(scenario)
    assert (answer["outcome"], answer["permitted"], answer["not_consent_based"]) == ("partial", [CONTACT], [HEALTH])
    scenario["consents"] = []
    answer = decide(scenario)
    assert (answer["outcome"], answer["denied"], answer["not_consent_based"]) == ("no_permission", [CONTACT], [HEALTH])


def test_trap_6_statute_of_a_lapsed_agreement_is_no_longer_listed() -> None:
    """A statutory flow counts as long as its agreement is in force; then the category is judged as any other."""
    scenario = plain_scenario()
    scenario["agreements"][0]["flows"][0]["basis"] = "statute"
    scenario["agreements"][0]["valid_until"] = NOW
    assert outcome(scenario) == "no_permission"


def test_trap_8_all_reasons_to_deny_look_the_same() -> None:
    """Unknown client, refused, requested, withdrawn, expired, ended, restricted, void: one and the same answer."""
    unknown = plain_scenario()
    unknown["consents"] = []
    expected = decide(unknown)
    assert expected["outcome"] == "no_permission"
    assert expected["expires_at"] == NOW + 5 * MINUTE
    for word in UNGIVEN:
        scenario = plain_scenario()
        scenario["consents"][0]["grants"][0]["answer"] = word
        assert decide(scenario) == expected
    for kind in STOPPING:
        scenario = plain_scenario()
        scenario["consents"][0]["grants"][0]["changes"] = [plain_change(kind)]
        assert decide(scenario) == expected
    scenario = plain_scenario()
    scenario["consents"][0]["grants"][0]["valid_until"] = NOW
    assert decide(scenario) == expected


def test_trap_10_late_confirmation_does_not_heal_an_earlier_time() -> None:
    """A confirmation counts for a past question from the time it took effect, and only once it is known."""
    grant = plain_grant()
    grant["answer"] = "requested"
    grant["changes"] = [plain_change("confirmed", NOW - DAY)]
    assert grant_status(grant, NOW - 2 * DAY, NOW) == "requested"
    assert grant_status(grant, NOW - DAY, NOW) == "given"
    assert grant_status(grant, NOW - DAY, NOW - DAY - US) == "requested"


def test_trap_12_answer_is_good_for_five_minutes_at_most_and_never_beyond_a_used_grant() -> None:
    """expires_at is the earlier of five minutes and, over the permitted categories, the latest end that permits it."""
    scenario = plain_scenario()
    scenario["request"]["categories"] = [CONTACT, HEALTH]
    grants = [plain_grant("short"), plain_grant("long", CONTACT), plain_grant("longer", HEALTH)]
    grants[0]["valid_until"] = NOW + MINUTE
    grants[1]["valid_until"] = NOW + 2 * MINUTE
    grants[2]["valid_until"] = NOW + 3 * MINUTE
    scenario["consents"][0]["grants"] = grants
    answer = decide(scenario)
    assert (answer["expires_at"], answer["used"]) == (NOW + 2 * MINUTE, {"long", "longer"})
    scenario["consents"][0]["grants"] = grants[:1]
    assert decide(scenario)["expires_at"] == NOW + MINUTE
    scenario["consents"][0]["grants"] = []
    assert decide(scenario)["expires_at"] == NOW + 5 * MINUTE


def test_trap_14_agreement_that_ended_ends_new_permits() -> None:
    """An agreement is in force from its beginning until the moment of its end, unless ended, and one is enough."""
    scenario = plain_scenario()
    agreement = scenario["agreements"][0]
    agreement["valid_from"], agreement["valid_until"] = NOW, NOW + US
    assert outcome(scenario) == "permit"
    agreement["valid_from"] = NOW + US
    assert outcome(scenario) == "no_permission"
    agreement["valid_from"], agreement["valid_until"] = None, NOW
    assert outcome(scenario) == "no_permission"
    agreement["valid_until"], agreement["ended"] = None, True
    assert outcome(scenario) == "no_permission"
    scenario["agreements"].append({**agreement, "ended": False})
    assert outcome(scenario) == "permit"


def test_trap_17_special_category_needs_the_explicit_tick() -> None:
    """Art. 9 data go on an explicit grant alone; the tick of another grant does not help."""
    scenario = plain_scenario()
    scenario["categories"][HEALTH]["special"] = True
    scenario["request"]["categories"] = [HEALTH, CONTACT]
    assert decide(scenario)["denied"] == [HEALTH]
    explicit = plain_grant("explicit", CONTACT)
    explicit["explicit"] = True
    scenario["consents"][0]["grants"].append(explicit)
    assert decide(scenario)["denied"] == [HEALTH]
    scenario["consents"][0]["grants"][0]["explicit"] = True
    assert outcome(scenario) == "permit"
