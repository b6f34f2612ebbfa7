"""The rows for representatives, each with its norm; what each asks for, and until when its consents last."""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import msgspec
import pytest

from consent_registry.domain.law.capacity import capacity_refusals
from consent_registry.domain.law.citations import with_norms
from consent_registry.domain.law.proposed import AgeBand, CoGiver, Giver, GiverRole
from consent_registry.domain.law.representatives import (
    REPRESENTATION_ROWS,
    end_of_representation,
    find_representation_row,
)
from tests.domain.cases import MICROSECOND, partner
from tests.domain.law.law_cases import HEALTH, NOW, consent_by, grant_between, purpose

BANDS: tuple[AgeBand, ...] = ("under_14", "14", "15_17", "adult")
PURPOSE = purpose()
OWN_YES, SECOND_PARENT = CoGiver("self"), CoGiver("parent")
CUSTODY = "§ 42 Abs. 2 Satz 4 SGB VIII; § 42a Abs. 3 SGB VIII"
# Of each role and band: the norm of the row and the members that the row asks for.
ROWS: dict[tuple[GiverRole, AgeBand], tuple[str, set[str]]] = {
    ("parent", "under_14"): ("§ 1626 Abs. 1 BGB; § 1629 Abs. 1 BGB", {"adult_from", "care"}),
    ("parent", "14"): ("§ 1626 Abs. 1 BGB; § 1629 Abs. 1 BGB", {"adult_from", "care"}),
    ("parent", "15_17"): ("§ 1626 Abs. 2 BGB; § 36 Abs. 1 Satz 1 SGB I", {"adult_from", "care", "insight"}),
    ("guardian", "under_14"): ("§ 1773 BGB; § 1789 Abs. 2 BGB", {"adult_from"}),
    ("guardian", "14"): ("§ 1773 BGB; § 1789 Abs. 2 BGB", {"adult_from"}),
    ("guardian", "15_17"): ("§ 1788 Nr. 4 BGB; § 36 Abs. 1 Satz 1 SGB I", {"adult_from", "insight"}),
    ("youth_office_custody", "under_14"): (CUSTODY, {"adult_from", "mandate_until"}),
    ("youth_office_custody", "14"): (CUSTODY, {"adult_from", "mandate_until"}),
    ("youth_office_custody", "15_17"): (CUSTODY, {"adult_from", "mandate_until", "insight"}),
    ("custodian", "adult"): (
        "§ 1814 Abs. 1 BGB; § 1815 Abs. 1 BGB; § 1823 BGB",
        {"insight", "scope", "mandate_until"},
    ),
    ("attorney", "adult"): ("§ 1814 Abs. 3 Satz 2 Nr. 1 BGB; § 1820 BGB", {"insight", "scope", "mandate_until"}),
}
BEFORE_2023: dict[tuple[GiverRole, AgeBand], str] = {
    ("guardian", "under_14"): "§ 1773 BGB; § 1793 BGB",
    ("guardian", "15_17"): "§ 1793 BGB; § 36 Abs. 1 Satz 1 SGB I",
    ("custodian", "adult"): "§ 1896 Abs. 1 BGB; § 1902 BGB",
    ("attorney", "adult"): "§ 1896 Abs. 2 Satz 2 BGB",
}
# A role for an age that it does not represent: the norm by which it does not.
NOBODY: dict[GiverRole, str] = {
    "parent": "§ 2 BGB; § 1626 Abs. 1 BGB",
    "guardian": "§ 2 BGB; § 1773 BGB",
    "youth_office_custody": "§ 42 Abs. 1 SGB VIII",
    "custodian": "§ 1814 Abs. 1 BGB",
    "attorney": "§ 1820 BGB",
}
# The rule and the place of a missing member, and its norm where it is not the row's.
MISSING = {
    "adult_from": ("adult_from", "/giver/adult_from", "§ 2 BGB; § 1626 Abs. 1 BGB"),
    "care": ("care", "/giver/care", "§ 1627 BGB; § 1629 Abs. 1 BGB"),
    "insight": ("representation", None, None),
    "scope": ("representation", "/giver/scope", None),
    "mandate_until": ("mandate", "/giver/mandate_until", "§ 1773 BGB; § 1815 BGB"),
}
OF_AGE: dict[AgeBand, date] = {
    "under_14": date(2034, 4, 1),
    "14": date(2030, 1, 1),
    "15_17": date(2027, 9, 1),
    "adult": date(2020, 1, 1),
}


def whole(role: GiverRole, band: AgeBand) -> Giver:
    """A representative with everything that any row asks for."""
    return Giver(
        role,
        band,
        adult_from=OF_AGE[band],
        insight="lacking",
        insight_assessed_by="B-12",
        care="sole",
        scope=(PURPOSE,),
        mandate_until=NOW + timedelta(days=20),
    )


def faults_of(giver: Giver, *grants: object, at: datetime = NOW) -> list[tuple[str | None, str, str | None]]:
    """Rule, place and norm of each fault of this giver."""
    consent = consent_by(giver, *grants, at=at)  # type: ignore[arg-type]
    faults = with_norms(capacity_refusals(consent), consent, partner(1))
    return [(fault.rule, fault.pointer, fault.norm) for fault in faults]


@pytest.mark.parametrize(("role", "band"), list(product(NOBODY, BANDS)))
def test_each_role_represents_its_ages(role: GiverRole, band: AgeBand) -> None:
    """Parents, guardians and youth offices decide for minors, custodians and attorneys for adults."""
    giver = msgspec.structs.replace(whole(role, band), mandate_until=NOW + timedelta(days=20))
    expected = [] if (role, band) in ROWS else [("representation", "/giver/role", NOBODY[role])]
    assert faults_of(giver) == expected


@pytest.mark.parametrize(("role", "band"), list(ROWS))
def test_each_row_asks_for_its_members(role: GiverRole, band: AgeBand) -> None:
    """What a row asks for is refused where it is missing, with rule, place and norm; what it does not ask is not."""
    norm, asked = ROWS[role, band]
    row = find_representation_row(role, band, NOW)
    assert row is not None
    assert row.norm == norm
    for member, (rule, pointer, its_norm) in MISSING.items():
        place = pointer or ("/giver/insight" if band == "adult" else "/giver")
        of_row = its_norm is None or (member == "mandate_until" and role == "youth_office_custody")
        expected = [(rule, place, norm if of_row else its_norm)] if member in asked else []
        assert faults_of(msgspec.structs.replace(whole(role, band), **{member: None})) == expected, member


@pytest.mark.parametrize(("role", "band"), list(BEFORE_2023))
def test_before_the_reform_of_2023(role: GiverRole, band: AgeBand) -> None:
    """Guardianship and custody had other norms until the end of 2022 in Germany, and asked for the same."""
    reform = datetime(2022, 12, 31, 23, tzinfo=UTC)
    before, after = [find_representation_row(role, band, at) for at in (reform - MICROSECOND, reform)]
    assert before is not None
    assert after is not None
    assert (before.norm, after.norm) == (BEFORE_2023[role, band], ROWS[role, band][0])
    assert before.asks == after.asks
    assert before.to_confirm


def test_every_row_is_in_this_test() -> None:
    """Each row of the product has its norm here, and each has a first day."""
    norms = {norm for norm, _ in ROWS.values()} | set(BEFORE_2023.values())
    assert {row.norm for row in REPRESENTATION_ROWS} == norms
    assert {str(row.since) for row in REPRESENTATION_ROWS} == {"2018-05-25", "2023-01-01"}


@pytest.mark.parametrize("role", ["parent", "guardian", "youth_office_custody"])
def test_from_15_the_young_person_decides_too(role: GiverRole) -> None:
    """The own yes does instead of lacking insight; insight that is present, or that nobody assessed, does not."""
    alone = msgspec.structs.replace(whole(role, "15_17"), insight=None, insight_assessed_by=None)
    refused = [("representation", "/giver", ROWS[role, "15_17"][0])]
    for changed, expected in (
        ({}, refused),
        ({"insight": "lacking"}, refused),
        ({"insight": "present", "insight_assessed_by": "B-12"}, refused),
        ({"insight_assessed_by": "B-12"}, refused),
        ({"co_givers": (CoGiver("entrusting_person"),)}, refused),
        ({"co_givers": (OWN_YES,)}, []),
        ({"insight": "lacking", "insight_assessed_by": "B-12"}, []),
    ):
        assert faults_of(msgspec.structs.replace(alone, **changed)) == expected


@pytest.mark.parametrize("role", ["custodian", "attorney"])
def test_an_adult_with_insight_decides_alone(role: GiverRole) -> None:
    """§§ 1814, 1823 BGB: not even together with the client does a custodian replace the client's own decision."""
    refused = [("representation", "/giver/insight", ROWS[role, "adult"][0])]
    for changed in (
        {"insight": "present"},
        {"insight": None},
        {"insight_assessed_by": None},
        {"insight": "present", "co_givers": (OWN_YES,)},
    ):
        assert faults_of(msgspec.structs.replace(whole(role, "adult"), **changed)) == refused


@pytest.mark.parametrize("role", list(NOBODY))
def test_a_scope_limits_every_mandate(role: GiverRole) -> None:
    """§§ 1809, 1815 BGB: a mandate for some purposes is for no other, in every role."""
    band: AgeBand = "adult" if role in {"custodian", "attorney"} else "under_14"
    outside = grant_between("sgb_x", "sgb_x", purpose=purpose(2, "housing"))
    inside = grant_between("sgb_x", "sgb_x")
    refused = grant_between("sgb_x", "sgb_x", purpose=purpose(2, "housing"), answer="refused")
    expected = [("representation", "/grants/1/purpose", ROWS[role, band][0])]
    assert faults_of(whole(role, band), inside, outside, refused) == expected
    both = msgspec.structs.replace(whole(role, band), scope=(purpose(2, "housing"), PURPOSE))
    assert faults_of(both, inside, outside) == []


@pytest.mark.parametrize(
    ("care", "co_givers", "fault"),
    [
        ("joint", (), "/giver/co_givers"),
        ("joint", (CoGiver("entrusting_person"), OWN_YES), "/giver/co_givers"),
        ("joint", (SECOND_PARENT,), None),
        ("joint", (OWN_YES, CoGiver("guardian")), None),
        ("sole", (), None),
        ("authorised", (), None),
        (None, (SECOND_PARENT,), "/giver/care"),
    ],
)
def test_how_parents_decide(care: str | None, co_givers: tuple[CoGiver, ...], fault: str | None) -> None:
    """§§ 1627, 1629 BGB: both holders, or one who has sole custody or is authorised."""
    giver = msgspec.structs.replace(whole("parent", "14"), care=care, co_givers=co_givers)
    assert faults_of(giver) == ([] if fault is None else [("care", fault, "§ 1627 BGB; § 1629 Abs. 1 BGB")])


def test_an_everyday_matter_is_an_appointment() -> None:
    """§ 1687 BGB: in everyday matters one parent decides, about appointments without special data, at every age."""
    appointment = purpose(3, "appointment")
    for band in ("under_14", "14", "15_17"):
        giver = msgspec.structs.replace(whole("parent", band), care="everyday", scope=None)
        plain = grant_between("sgb_x", "sgb_x", purpose=appointment)
        special = grant_between("sgb_x", "sgb_x", HEALTH, purpose=appointment)
        flow = grant_between("sgb_x", "sgb_x", purpose=purpose(3, "appointment", flow_itself_is_special=True))
        housing = grant_between("sgb_x", "sgb_x", purpose=purpose(2, "housing"))
        no_housing = grant_between("sgb_x", "sgb_x", purpose=purpose(2, "housing"), answer="refused")
        assert faults_of(giver, plain, no_housing) == []
        for number, grant in enumerate((special, flow, housing)):
            found = faults_of(giver, *([plain] * number), grant)
            assert found == [("care", f"/grants/{number}/purpose", "§ 1687 Abs. 1 Satz 2 BGB")]


def test_taken_into_care_for_four_weeks() -> None:
    """§ 42 SGB VIII: four weeks by the German clock and no microsecond more; every other mandate may last longer."""
    october = datetime(2026, 10, 1, 9, tzinfo=UTC)
    latest = datetime(2026, 10, 29, 10, tzinfo=UTC)
    giver = msgspec.structs.replace(whole("youth_office_custody", "under_14"), mandate_until=latest)
    late = msgspec.structs.replace(giver, mandate_until=latest + MICROSECOND)
    assert faults_of(giver, at=october) == []
    assert faults_of(late, at=october) == [("mandate", "/giver/mandate_until", CUSTODY)]
    for role, band in (("guardian", "14"), ("parent", "14"), ("custodian", "adult"), ("attorney", "adult")):
        longer = msgspec.structs.replace(whole(role, band), mandate_until=NOW + timedelta(days=900))  # type: ignore[arg-type]
        assert faults_of(longer) == []


@pytest.mark.parametrize("role", list(NOBODY))
def test_a_mandate_that_had_ended(role: GiverRole) -> None:
    """`mandate` refuses an end that had come when the consent was given, for every role that represents."""
    band: AgeBand = "adult" if role in {"custodian", "attorney"} else "14"
    for until, expected in ((NOW, True), (NOW - MICROSECOND, True), (NOW + MICROSECOND, False)):
        giver = msgspec.structs.replace(whole(role, band), mandate_until=until)
        refused = [("mandate", "/giver/mandate_until", "§ 1773 BGB; § 1815 BGB")] if expected else []
        assert faults_of(giver) == refused


def test_what_a_client_cannot_have() -> None:
    """A client who decides alone has no mandate, no scope and no office; nobody else entrusts instead of the client."""
    alone = Giver("self", "adult")
    office = partner(7)
    for changed, fault in (
        ({"mandate_until": NOW + timedelta(days=9)}, ("mandate", "/giver/mandate_until")),
        ({"scope": (PURPOSE,)}, ("representation", "/giver/scope")),
        ({"partner": office}, ("representation", "/giver/partner")),
        ({"role": "entrusting_person"}, ("entrusting_person", "/giver/role")),
        ({"role": "parent", "partner": office, "age_band": "adult"}, ("representation", "/giver/partner")),
        ({"role": "attorney", "partner": office}, ("representation", "/giver/partner")),
    ):
        found = faults_of(msgspec.structs.replace(alone, **changed))
        assert fault in [place[:2] for place in found]
        assert all(norm for _, _, norm in found)
    for role in ("guardian", "youth_office_custody", "custodian"):
        band: AgeBand = "adult" if role == "custodian" else "under_14"
        assert faults_of(msgspec.structs.replace(whole(role, band), partner=office)) == []


@pytest.mark.parametrize("band", ["under_14", "14", "15_17"])
@pytest.mark.parametrize("side", ["sender", "recipient"])
def test_a_guardian_that_is_a_party(band: AgeBand, side: str) -> None:
    """§ 1789 BGB: where the office that decides gives or gets the data, a client of 14 and more says yes too."""
    grant = grant_between("sgb_x", "sgb_x")
    giver = msgspec.structs.replace(whole("guardian", band), partner=getattr(grant, side))
    norm = "§ 1789 Abs. 2 BGB; § 55 SGB VIII; § 68 SGB VIII"
    expected = [] if band == "under_14" else [("representation", "/giver/co_givers", norm)]
    assert faults_of(giver, grant) == expected
    assert faults_of(msgspec.structs.replace(giver, co_givers=(OWN_YES,)), grant) == []
    assert faults_of(msgspec.structs.replace(giver, partner=partner(7)), grant) == []


@pytest.mark.parametrize("band", BANDS)
def test_a_month_that_the_band_rules_out(band: AgeBand) -> None:
    """`adult_from_contradicts`, in every role and also where nothing is given."""
    role: GiverRole = "custodian" if band == "adult" else "guardian"
    wrong = date(2026, 5, 1) if band in {"adult", "14", "under_14"} else date(2026, 4, 1)
    for giver in (whole(role, band), Giver("self", band, "B-12", direct_counselling=True)):
        contradicting = msgspec.structs.replace(giver, adult_from=wrong)
        expected = [("adult_from_contradicts", "/giver/adult_from", "Art. 5 Abs. 1 lit. d DSGVO")]
        assert faults_of(contradicting) == expected
        refused = grant_between("sgb_x", "sgb_x", answer="refused")
        assert faults_of(contradicting, refused) == expected


@pytest.mark.parametrize("role", list(NOBODY))
def test_when_the_right_to_decide_ends(role: GiverRole) -> None:
    """With the mandate or when the client comes of age in Germany, whichever is first; never before the act."""
    of_minors = role in {"parent", "guardian", "youth_office_custody"}
    of_age = datetime(2029, 12, 31, 23, tzinfo=UTC)
    soon = NOW + timedelta(days=20)
    for mandate, adult_from, expected in (
        (soon, OF_AGE["14"], soon),
        (None, OF_AGE["14"], of_age if of_minors else None),
        (of_age + timedelta(days=1), OF_AGE["14"], of_age if of_minors else of_age + timedelta(days=1)),
        (soon, None, soon),
        (None, None, None),
        (NOW, OF_AGE["14"], of_age if of_minors else None),
        (NOW, date(2026, 4, 1), None),
    ):
        giver = Giver(role, "14", mandate_until=mandate, adult_from=adult_from)
        assert end_of_representation(giver, NOW) == expected
    assert end_of_representation(Giver("self", "14", mandate_until=soon, adult_from=OF_AGE["14"]), NOW) is None


def test_who_entrusted_it_says_yes_too() -> None:
    """§ 65 SGB VIII: what somebody else entrusted needs this person's yes; what the client entrusted does not."""
    norm = "§ 65 Abs. 1 Satz 1 Nr. 1 SGB VIII"
    by_others, own, unsaid = [grant_between("sgb_x", "sgb_x", entrusted_by=who) for who in ("other", "self", None)]
    refused = msgspec.structs.replace(by_others, answer="refused")
    adult, together = Giver("self", "adult"), Giver("self", "adult", co_givers=(CoGiver("entrusting_person"),))
    found = faults_of(adult, own, by_others, unsaid, by_others)
    assert found == [("entrusting_person", f"/grants/{number}/entrusted_by", norm) for number in (1, 3)]
    assert faults_of(together, own, by_others, unsaid) == []
    assert faults_of(adult, own, unsaid, refused) == []
    parents = msgspec.structs.replace(whole("parent", "under_14"), co_givers=(SECOND_PARENT,))
    assert faults_of(parents, by_others) == [("entrusting_person", "/grants/0/entrusted_by", norm)]
    both = msgspec.structs.replace(parents, co_givers=(SECOND_PARENT, CoGiver("entrusting_person")))
    assert faults_of(both, by_others) == []
