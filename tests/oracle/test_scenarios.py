"""The generators: well-formed, varied, and sharp enough that one small mistake in a decision would show."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from . import oracle
from .mutants import CONSENT_MUTANTS, DECISION_MUTANTS, STATUS_MUTANTS, Mutant, wrong_oracle
from .scenario_format import ORIGIN
from .scenarios import scenarios, seeded_scenarios, seeded_status_cases, status_cases
from .small_scope import every_small_scenario

if TYPE_CHECKING:
    from .scenario_format import Answer, Grant, Scenario, StatusCase

COUNT = 40_000
SEED = 20261120
OUTCOMES_AT_LEAST = 1000
REASONS_AT_LEAST = 20
DIFFERENCES_AT_LEAST = 5
SMALL_SCOPE_AT_LEAST = 30_000

REASONS = {
    "agreement_ended", "agreement_not_begun", "agreement_over", "attendance_only", "category_not_granted",
    "category_withdrawn", "ended", "expired", "flow_not_listed", "invalidated", "never_asked", "never_shared",
    "no_release", "not_explicit", "not_its_own_tick", "not_yet_valid", "other_purpose", "other_recipient",
    "other_sender", "others_agree_no_longer", "others_did_not_agree", "purpose_not_approved", "recipient_isolated",
    "recipient_not_selectable", "recipient_suspended", "refused", "renewed_elsewhere", "requested", "restricted",
    "sender_isolated", "sender_suspended", "withdrawn",
}  # fmt: skip


@functools.cache
def generated() -> list[tuple[Scenario, Answer]]:
    """The seeded scenarios with the oracle's answers."""
    return [(scenario, oracle.decide(scenario)) for scenario in seeded_scenarios(SEED, COUNT)]


@functools.cache
def generated_cases() -> list[StatusCase]:
    """The seeded status questions."""
    return list(seeded_status_cases(SEED, COUNT))


def decisive_reasons(scenario: Scenario, category: str) -> set[str]:
    """The reasons that alone keep a denied category from being permitted: without one of them it would be."""
    rules = oracle.flow_obstacles(scenario, category)
    by_grant = [
        oracle.grant_obstacles(scenario, consent, grant, category)
        for consent in scenario["consents"]
        for grant in consent["grants"]
    ]
    if len(rules) == 1 and [] in by_grant:
        return set(rules)
    if rules:
        return set()
    if not scenario["consents"]:
        return {"never_asked"}
    return {obstacles[0] for obstacles in by_grant if len(obstacles) == 1}


def assert_grants_well_formed(grants: list[Grant]) -> None:
    """Check what the format promises of grants and their changes."""
    for grant in grants:
        assert ORIGIN < grant["valid_from"] < grant["valid_until"]
        recorded = [change["recorded_at"] for change in grant["changes"]]
        assert len(set(recorded)) == len(recorded)
        for change in grant["changes"]:
            assert min(change["effective_at"], change["recorded_at"]) > ORIGIN
            assert (change["valid_until"] is not None) == (change["kind"] == "renewed")
            assert change["valid_until"] is None or change["valid_until"] > grant["valid_from"]
            if change["categories"] is not None:
                assert change["kind"] in {"withdrawn", "restricted", "unrestricted"}
                assert change["categories"]
                assert set(change["categories"]) <= set(grant["categories"])


def assert_well_formed(scenario: Scenario) -> None:
    """Check what the format promises of scenarios."""
    request = scenario["request"]
    assert request["sender"] != request["recipient"]
    assert len(set(request["categories"])) == len(request["categories"]) > 0
    assert set(request["categories"]) <= set(scenario["categories"])
    assert scenario["partners"][request["sender"]]["selectable"]
    for agreement in scenario["agreements"]:
        if agreement["valid_from"] is not None and agreement["valid_until"] is not None:
            assert agreement["valid_from"] < agreement["valid_until"]
    assert all(consent["grants"] for consent in scenario["consents"])
    grants = [grant for consent in scenario["consents"] for grant in consent["grants"]]
    assert len({grant["id"] for grant in grants}) == len(grants)
    assert_grants_well_formed(grants)


def test_each_outcome_and_each_reason_to_deny_occurs() -> None:
    """Among 20,000 scenarios each outcome is frequent and each reason to deny is the only one often enough."""
    outcomes = Counter(answer["outcome"] for _, answer in generated())
    assert set(outcomes) == {"permit", "partial", "no_permission", "not_consent_based"}
    assert min(outcomes.values()) >= OUTCOMES_AT_LEAST, outcomes
    reasons = Counter(
        reason
        for scenario, answer in generated()
        for category in answer["denied"]
        for reason in decisive_reasons(scenario, category)
    )
    assert set(reasons) == REASONS
    assert min(reasons.values()) >= REASONS_AT_LEAST, reasons


def test_each_status_occurs() -> None:
    """Among 20,000 status questions each status of a grant and of a consent is frequent."""
    of_grants: Counter[str] = Counter()
    of_consents: Counter[str] = Counter()
    for case in generated_cases():
        of_grants.update(oracle.grant_status(grant, case["at"], case["known_at"]) for grant in case["grants"])
        of_consents[oracle.consent_status(case["grants"], case["at"], case["known_at"])] += 1
    for counted in (of_grants, of_consents):
        assert len(counted) == 8
        assert min(counted.values()) >= REASONS_AT_LEAST, counted


@pytest.mark.parametrize("mutant", DECISION_MUTANTS, ids=lambda mutant: mutant.name)
def test_generator_catches_a_wrong_decision(mutant: Mutant) -> None:
    """One small mistake in the decision changes several of 20,000 answers."""
    wrong = wrong_oracle(mutant)
    differences = 0
    for scenario, answer in generated():
        differences += wrong.decide(scenario) != answer
        if differences == DIFFERENCES_AT_LEAST:
            return
    pytest.fail(f"{differences} differences only")


@pytest.mark.parametrize("mutant", STATUS_MUTANTS, ids=lambda mutant: mutant.name)
def test_generator_catches_a_wrong_grant_status(mutant: Mutant) -> None:
    """One small mistake in the status of grants changes several of 20,000 answers."""
    wrong = wrong_oracle(mutant)
    differences = 0
    for case in generated_cases():
        for grant in case["grants"]:
            question = (grant, case["at"], case["known_at"])
            differences += wrong.grant_status(*question) != oracle.grant_status(*question)
            differences += wrong.remaining_categories(*question) != oracle.remaining_categories(*question)
        if differences >= DIFFERENCES_AT_LEAST:
            return
    pytest.fail(f"{differences} differences only")


@pytest.mark.parametrize("mutant", CONSENT_MUTANTS, ids=lambda mutant: mutant.name)
def test_generator_catches_a_wrong_consent_status(mutant: Mutant) -> None:
    """One small mistake in the status of consents changes several of 20,000 answers."""
    wrong = wrong_oracle(mutant)
    differences = 0
    for case in generated_cases():
        question = (case["grants"], case["at"], case["known_at"])
        differences += wrong.consent_status(*question) != oracle.consent_status(*question)
        if differences == DIFFERENCES_AT_LEAST:
            return
    pytest.fail(f"{differences} differences only")


def test_generated_scenarios_are_well_formed() -> None:
    """Seeded scenarios and status questions keep what the format promises."""
    for scenario, _ in generated():
        assert_well_formed(scenario)
    for case in generated_cases():
        assert_grants_well_formed(case["grants"])


def test_small_scope_is_well_formed_and_large() -> None:
    """The exhaustive small world keeps the format and holds tens of thousands of scenarios with every outcome."""
    outcomes = Counter[str]()
    for scenario in every_small_scenario():
        assert_well_formed(scenario)
        outcomes[oracle.decide(scenario)["outcome"]] += 1
    assert sum(outcomes.values()) >= SMALL_SCOPE_AT_LEAST
    assert set(outcomes) == {"permit", "partial", "no_permission", "not_consent_based"}


def test_same_seed_same_scenarios() -> None:
    """A seed names its scenarios, so that a difference found can be shown again."""
    assert list(seeded_scenarios(7, 50)) == list(seeded_scenarios(7, 50))
    assert list(seeded_scenarios(7, 50)) != list(seeded_scenarios(8, 50))


def check_answer(scenario: Scenario) -> None:
    """Check what holds for every answer, whatever the rules."""
    answer = oracle.decide(scenario)
    asked = scenario["request"]["categories"]
    lists = (answer["permitted"], answer["denied"], answer["not_consent_based"])
    assert sorted(slug for slugs in lists for slug in slugs) == sorted(asked)
    for slugs in lists:
        assert slugs == [slug for slug in asked if slug in slugs]
    assert scenario["now"] < answer["expires_at"] <= scenario["now"] + oracle.LONGEST_ANSWER
    assert bool(answer["used"]) == answer["obligations_expected"] == bool(answer["permitted"])
    assert oracle.is_acceptable_use(scenario, answer["used"])


@given(scenarios())
@settings(max_examples=100, deadline=None)
def test_every_answer_is_consistent(scenario: Scenario) -> None:
    """The lists hold exactly what was asked in the order asked, and an answer never expires before it is given."""
    assert_well_formed(scenario)
    check_answer(scenario)


def test_every_seeded_answer_is_consistent() -> None:
    """The same for the seeded scenarios."""
    for scenario, _ in generated():
        check_answer(scenario)


@given(status_cases())
@settings(max_examples=100, deadline=None)
def test_every_status_question_has_an_answer(case: StatusCase) -> None:
    """Hypothesis makes status questions that keep the format, and each has an answer."""
    assert_grants_well_formed(case["grants"])
    assert oracle.consent_status(case["grants"], case["at"], case["known_at"])
