"""The form rules match a handwritten copy of the table in docs/rules.md, row by row."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.berlin import midnight_in_berlin
from consent_registry.domain.law.form import (
    FORM_RULES,
    FormRule,
    find_rule,
    form_is_sufficient,
    stricter,
)
from tests.domain.cases import MICROSECOND

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 15, tzinfo=UTC)
OLD_KDG = datetime(2025, 11, 15, tzinfo=UTC)
METHODS = ("written", "signature_pad", "electronic", "oral")

# regime, day, special category → the methods that do, then those that do with special circumstances on record.
KEEPS = {
    ("sgb_x", NOW, False): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("sgb_x", NOW, True): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("gdpr_bdsg", NOW, False): (set(METHODS), set(METHODS)),
    ("gdpr_bdsg", NOW, True): (set(METHODS), set(METHODS)),
    ("kdg", OLD_KDG, False): ({"written"}, set(METHODS)),
    ("kdg", OLD_KDG, True): ({"written"}, set(METHODS)),
    ("kdg", NOW, False): (set(METHODS), set(METHODS)),
    ("kdg", NOW, True): (set(METHODS), set(METHODS)),
    ("dsg_ekd", NOW, False): (set(METHODS), set(METHODS)),
    ("dsg_ekd", NOW, True): (set(METHODS), set(METHODS)),
    ("dsg_nrw", NOW, False): (set(METHODS), set(METHODS)),
    ("dsg_nrw", NOW, True): (set(METHODS), set(METHODS)),
}


def rule_of(regime: str, at: datetime, *, special: bool) -> FormRule:
    """The rule of a regime for a special category (health) or another one (identity)."""
    rule = find_rule(regime, "health" if special else "identity", at, special=special)
    assert rule is not None
    return rule


@pytest.mark.parametrize(("row", "method", "circumstances"), list(product(KEEPS, METHODS, (False, True))))
def test_form(row: tuple[str, datetime, bool], method: str, circumstances: bool) -> None:
    """A method is valid exactly where the table says so."""
    regime, at, special = row
    kept = form_is_sufficient(rule_of(regime, at, special=special), method, special_circumstances=circumstances)  # type: ignore[arg-type]
    assert kept == (method in KEEPS[row][circumstances])


@pytest.mark.parametrize("regime", ["sgb_x", "gdpr_bdsg", "kdg", "dsg_ekd", "dsg_nrw"])
def test_before_the_first_rule_is_a_gap(regime: str) -> None:
    """Before a regime's first rule there is no rule, so a consent is refused."""
    assert find_rule(regime, "identity", datetime(2018, 5, 1, tzinfo=UTC), special=False) is None


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(
    ("regime", "first_day"),
    [
        ("sgb_x", date(2018, 5, 25)),
        ("gdpr_bdsg", date(2018, 5, 25)),
        ("kdg", date(2018, 5, 24)),
        ("dsg_ekd", date(2025, 5, 1)),
        ("dsg_nrw", date(2018, 5, 25)),
    ],
)
def test_a_regimes_first_rule_begins_on_its_day(regime: str, first_day: date, special: bool) -> None:
    """A regime's first rule begins at German midnight, not a microsecond before."""
    midnight = datetime(first_day.year, first_day.month, first_day.day, tzinfo=BERLIN).astimezone(UTC)
    found = [find_rule(regime, "health", midnight - back, special=special) for back in (MICROSECOND, timedelta())]
    assert found[0] is None
    assert found[1] is not None


def test_the_kdg_of_2018_ends_where_that_of_2026_begins() -> None:
    """The KDG requires the written form until the end of February 2026 and a provable one from 1 March, without gap or
    overlap.
    """
    march = datetime(2026, 3, 1, tzinfo=BERLIN).astimezone(UTC)
    holding = [[rule.form for rule in FORM_RULES if rule.regime == "kdg" and rule.holds(at)] for at in around(march)]
    assert holding == [["written"], ["provable"], ["provable"]]


def test_what_a_rule_does_not_say_is_strict() -> None:
    """Another form is valid only if a rule says so."""
    rule = FormRule(regime="kdg", form="written", norm="§", since=date(2018, 1, 1))
    assert not form_is_sufficient(rule, "oral", special_circumstances=True)


def test_a_flow_that_says_something_special_needs_the_special_rule() -> None:
    """If the mere transfer reveals special data, the rule for special categories applies to every category."""
    for category in ("identity", "biometric", "health"):
        rule = find_rule("sgb_x", category, NOW, special=False, by_its_flow=True)
        assert rule is not None
        assert rule.norm == "§ 67b Abs. 2 Satz 2 SGB X"
        assert find_rule("kdg", category, NOW, special=False, by_its_flow=True) is not None
        assert rule.covers(category, special=True) is (category == "health")


@pytest.mark.parametrize("category", ["health", "mental-health", "protected-identity"])
def test_social_law_names_its_special_categories(category: str) -> None:
    """Each category that § 67b SGB X names has the rule for special categories."""
    rule = find_rule("sgb_x", category, NOW, special=True)
    assert rule is not None
    assert rule.form == "written_or_electronic"


def around(at: datetime) -> list[datetime]:
    """The moment, with a microsecond before and after."""
    return [at - MICROSECOND, at, at + MICROSECOND]


def test_an_unknown_special_category_is_a_gap_in_social_law() -> None:
    """A special category that social law does not name has no rule there."""
    assert find_rule("sgb_x", "biometric", NOW, special=True) is None


@pytest.mark.parametrize(
    ("regime", "last_day"), [("kdg", date(2026, 2, 28)), ("dsg_ekd", date(2025, 4, 30)), ("sgb_x", date(2018, 5, 24))]
)
def test_rules_change_at_midnight_in_berlin(regime: str, last_day: date) -> None:
    """The old rule is in force until a microsecond before German midnight, the new one from midnight."""
    midnight = datetime(last_day.year, last_day.month, last_day.day, tzinfo=BERLIN) + timedelta(days=1)
    instant = midnight.astimezone(UTC)
    before = find_rule(regime, "identity", instant - timedelta(microseconds=1), special=False)
    after = find_rule(regime, "identity", instant, special=False)
    assert after is not None
    assert before != after


def test_the_stricter_side_wins() -> None:
    """Between an association under the old KDG and a Jobcenter the written form is required in both directions; of
    equal rules the first is named.
    """
    kdg, sgb = rule_of("kdg", OLD_KDG, special=False), rule_of("sgb_x", OLD_KDG, special=False)
    assert stricter(kdg, sgb) is kdg
    assert stricter(sgb, kdg) is kdg
    provable = rule_of("kdg", NOW, special=False), rule_of("gdpr_bdsg", NOW, special=False)
    assert stricter(*provable) is provable[0]
    assert stricter(*reversed(provable)) is provable[1]


@given(st.dates(min_value=date(1997, 1, 1), max_value=date(2099, 12, 31)))
def test_german_midnight_is_the_time_zone_databases(day: date) -> None:
    """German midnight agrees with the time zone database, clock changes included."""
    assert midnight_in_berlin(day) == datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
