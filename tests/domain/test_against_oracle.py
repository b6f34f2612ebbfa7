"""`decide` and the status functions agree with an independent oracle, whose author has not read them. Every test run
compares twenty thousand generated cases of each, a campaign a hundred thousand.
"""

from collections.abc import Callable, Iterable, Iterator

import pytest

from consent_registry.domain import decisions
from consent_registry.domain.decisions import Decision, decide
from consent_registry.domain.grants import counting_changes, status_of, status_of_consent, withdrawn_categories
from tests.domain.adapter import World, make_grant
from tests.oracle import oracle, scenario_format, scenarios, small_scope

CASES, MANY = 20_000, 100_000


def differences(worlds: Iterable[scenario_format.Scenario]) -> Iterator[str]:
    """The scenarios that the product and the oracle answer differently."""
    for scenario in worlds:
        world = World(scenario)
        decision = decide(world.question, world.rules, world.grants, world.now)
        if wrong := difference(scenario, decision):
            yield f"{wrong}\n{scenario}"


def difference(scenario: scenario_format.Scenario, decision: Decision) -> str | None:
    """The difference between the product's answer and the oracle's for one scenario, or None."""
    expected = oracle.decide(scenario)
    answered = (
        decision.outcome,
        [category.slug for category in decision.permitted],
        [category.slug for category in decision.denied],
        [category.slug for category in decision.not_consent_based],
        decision.expires_at,
    )
    wanted = (
        expected["outcome"],
        expected["permitted"],
        expected["denied"],
        expected["not_consent_based"],
        expected["expires_at"],
    )
    if answered != wanted:
        return f"{answered} instead of {wanted}"
    if not oracle.is_acceptable_use(scenario, set(decision.grant_ids)):
        return f"used {decision.grant_ids} instead of {expected['used']}"
    return None


def test_decisions_agree_on_generated_scenarios() -> None:
    """Generated scenarios are answered as the oracle answers them."""
    assert list(differences(scenarios.seeded_scenarios(20261122, CASES))) == []


@pytest.mark.campaign
def test_decisions_agree_on_many_scenarios() -> None:
    """A hundred thousand other generated scenarios are answered as the oracle answers them."""
    assert list(differences(scenarios.seeded_scenarios(20261130, MANY))) == []


def test_decisions_agree_on_the_whole_small_scope() -> None:
    """Every combination of the small scope is answered as the oracle answers it."""
    assert list(differences(small_scope.every_small_scenario())) == []


def test_statuses_agree_on_both_time_axes() -> None:
    """At every point of both time axes grants and consents have the oracle's status and remaining categories."""
    require_statuses_agree(scenarios.seeded_status_cases(7, CASES))


@pytest.mark.campaign
def test_many_statuses_agree_on_both_time_axes() -> None:
    """A hundred thousand other generated grants and consents have the oracle's status."""
    require_statuses_agree(scenarios.seeded_status_cases(30, MANY))


def require_statuses_agree(cases: Iterable[scenario_format.StatusCase]) -> None:
    """Assert that product and oracle agree on each case."""
    for case in cases:
        grants, at, known_at = case["grants"], case["at"], case["known_at"]
        slugs = {slug: number for number, slug in enumerate(sorted({s for g in grants for s in g["categories"]}), 1)}
        own = [make_grant(grant, slugs, "consent") for grant in grants]
        for grant, mine in zip(grants, own, strict=True):
            assert status_of(mine, at, known_at) == oracle.grant_status(grant, at, known_at), case
            gone = withdrawn_categories(mine, counting_changes(mine, at, known_at))
            left = [slug for slug in grant["categories"] if slugs[slug] not in gone]
            assert left == list(oracle.remaining_categories(grant, at, known_at)), case
        assert status_of_consent(own, at, known_at) == oracle.consent_status(grants, at, known_at), case


DEFECTS: dict[str, Callable[..., object]] = {
    "_released_until": lambda candidate, *_: candidate.until,
    "_parties_are_open": lambda *_: True,
    "_gates_are_open": lambda *_: True,
    "_may_be_shared": lambda *_: True,
    "_is_ticked": lambda *_: True,
    "covers_others": lambda *_: True,
    "_is_for": lambda *_: True,
    "_lasts_until": lambda grant: grant.valid_until,
    "permitted_categories": lambda grant, _: frozenset(grant.category_ids),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_switched_on_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with one check of `decide` switched off, the comparison finds a difference."""
    # Each is one of nine steps inside `decide`; as arguments they would be nine ways to call it wrongly.
    monkeypatch.setattr(decisions, name, DEFECTS[name])
    assert next(differences(scenarios.seeded_scenarios(3, 4_000)), None) is not None
