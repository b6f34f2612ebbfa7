"""Decisions, statuses and form rules are right a microsecond around every boundary, and around clock changes in
Germany.
"""

import calendar
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_registry.domain import decisions
from consent_registry.domain.grants import status_of, status_of_consent
from consent_registry.domain.law.form import (
    circumstances_count,
    find_rule,
    form_is_sufficient,
    stricter,
)
from consent_registry.domain.law.form_rows import HEALTH
from consent_registry.domain.law.own_consent import find_own_consent_row
from consent_registry.domain.law.proposed import AgeBand, Giver, Method, SpecialCircumstances
from tests.domain.adapter import World, make_grant
from tests.domain.cases import MICROSECOND
from tests.domain.test_against_oracle import difference
from tests.oracle import form_oracle, oracle, scenario_format, scenarios

T = TypeVar("T")
BERLIN = ZoneInfo("Europe/Berlin")
AROUND = (-MICROSECOND, timedelta(), MICROSECOND)
REGIMES = ("sgb_x", "gdpr_bdsg", "kdg", "dsg_ekd", "dsg_nrw", None)
METHODS: tuple[Method, ...] = ("written", "signature_pad", "electronic", "oral")
CIRCUMSTANCES: tuple[SpecialCircumstances | None, ...] = (None, "urgency", "cannot_write", "remote", "other")
BANDS: tuple[AgeBand, ...] = ("under_14", "14", "15_17", "adult")
CATEGORIES = {
    "identity": False,
    "contact": False,
    "health": True,
    "mental-health": True,
    "protected-identity": True,
    "biometric": True,
}


def clock_change(year: int, month: int) -> datetime:
    """The clock change in that March or October: the last Sunday at 01:00 UTC."""
    last = max(week[calendar.SUNDAY] for week in calendar.monthcalendar(year, month))
    return datetime(year, month, last, 1, tzinfo=UTC)


CHANGES = [clock_change(year, month) for year in range(2018, 2036) for month in (3, 10)]
# The days on which a rule begins or ends, as German midnights.
MIDNIGHTS = [
    datetime(*day, tzinfo=BERLIN).astimezone(UTC)
    for day in ((2018, 5, 24), (2018, 5, 25), (2025, 5, 1), (2026, 2, 28), (2026, 3, 1), (2026, 3, 2))
]
NEAR = st.builds(
    lambda at, hours, offset: at + timedelta(hours=hours) + offset,
    st.sampled_from(CHANGES + MIDNIGHTS),
    st.sampled_from((0, 0, 0, -24, -3, -2, -1, 1, 2, 3, 21, 22, 23, 24)),
    st.sampled_from(AROUND),
)


def changed_times(value: T, change: Callable[[datetime], datetime]) -> T:
    """The same facts with every instant changed."""
    found: Any = value
    if isinstance(found, datetime):
        found = change(found)
    elif isinstance(found, dict):
        found = {name: changed_times(value, change) for name, value in found.items()}
    elif isinstance(found, list):
        found = [changed_times(value, change) for value in found]
    return found  # type: ignore[no-any-return]


def instants_of(value: object) -> Iterator[datetime]:
    """Every instant in these facts."""
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from instants_of(member)


def moved_to(facts: T, old: datetime, new: datetime) -> T:
    """The same facts, moved so that the old instant becomes the new one."""
    return changed_times(facts, lambda at: at + (new - old))


def answered_wrong(scenario: scenario_format.Scenario) -> str | None:
    """The difference to the oracle's answer, or None."""
    world = World(scenario)
    return difference(scenario, decisions.decide(world.question, world.rules, world.grants, world.now))


def test_clocks_change_there() -> None:
    """At each of these instants, and not a microsecond before, Germany's offset changes."""
    for change in CHANGES:
        before, after = (at.astimezone(BERLIN).utcoffset() for at in (change - MICROSECOND, change))
        assert before != after


@settings(deadline=None)
@given(scenarios.scenarios(), st.sampled_from(CHANGES))
def test_decisions_agree_around_every_boundary(scenario: scenario_format.Scenario, change: datetime) -> None:
    """A question at every instant of a scenario, and a microsecond around it, gets the oracle's answer, also on a clock
    change.
    """
    for boundary in sorted(set(instants_of(scenario))):
        for offset in AROUND:
            asked: scenario_format.Scenario = {**scenario, "now": boundary + offset}
            assert answered_wrong(asked) is None
            assert answered_wrong(moved_to(asked, boundary, change)) is None


@settings(deadline=None)
@given(scenarios.status_cases(), st.sampled_from(CHANGES))
def test_statuses_agree_around_every_boundary(case: scenario_format.StatusCase, change: datetime) -> None:
    """Statuses agree with the oracle at every instant of a case, and a microsecond around it, also on a
    clock change.
    """
    boundaries = sorted(set(instants_of(case)))
    for boundary in boundaries:
        here = moved_to(case, boundary, change)
        for at in (change + offset for offset in AROUND):
            for known_at in (here["known_at"], *(change + offset for offset in AROUND)):
                assert_same_statuses(here["grants"], at, known_at)
                assert_same_statuses(here["grants"], known_at, at)


def assert_same_statuses(grants: list[scenario_format.Grant], at: datetime, known_at: datetime) -> None:
    """Grants and their consent have the oracle's status."""
    slugs = {slug: number for number, slug in enumerate(sorted({s for g in grants for s in g["categories"]}), 1)}
    own = [make_grant(grant, slugs, "consent") for grant in grants]
    assert [status_of(grant, at, known_at) for grant in own] == [oracle.grant_status(g, at, known_at) for g in grants]
    assert status_of_consent(own, at, known_at) == oracle.consent_status(grants, at, known_at)


def test_times_by_the_wall_clock_are_found() -> None:
    """Control: with German times of day, which occur twice in October, answers differ from the oracle's."""
    october = clock_change(2026, 10)
    found = 0
    for scenario in scenarios.seeded_scenarios(5, 1_000):
        here = moved_to(scenario, scenario["now"], october)
        local = changed_times(here, lambda at: at.astimezone(BERLIN))
        world = World(local)
        found += difference(here, decisions.decide(world.question, world.rules, world.grants, world.now)) is not None
    assert found


@settings(max_examples=500, deadline=None)
@given(
    st.tuples(st.sampled_from(REGIMES), st.sampled_from(REGIMES)),
    st.sampled_from(sorted(CATEGORIES)),
    NEAR,
    st.booleans(),
    st.sampled_from(METHODS),
    st.sampled_from(CIRCUMSTANCES),
)
def test_forms_agree_by_the_german_calendar(
    sides: tuple[str | None, str | None],
    category: str,
    at: datetime,
    by_its_flow: bool,
    method: Method,
    circumstances: SpecialCircumstances | None,
) -> None:
    """For two regimes on any day product and oracle have the same gaps, the same stricter form and the same valid
    methods.
    """
    special = CATEGORIES[category]
    rules = [find_rule(side, category, at, special=special, by_its_flow=by_its_flow) for side in sides]
    forms = [form_oracle.form_needed(side, category, at, special=special, by_its_flow=by_its_flow) for side in sides]
    assert [None if rule is None else rule.required for rule in rules] == forms
    (mine, theirs), (form, another) = rules, forms
    if mine is not None and theirs is not None and form is not None and another is not None:
        strict, needed = stricter(mine, theirs), form_oracle.stricter_form(form, another)
        assert strict.required == needed
        counts = circumstances_count(circumstances, is_health=by_its_flow or category in HEALTH)
        assert counts == form_oracle.circumstances_count(circumstances, category, by_its_flow=by_its_flow)
        kept = form_is_sufficient(strict, method, special_circumstances=counts)
        assert kept == form_oracle.form_is_sufficient(needed, method, special_circumstances=counts)


@pytest.mark.parametrize(("insight", "counselling"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("band", BANDS)
@given(st.sampled_from(REGIMES), NEAR)
def test_ages_agree_by_the_german_calendar(
    band: AgeBand, insight: bool, counselling: bool, regime: str | None, at: datetime
) -> None:
    """Product and oracle agree on which ages may consent alone under the row of that day."""
    row = find_own_consent_row(regime, band, at)
    if row is not None:
        giver = Giver("self", band, "B-12" if insight else None, direct_counselling=counselling)
        assert row.is_met_by(giver) == form_oracle.decides_alone(
            row.regime, band, at, insight_assessed=insight, direct_counselling=counselling
        )
    assert (row is None) == (regime is None or at < _first_day(regime))


def _first_day(regime: str) -> datetime:
    """The German midnight at which the table's rows for a regime begin: the churches' a day before the DSGVO."""
    return datetime(2018, 5, 24 if regime in {"kdg", "dsg_ekd"} else 25, tzinfo=BERLIN)
