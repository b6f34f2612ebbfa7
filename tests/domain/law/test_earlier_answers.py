"""A new consent beside the client's earlier answers: nobody overrides a no, ages only rise, insight is on record."""

from datetime import datetime, timedelta

import msgspec
import pytest

from consent_registry.domain.law.citations import with_norms
from consent_registry.domain.law.earlier_answers import (
    EarlierAnswer,
    earlier_answer_refusals,
    earlier_answer_remarks,
    lacking_insight_refusals,
    overridden_refusal,
)
from consent_registry.domain.law.proposed import AgeBand, CoGiver, Giver, Insight, ProposedConsent
from tests.domain.cases import MICROSECOND, partner
from tests.domain.law.law_cases import ADULT, HEALTH, IDENTITY, NOW, consent_by, grant_between, purpose

RECORDER, STRANGER = 1, 2
FLOW = (1, 2, 1)
NO = EarlierAnswer(
    client_id="client",
    consent_id="consent",
    grant_id="grant",
    recorder_id=RECORDER,
    flow=FLOW,
    category_ids=frozenset({IDENTITY.category_id}),
    answer="refused",
    is_own=True,
    age_band="15_17",
    insight=None,
    insight_assessed_by=None,
    explained_by="B-1",
    given_at=NOW - timedelta(days=9),
    recorded_at=NOW - timedelta(days=9),
)
# A representative's yes to the same flow, today; the law's rows are not asked here.
YES = msgspec.structs.replace(
    NO, grant_id="yes", answer="given", is_own=False, explained_by="B-11", given_at=NOW, recorded_at=NOW
)


def answer(of: EarlierAnswer, **facts: object) -> EarlierAnswer:
    """The same answer with other facts."""
    return msgspec.structs.replace(of, **facts)


def test_a_no_of_the_person_is_not_overridden() -> None:
    """§ 1626 Abs. 2 BGB: a representative's later yes to the flow and to one of the categories would override it."""
    assert overridden_refusal(YES, [YES, NO]) == NO
    both = frozenset({IDENTITY.category_id, HEALTH.category_id})
    assert overridden_refusal(answer(YES, category_ids=both), [NO]) == NO
    assert overridden_refusal(answer(YES, answer="requested"), [NO]) == NO
    assert overridden_refusal(YES, [answer(NO, given_at=NOW)]) is not None
    for yes, no in (
        (answer(YES, flow=(1, 2, 9)), NO),
        (answer(YES, category_ids=frozenset({HEALTH.category_id})), NO),
        (answer(YES, is_own=True), NO),
        (answer(YES, answer="refused"), NO),
        (YES, answer(NO, is_own=False)),
        (YES, answer(NO, answer="given")),
        (YES, answer(NO, given_at=NOW + MICROSECOND)),
    ):
        assert overridden_refusal(yes, [no]) is None


@pytest.mark.parametrize(
    ("band", "insight", "assessed_by", "counts"),
    [
        ("under_14", None, None, False),
        ("under_14", None, "B-2", True),
        ("under_14", "present", "B-2", True),
        ("14", None, None, True),
        ("15_17", None, None, True),
        ("adult", None, None, True),
        ("adult", "lacking", "B-2", False),
        ("15_17", "lacking", "B-2", False),
    ],
)
def test_only_a_no_with_insight_counts(
    band: AgeBand, insight: Insight | None, assessed_by: str | None, counts: bool
) -> None:
    """From 14 on unless insight was found lacking; under 14 if somebody assessed it."""
    no = answer(NO, age_band=band, insight=insight, insight_assessed_by=assessed_by)
    assert (overridden_refusal(YES, [no]) is not None) is counts


def test_the_last_word_counts_for_each_category() -> None:
    """A yes that the client gave after the refusal replaces it; at the same instant the refusal counts."""
    own_yes = answer(NO, grant_id="own", answer="given", given_at=NOW - timedelta(days=5))
    assert overridden_refusal(YES, [NO, own_yes]) is None
    assert overridden_refusal(YES, [own_yes, answer(NO, given_at=NOW - timedelta(days=1))]) is not None
    assert overridden_refusal(YES, [answer(own_yes, given_at=NO.given_at), NO]) == NO
    elsewhere = answer(own_yes, category_ids=frozenset({HEALTH.category_id}))
    both = frozenset({IDENTITY.category_id, HEALTH.category_id})
    assert overridden_refusal(answer(YES, category_ids=both), [NO, elsewhere]) == NO


@pytest.mark.parametrize(
    ("insight", "assessed_by", "after", "allowed"),
    [
        ("lacking", "B-2", timedelta(days=9), True),
        ("lacking", "B-2", MICROSECOND, True),
        ("lacking", "B-2", timedelta(), False),
        ("lacking", "B-11", timedelta(days=9), False),
        ("lacking", None, timedelta(days=9), False),
        ("present", "B-2", timedelta(days=9), False),
        (None, "B-2", timedelta(days=9), False),
    ],
)
def test_somebody_else_found_since_that_insight_is_lacking(
    insight: Insight | None, assessed_by: str | None, after: timedelta, allowed: bool
) -> None:
    """Then a representative decides; not by a finding of who explains this consent, nor by one that is no later."""
    yes = answer(YES, insight=insight, insight_assessed_by=assessed_by, given_at=NO.given_at + after)
    assert (overridden_refusal(yes, [NO]) is None) is allowed


def test_the_fault_names_the_grant_and_the_law_of_both_sides() -> None:
    """The table of rules names the norm. Together with the client's own yes there is no fault."""
    parents = Giver("parent", "15_17", insight="lacking", insight_assessed_by="B-11")
    grants = [
        grant_between("sgb_x", "kdg", purpose=purpose(2, "other")),
        grant_between("sgb_x", "kdg"),
        grant_between("sgb_x", "kdg", answer="refused"),
    ]
    (fault,) = earlier_answer_refusals(consent_by(parents, *grants), [NO])
    assert (fault.rule, fault.pointer) == ("refused_by_person_with_insight", "/grants/1")
    (named,) = with_norms([fault], consent_by(parents, *grants), partner(1, regime="kdg"))
    assert named.norm == "Art. 4 Nr. 11 DSGVO; § 4 Nr. 13 KDG"
    together = msgspec.structs.replace(parents, co_givers=(CoGiver("self"),))
    assert list(earlier_answer_refusals(consent_by(together, *grants), [NO])) == []
    independent = msgspec.structs.replace(parents, insight_assessed_by="B-2")
    assert list(earlier_answer_refusals(consent_by(independent, *grants), [NO])) == []
    assert list(earlier_answer_refusals(consent_by(ADULT, *grants), [NO])) == []


def test_lacking_insight_is_on_record() -> None:
    """A client of whom the recorder has on record that insight is lacking decides alone once it is said to be back."""
    lacking = answer(NO, insight="lacking", insight_assessed_by="B-2", is_own=False, answer="given")
    back = answer(lacking, insight="present", given_at=NOW - timedelta(days=1))

    def faults(giver: Giver, *answers: EarlierAnswer) -> list[tuple[str | None, str, str | None]]:
        found = lacking_insight_refusals(consent_by(giver), answers, RECORDER)
        return [(fault.rule, fault.pointer, fault.norm) for fault in found]

    refused = [("insight", "/giver/insight", "Art. 4 Nr. 11 DSGVO")]
    assert faults(ADULT, lacking) == refused
    assert faults(ADULT, back, answer(lacking, given_at=NOW)) == refused
    assert faults(ADULT, lacking, answer(NO, given_at=NOW)) == refused
    assert faults(ADULT, answer(back, given_at=lacking.given_at), answer(lacking, recorded_at=NOW)) == refused
    present = Giver("self", "adult", insight="present", insight_assessed_by="B-2")
    for giver, answers in (
        (present, [lacking]),
        (Giver("custodian", "adult"), [lacking]),
        (ADULT, [lacking, back]),
        (ADULT, [answer(lacking, recorder_id=STRANGER)]),
        (ADULT, [NO]),
        (ADULT, []),
    ):
        assert faults(giver, *answers) == []
    refusing = consent_by(ADULT, grant_between("sgb_x", "sgb_x", answer="refused"))
    assert list(lacking_insight_refusals(refusing, [lacking], RECORDER)) == []


@pytest.mark.parametrize(
    ("before", "now", "days", "contradicts"),
    [
        ("adult", "15_17", 9, True),
        ("15_17", "adult", 9, False),
        ("under_14", "adult", 400, True),
        ("15_17", "15_17", 9, False),
        ("14", "under_14", 9, True),
    ],
)
def test_bands_contradict_each_other(before: AgeBand, now: AgeBand, days: int, contradicts: bool) -> None:
    """They only rise, and no faster than time; only the recorder's own are compared, in any order of entry."""
    earlier = answer(NO, age_band=before, given_at=NOW - timedelta(days=days))
    consent = consent_by(Giver("self", now))
    remarks = ["age_band_contradicts"] if contradicts else []
    assert earlier_answer_remarks(consent, [earlier], RECORDER) == remarks
    assert earlier_answer_remarks(consent, [earlier], STRANGER) == []
    assert earlier_answer_remarks(consent, [answer(earlier, age_band=None)], RECORDER) == []
    later = _given_at(NOW - timedelta(days=days), before)
    assert earlier_answer_remarks(later, [answer(NO, age_band=now, given_at=NOW)], RECORDER) == remarks


def _given_at(at: datetime, band: AgeBand) -> ProposedConsent:
    return consent_by(Giver("self", band), at=at)
