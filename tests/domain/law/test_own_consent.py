"""The rows for clients who decide alone, each with its norm and its days; copied by hand from the table of the law."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import msgspec
import pytest

from consent_registry.domain.law.capacity import capacity_refusals
from consent_registry.domain.law.own_consent import OWN_CONSENT_ROWS, find_own_consent_row
from consent_registry.domain.law.proposed import AgeBand, Giver
from tests.domain.cases import MICROSECOND
from tests.domain.law.law_cases import consent_by, grant_between

BERLIN = ZoneInfo("Europe/Berlin")
CONSENT, INSIGHT, EKD = "Art. 4 Nr. 11 DSGVO", "§ 36 Abs. 1 Satz 1 SGB I", "§ 12 DSG-EKD; § 5 RelKErzG"
# regime, age band, since, until, what is asked for, norm, whether a DPO confirms it
ROWS: tuple[tuple[str, AgeBand, str, str | None, str, str, bool], ...] = (
    ("sgb_x", "under_14", "2018-05-25", None, "own_counselling", "§ 8 Abs. 3 SGB VIII", True),
    ("sgb_x", "14", "2018-05-25", None, "insight", INSIGHT, False),
    ("sgb_x", "15_17", "2018-05-25", None, "nothing", INSIGHT, False),
    ("sgb_x", "adult", "2018-05-25", None, "nothing", CONSENT, False),
    ("gdpr_bdsg", "under_14", "2018-05-25", None, "own_counselling", CONSENT, True),
    ("gdpr_bdsg", "14", "2018-05-25", None, "insight", CONSENT, False),
    ("gdpr_bdsg", "15_17", "2018-05-25", None, "insight", CONSENT, False),
    ("gdpr_bdsg", "adult", "2018-05-25", None, "nothing", CONSENT, False),
    ("dsg_nrw", "under_14", "2018-05-25", None, "own_counselling", CONSENT, True),
    ("dsg_nrw", "14", "2018-05-25", None, "insight", CONSENT, False),
    ("dsg_nrw", "15_17", "2018-05-25", None, "insight", CONSENT, False),
    ("dsg_nrw", "adult", "2018-05-25", None, "nothing", CONSENT, False),
    ("kdg", "under_14", "2018-05-24", "2026-02-28", "own_counselling", "§ 8 Abs. 8 KDG", True),
    ("kdg", "under_14", "2026-03-01", None, "own_counselling", "§ 8 KDG", True),
    ("kdg", "14", "2018-05-24", None, "insight", "§ 8 KDG", True),
    ("kdg", "15_17", "2018-05-24", None, "insight", "§ 8 KDG", True),
    ("kdg", "adult", "2018-05-24", None, "nothing", "§ 4 Nr. 13 KDG", True),
    ("dsg_ekd", "under_14", "2018-05-24", "2025-04-30", "own_counselling", "§ 12 DSG-EKD", True),
    ("dsg_ekd", "14", "2018-05-24", "2025-04-30", "insight", "§ 12 DSG-EKD", True),
    ("dsg_ekd", "15_17", "2018-05-24", "2025-04-30", "insight", "§ 12 DSG-EKD", True),
    ("dsg_ekd", "under_14", "2025-05-01", None, "own_counselling", EKD, True),
    ("dsg_ekd", "14", "2025-05-01", None, "nothing", EKD, True),
    ("dsg_ekd", "15_17", "2025-05-01", None, "nothing", EKD, True),
    ("dsg_ekd", "adult", "2018-05-24", None, "nothing", "§ 4 Nr. 13 DSG-EKD", True),
)
IDS = [f"{row[0]}-{row[1]}-{row[2]}" for row in ROWS]
# Of what is asked for: the givers that have it.
HAVE = {
    "nothing": {(False, False), (False, True), (True, False), (True, True)},
    "insight": {(True, False), (True, True)},
    "own_counselling": {(True, True)},
}
REGIMES = ("sgb_x", "gdpr_bdsg", "dsg_nrw", "kdg", "dsg_ekd")


def midnight(day: str) -> datetime:
    """When this day begins in Germany."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), BERLIN).astimezone(UTC)


def test_there_is_no_other_row() -> None:
    """The product's table has these rows in this order, and each names what it is from."""
    assert [
        (row.regime, row.age_band, str(row.since), row.until and str(row.until), row.asks, row.norm, row.to_confirm)
        for row in OWN_CONSENT_ROWS
    ] == list(ROWS)


@pytest.mark.parametrize(("regime", "band", "since", "until", "asks", "norm", "_"), ROWS, ids=IDS)
def test_each_row_holds_on_its_days(
    regime: str, band: AgeBand, since: str, until: str | None, asks: str, norm: str, _: bool
) -> None:
    """From German midnight of its first day to the end of its last, and not a microsecond longer."""
    first = midnight(since)
    inside = [first, first + timedelta(days=30)]
    outside = [first - MICROSECOND]
    if until is not None:
        end = midnight(until) + timedelta(days=1)
        inside.append(end - MICROSECOND)
        outside.append(end)
    for at in inside:
        row = find_own_consent_row(regime, band, at)
        assert row is not None
        assert (row.asks, row.norm) == (asks, norm)
    for at in outside:
        row = find_own_consent_row(regime, band, at)
        assert row is None or (row.since, row.until) != (date.fromisoformat(since), until and date.fromisoformat(until))


@pytest.mark.parametrize(("regime", "band", "since", "until", "asks", "norm", "_"), ROWS, ids=IDS)
def test_each_row_decides_who_gives_alone(
    regime: str, band: AgeBand, since: str, until: str | None, asks: str, norm: str, _: bool
) -> None:
    """With what the row asks for the client decides alone; otherwise `capacity` is refused with the row's norm."""
    at = midnight(until or since) + timedelta(hours=12)
    for assessed, counselling in product((False, True), (False, True)):
        giver = Giver("self", band, "B-12" if assessed else None, direct_counselling=counselling)
        faults = list(capacity_refusals(consent_by(giver, grant_between(regime, regime), at=at)))
        expected = [] if (assessed, counselling) in HAVE[asks] else [("capacity", "/giver", norm)]
        assert [(fault.rule, fault.pointer, fault.norm) for fault in faults] == expected
    lacking = Giver("self", band, "B-12", insight="lacking", direct_counselling=True)
    (fault,) = capacity_refusals(consent_by(lacking, grant_between(regime, regime), at=at))
    assert (fault.rule, fault.pointer, fault.norm) == ("insight", "/giver/insight", norm)


@pytest.mark.parametrize(("first", "second"), list(product(REGIMES, REGIMES)))
@pytest.mark.parametrize("band", ["under_14", "14", "15_17", "adult"])
def test_both_sides_must_allow_it(first: str, second: str, band: AgeBand) -> None:
    """Between two regimes the client decides alone where both allow it, whichever is the sender."""

    def allowed(sender: str, recipient: str) -> bool:
        return not list(capacity_refusals(consent_by(Giver("self", band), grant_between(sender, recipient))))

    assert allowed(first, second) == (allowed(first, first) and allowed(second, second)) == allowed(second, first)


def test_insight_names_who_assessed_it() -> None:
    """`insight` without `insight_assessed_by` is refused where the row asks for no insight, too."""
    for insight, assessed, rules in (
        ("present", None, ["insight"]),
        ("present", "B-12", []),
        (None, "B-12", []),
    ):
        giver = msgspec.structs.replace(Giver("self", "adult"), insight=insight, insight_assessed_by=assessed)
        faults = list(capacity_refusals(consent_by(giver)))
        assert [fault.rule for fault in faults] == rules
        assert all(fault.pointer == "/giver/insight_assessed_by" and fault.norm == CONSENT for fault in faults)


def test_who_refuses_everything_needs_no_age() -> None:
    """A client of any age may refuse: capacity is asked for where something is given."""
    refused = grant_between("gdpr_bdsg", "sgb_x", answer="refused")
    for giver in (Giver("self", "under_14"), Giver("self", "14", insight="lacking"), Giver("parent", "15_17")):
        assert list(capacity_refusals(consent_by(giver, refused))) == []
    given = grant_between("gdpr_bdsg", "sgb_x")
    assert [fault.rule for fault in capacity_refusals(consent_by(Giver("self", "14"), refused, given))] == ["capacity"]
