"""The form and capacity rules, row by row, against a table written out by hand from domain.md 3.7 and api.md 5."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.berlin import midnight_in_berlin
from consent_registry.domain.form_rules import FormRule, find_rule, form_is_kept, may_decide_alone, stricter

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 15, tzinfo=UTC)
OLD_KDG = datetime(2025, 11, 15, tzinfo=UTC)
METHODS = ("written", "signature_pad", "electronic", "oral")
BANDS = ("under_14", "14", "15_17", "adult")

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
# regime, day → the ages that decide alone, then those that do with assessed insight.
ALONE = {
    ("sgb_x", NOW): ({"15_17", "adult"}, set(BANDS)),
    ("gdpr_bdsg", NOW): ({"adult"}, set(BANDS)),
    ("kdg", OLD_KDG): ({"adult"}, set(BANDS)),
    ("kdg", NOW): ({"adult"}, set(BANDS)),
    ("dsg_ekd", NOW): ({"14", "15_17", "adult"}, {"14", "15_17", "adult"}),
    ("dsg_nrw", NOW): ({"adult"}, set(BANDS)),
}


def rule_of(regime: str, at: datetime, *, special: bool) -> FormRule:
    """The rule of a regime for a special category (health) or another one (identity)."""
    rule = find_rule(regime, "health" if special else "identity", at, special=special)
    assert rule is not None
    return rule


@pytest.mark.parametrize(("row", "method", "circumstances"), list(product(KEEPS, METHODS, (False, True))))
def test_form(row: tuple[str, datetime, bool], method: str, circumstances: bool) -> None:
    """A method keeps the form exactly where the table says so."""
    regime, at, special = row
    kept = form_is_kept(rule_of(regime, at, special=special), method, special_circumstances=circumstances)  # type: ignore[arg-type]
    assert kept == (method in KEEPS[row][circumstances])


@pytest.mark.parametrize(("row", "band", "assessed"), list(product(ALONE, BANDS, (False, True))))
def test_capacity(row: tuple[str, datetime], band: str, assessed: bool) -> None:
    """A client decides alone exactly where the table says so."""
    rule = rule_of(row[0], row[1], special=False)
    assert may_decide_alone(rule, band, insight_assessed=assessed) == (band in ALONE[row][assessed])  # type: ignore[arg-type]


@pytest.mark.parametrize("regime", ["sgb_x", "gdpr_bdsg", "kdg", "dsg_ekd", "dsg_nrw"])
def test_before_the_first_rule_is_a_gap(regime: str) -> None:
    """A day before the regime's first rule has none, so that nothing is allowed by silence."""
    assert find_rule(regime, "identity", datetime(2018, 5, 1, tzinfo=UTC), special=False) is None


def test_an_unknown_special_category_is_a_gap_in_social_law() -> None:
    """Social law's rule for special categories names them; one it does not name has no rule."""
    assert find_rule("sgb_x", "biometric", NOW, special=True) is None


@pytest.mark.parametrize(
    ("regime", "last_day"), [("kdg", date(2026, 2, 28)), ("dsg_ekd", date(2025, 4, 30)), ("sgb_x", date(2018, 5, 24))]
)
def test_rules_change_at_midnight_in_berlin(regime: str, last_day: date) -> None:
    """One microsecond before German midnight the old rule holds, at midnight the new one."""
    midnight = datetime(last_day.year, last_day.month, last_day.day, tzinfo=BERLIN) + timedelta(days=1)
    instant = midnight.astimezone(UTC)
    before = find_rule(regime, "identity", instant - timedelta(microseconds=1), special=False)
    after = find_rule(regime, "identity", instant, special=False)
    assert after is not None
    assert before != after


def test_the_stricter_side_wins() -> None:
    """Between an association under the old KDG and a Jobcenter the written form is needed, either way round."""
    kdg, sgb = rule_of("kdg", OLD_KDG, special=False), rule_of("sgb_x", OLD_KDG, special=False)
    assert stricter(kdg, sgb) is kdg
    assert stricter(sgb, kdg) is kdg


@given(st.dates(min_value=date(1997, 1, 1), max_value=date(2099, 12, 31)))
def test_german_midnight_is_the_time_zone_databases(day: date) -> None:
    """German midnight by our rule is the one of the time zone database, clock changes included."""
    assert midnight_in_berlin(day) == datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
