"""Each remark is found by its code; those about the giver follow from the consent."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from consent_registry.domain.catalogue import Flow
from consent_registry.domain.law.proposed import AgeBand, Giver, GiverRole, ProposedConsent
from consent_registry.domain.law.remarks import RemarkNorms, remark_codes, remarks_of
from consent_registry.domain.law.rules.all_rules import REMARKS
from tests.domain.cases import partner
from tests.domain.law.law_cases import (
    ADULT,
    FAMILY,
    IDENTITY,
    NOW,
    catalogue_with,
    consent_by,
    flow_of,
    grant_between,
    purpose,
)


def codes_of(consent: ProposedConsent, *flows: Flow) -> list[str]:
    """The codes of the remarks about this consent in a network with these flows."""
    return remark_codes(catalogue_with(*flows), consent, NOW)


NORMS = RemarkNorms(datetime(2026, 11, 30, tzinfo=UTC), "dsg_ekd", [("kdg", "gdpr_bdsg")])


def test_remarks_come_in_the_order_of_their_codes() -> None:
    """Remarks come in the order of the given codes; no codes give no remarks."""
    assert [remark.code for remark in remarks_of(["lay_interpreter", "mandate_ends_first"], NORMS, None)] == [
        "lay_interpreter",
        "mandate_ends_first",
    ]
    assert remarks_of([], NORMS, "2029-04") == []
    assert {code: remark.code for code, remark in REMARKS.items()} == {code: code for code in REMARKS}


def test_a_remark_cites_the_law_of_those_concerned() -> None:
    """Of both sides, of the recorder, or the same for everybody; with a German sentence."""
    lay, relative, mandate = remarks_of(["lay_interpreter", "family_interpreter", "mandate_ends_first"], NORMS, None)
    assert lay.norm == "§ 11 Abs. 2 lit. a KDG; Art. 9 Abs. 2 lit. a DSGVO"
    assert relative.norm == "§ 11 Abs. 4 DSG-EKD"
    assert mandate.norm == "§ 2 BGB; § 1773 BGB; § 1815 BGB"
    assert relative.text == "Angehörige haben übersetzt; ob die Einwilligung freiwillig war, ist zu prüfen."


def test_a_code_in_the_log_keeps_its_remark() -> None:
    """A code in an old event still has its remark in a later release."""
    assert set(REMARKS) >= {
        "guardian_is_recipient",
        "mandate_ends_first",
        "third_parties_unstated",
        "lay_interpreter",
        "family_interpreter",
    }


@pytest.mark.parametrize(
    ("code", "adult_from", "month"),
    [
        ("ask_again_at_15", "2029-04", "2026-04"),
        ("ask_again_at_14", "2029-04", "2025-04"),
        ("ask_again_at_14", "2030-01", "2026-01"),
    ],
)
def test_a_remark_names_the_month_in_which_to_ask_again(code: str, adult_from: str, month: str) -> None:
    """The month of the fifteenth or fourteenth birthday is three or four years before that of coming of age."""
    (remark,) = remarks_of([code], NORMS, adult_from)
    assert f"Ab {month} " in remark.text
    assert remark.code == code


@pytest.mark.parametrize("role", ["parent", "guardian", "youth_office_custody", "custodian", "self"])
@pytest.mark.parametrize(
    ("band", "sides", "code"),
    [
        ("under_14", ("sgb_x", "gdpr_bdsg"), "ask_again_at_15"),
        ("under_14", ("sgb_x", "dsg_ekd"), "ask_again_at_14"),
        ("under_14", ("dsg_ekd", "kdg"), "ask_again_at_14"),
        ("14", ("sgb_x", "kdg"), "ask_again_at_15"),
        ("14", ("dsg_ekd", "sgb_x"), "ask_again_at_15"),
        ("15_17", ("sgb_x", "dsg_ekd"), None),
    ],
)
def test_who_is_asked_again(role: GiverRole, band: AgeBand, sides: tuple[str, str], code: str | None) -> None:
    """A client of whom parents, a guardian or a youth office decided; not one who decided alone, or refused."""
    giver = Giver(role, band, adult_from=date(2033, 1, 1))
    asked = [code] if code is not None and role in {"parent", "guardian", "youth_office_custody"} else []
    assert codes_of(consent_by(giver, grant_between(*sides))) == asked
    assert codes_of(consent_by(giver, grant_between(*sides, answer="refused"))) == []
    assert codes_of(consent_by(msgspec.structs.replace(giver, adult_from=None), grant_between(*sides))) == []


def test_what_ends_first_is_remarked() -> None:
    """A grant that would go on after the mandate or the coming of age has the remark; one that ends with it has not."""
    until = datetime(2027, 1, 1, tzinfo=UTC)
    custody = Giver("custodian", "adult", mandate_until=until)
    child = Giver("guardian", "15_17", adult_from=date(2027, 1, 1))
    of_age = datetime(2026, 12, 31, 23, tzinfo=UTC)
    for giver, end in ((custody, until), (child, of_age)):
        for late, codes in ((timedelta(), []), (timedelta(microseconds=1), ["mandate_ends_first"])):
            consent = consent_by(giver, grant_between("sgb_x", "sgb_x", asked_until=end + late))
            assert codes_of(consent) == codes


def test_an_office_that_decides_and_takes_part_is_remarked() -> None:
    """As sender or as recipient of what is given; not of what is refused, and no other office."""
    grant = grant_between("sgb_x", "sgb_x")
    for office, codes in (
        (grant.sender, ["guardian_is_recipient"]),
        (grant.recipient, ["guardian_is_recipient"]),
        (partner(7), []),
    ):
        giver = Giver("guardian", "under_14", partner=office)
        assert codes_of(consent_by(giver, grant)) == codes
        assert codes_of(consent_by(giver, msgspec.structs.replace(grant, answer="refused"))) == []


def test_an_adults_consent_to_a_childs_data_is_remarked() -> None:
    """Where the purpose or a category is mostly about children and nobody else decided."""
    about_children = grant_between("sgb_x", "sgb_x", purpose=purpose(1, "school", minors=True))
    assert codes_of(consent_by(Giver("self", "adult"), about_children)) == ["adult_in_childrens_data"]
    assert codes_of(consent_by(Giver("self", "15_17"), about_children)) == []
    assert codes_of(consent_by(Giver("custodian", "adult"), about_children)) == []
    assert codes_of(consent_by(Giver("self", "adult"), grant_between("sgb_x", "sgb_x"))) == []


def test_nobody_said_who_entrusted_it() -> None:
    """§ 65 SGB VIII: remarked where an agreement in force marks a category of the grant, and nothing is said."""
    unsaid = consent_by(ADULT, grant_between("sgb_x", "sgb_x"))
    remarked = ["entrusted_by_unstated"]
    assert codes_of(unsaid, flow_of(IDENTITY)) == remarked
    assert codes_of(unsaid, flow_of(FAMILY), flow_of(FAMILY, IDENTITY)) == remarked
    for flow in (
        flow_of(FAMILY),
        flow_of(IDENTITY, entrusted=False),
        flow_of(IDENTITY, ended=True),
        flow_of(IDENTITY, valid_from=NOW + timedelta(days=1)),
    ):
        assert codes_of(unsaid, flow) == []
    said = consent_by(ADULT, grant_between("sgb_x", "sgb_x", entrusted_by="self"))
    refused = consent_by(ADULT, grant_between("sgb_x", "sgb_x", answer="refused"))
    assert [codes_of(consent, flow_of(IDENTITY)) for consent in (said, refused)] == [[], []]
