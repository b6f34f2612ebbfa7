"""The form rules match a handwritten copy of the table in docs/rules.md, row by row."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.berlin import midnight_in_berlin
from consent_registry.domain.law.form import circumstances_count, find_rule, form_is_sufficient, stricter
from consent_registry.domain.law.form_rows import FORM_RULES, FORMS, FormRule
from consent_registry.domain.law.proposed import SpecialCircumstances
from tests.domain.cases import MICROSECOND

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 15, tzinfo=UTC)
OLD_KDG = datetime(2025, 11, 15, tzinfo=UTC)
OLD_EKD = datetime(2025, 3, 15, tzinfo=UTC)
METHODS = ("written", "signature_pad", "electronic", "oral")

# regime, day, special category → the methods that do, then those that do with special circumstances on record.
KEEPS = {
    ("sgb_x", NOW, False): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("sgb_x", NOW, True): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("gdpr_bdsg", NOW, False): (set(METHODS), set(METHODS)),
    ("gdpr_bdsg", NOW, True): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("kdg", OLD_KDG, False): ({"written"}, set(METHODS)),
    ("kdg", OLD_KDG, True): ({"written"}, set(METHODS)),
    ("kdg", NOW, False): (set(METHODS), set(METHODS)),
    ("kdg", NOW, True): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("dsg_ekd", OLD_EKD, False): (set(METHODS), set(METHODS)),
    ("dsg_ekd", OLD_EKD, True): (set(METHODS), set(METHODS)),
    ("dsg_ekd", NOW, False): (set(METHODS), set(METHODS)),
    ("dsg_ekd", NOW, True): ({"written", "signature_pad", "electronic"}, set(METHODS)),
    ("dsg_nrw", NOW, False): (set(METHODS), set(METHODS)),
    ("dsg_nrw", NOW, True): ({"written", "signature_pad", "electronic"}, set(METHODS)),
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
        ("dsg_ekd", date(2018, 5, 24)),
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
    assert holding == [["written"] * 2, ["provable"] * 2, ["provable"] * 2]  # one row is for special data


# Regime, data, first and last day | form of the law | form of the register | norm | whether a DPO confirms it.
TABLE = """
sgb_x not special 2018-05-25 - | written_or_electronic_preferred | - | § 67b Abs. 2 Satz 1 SGB X | no
sgb_x health,mental-health 2018-05-25 - | written_or_electronic | - \
| § 67b Abs. 2 Satz 2 SGB X; Art. 9 Abs. 2 lit. a DSGVO | no
sgb_x protected-identity 2018-05-25 - | written_or_electronic_preferred | written_or_electronic \
| § 67b Abs. 2 Satz 1 SGB X; Art. 9 Abs. 2 lit. a DSGVO | no
gdpr_bdsg not special 2018-05-25 - | provable | - | Art. 7 Abs. 1 DSGVO | no
gdpr_bdsg special 2018-05-25 - | provable | written_or_electronic \
| Art. 7 Abs. 1 DSGVO; Art. 9 Abs. 2 lit. a DSGVO | no
dsg_nrw not special 2018-05-25 - | provable | - | Art. 7 Abs. 1 DSGVO | no
dsg_nrw special 2018-05-25 - | provable | written_or_electronic \
| Art. 7 Abs. 1 DSGVO; Art. 9 Abs. 2 lit. a DSGVO | no
kdg not special 2018-05-24 2026-02-28 | written | - | § 8 Abs. 2 Satz 1 KDG | no
kdg special 2018-05-24 2026-02-28 | written | - \
| § 8 Abs. 2 Satz 1 KDG; § 8 Abs. 4 KDG; § 11 Abs. 2 lit. a KDG | no
kdg not special 2026-03-01 - | provable | - | § 8 Abs. 1 KDG | yes
kdg special 2026-03-01 - | provable | written_or_electronic | § 8 Abs. 1 KDG; § 11 Abs. 2 lit. a KDG | yes
dsg_ekd any 2018-05-24 2025-04-30 | provable | - | § 11 Abs. 1 DSG-EKD | yes
dsg_ekd not special 2025-05-01 - | provable | - | § 11 Abs. 1 DSG-EKD | yes
dsg_ekd special 2025-05-01 - | provable | written_or_electronic \
| § 11 Abs. 1 DSG-EKD; § 13 Abs. 2 Nr. 1 DSG-EKD | yes
"""


def row_of(rule: FormRule) -> list[str]:
    """A row of the product in the words of the table here."""
    data = ",".join(sorted(rule.categories or ())) or {None: "any", True: "special", False: "not special"}[rule.special]
    head = f"{rule.regime} {data} {rule.since} {rule.until or '-'}"
    return [head, rule.form, rule.register_form or "-", rule.norm, "yes" if rule.to_confirm else "no"]


def test_every_row_is_the_tables() -> None:
    """Regime, data, days, both forms, norm and who confirms, for each row and no other."""
    table = [[cell.strip() for cell in line.split(" | ")] for line in TABLE.strip().splitlines()]
    assert [row_of(rule) for rule in FORM_RULES] == table


def test_of_the_registers_form_and_the_laws_the_stricter_counts() -> None:
    """No row's register form is weaker than its law."""
    for rule in FORM_RULES:
        assert rule.required == min(rule.form, rule.register_form or rule.form, key=FORMS.index)


@pytest.mark.parametrize("circumstances", [None, "urgency", "cannot_write", "remote", "other"])
@pytest.mark.parametrize("is_health", [False, True])
def test_which_circumstances_count(circumstances: SpecialCircumstances | None, is_health: bool) -> None:
    """Each that is on record, but for `other` with data about health."""
    expected = circumstances in {"urgency", "cannot_write", "remote"} or (circumstances == "other" and not is_health)
    assert circumstances_count(circumstances, is_health=is_health) is expected


def test_what_a_rule_does_not_say_is_strict() -> None:
    """Another form is valid only if a rule says so."""
    rule = FormRule(regime="kdg", form="written", norm="§", since=date(2018, 1, 1))
    assert not form_is_sufficient(rule, "oral", special_circumstances=True)


def test_a_flow_that_says_something_special_needs_the_special_rule() -> None:
    """If the mere transfer reveals special data, the rule for special categories applies to every category."""
    for category in ("identity", "biometric", "health"):
        rule = find_rule("sgb_x", category, NOW, special=False, by_its_flow=True)
        assert rule is not None
        assert rule.norm == "§ 67b Abs. 2 Satz 2 SGB X; Art. 9 Abs. 2 lit. a DSGVO"
        assert find_rule("kdg", category, NOW, special=False, by_its_flow=True) is not None
        assert rule.covers(category, special=True) is (category == "health")


@pytest.mark.parametrize("category", ["health", "mental-health", "protected-identity"])
def test_social_law_names_its_special_categories(category: str) -> None:
    """Each special category of the catalogue needs paper or an electronic form: health by the law (§ 67b Abs. 2 Satz 2
    SGB X), protected identity by the register's own rule.
    """
    rule = find_rule("sgb_x", category, NOW, special=True)
    assert rule is not None
    assert rule.required == "written_or_electronic"
    assert (rule.register_form is None) is (category != "protected-identity")


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
