"""Age bands and the month of coming of age, by the German calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest

from consent_registry.domain.berlin import months_later
from consent_registry.domain.law.ages import fits_band, month_text, of_one_person
from consent_registry.domain.law.proposed import AgeBand

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
BANDS: tuple[AgeBand, ...] = ("under_14", "14", "15_17", "adult")


def month_after(months: int) -> date:
    """The first day of the month so many months after November 2026."""
    year, month = divmod(2026 * 12 + 10 + months, 12)
    return date(year, month + 1, 1)


@pytest.mark.parametrize(
    ("band", "fewest", "most"), [("under_14", 48, 216), ("14", 36, 48), ("15_17", 1, 36), ("adult", -900, 0)]
)
def test_the_month_of_coming_of_age_fits_the_band(band: AgeBand, fewest: int, most: int) -> None:
    """§ 2 BGB: a client under 14 comes of age 48 to 216 months later, one of 14 36 to 48, one of 15 to 17 1 to 36."""
    for months in (-900, -1, 0, 1, 2, 35, 36, 37, 47, 48, 49, 100, 215, 216, 217, 400):
        assert fits_band(month_after(months), band, NOW) == (fewest <= months <= most), months


def test_the_months_are_counted_in_germany() -> None:
    """The last hour of November in UTC is December in Berlin."""
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert fits_band(date(2026, 12, 1), "15_17", late - timedelta(hours=1))
    assert not fits_band(date(2026, 12, 1), "15_17", late)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 3, 31), 1, date(2026, 4, 30)),
        (date(2026, 12, 5), 1, date(2027, 1, 5)),
        (date(2028, 2, 29), -168, date(2014, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
    ],
)
def test_months_later(day: date, months: int, later: date) -> None:
    """A month without that day ends earlier."""
    assert months_later(day, months) == later


def test_a_month_is_written_with_its_year_first() -> None:
    """As the wire contract has it."""
    assert month_text(date(2027, 4, 1)) == "2027-04"


@pytest.mark.parametrize(
    ("first", "second", "days", "possible"),
    [
        # Bands only rise.
        ("adult", "15_17", 1, False),
        ("15_17", "14", 1, False),
        ("14", "under_14", 400, False),
        ("adult", "under_14", 0, False),
        # They stay as long as a person can stay in them.
        ("under_14", "under_14", 13 * 365, True),
        ("under_14", "under_14", 15 * 365, False),
        ("14", "14", 364, True),
        ("14", "14", 367, False),
        ("15_17", "15_17", 3 * 365, True),
        ("15_17", "15_17", 3 * 365 + 3, False),
        ("adult", "adult", 40 * 365, True),
        # They rise no faster than time.
        ("under_14", "14", 1, True),
        ("under_14", "15_17", 360, False),
        ("under_14", "15_17", 370, True),
        ("under_14", "adult", 4 * 365 - 3, False),
        ("under_14", "adult", 4 * 365 + 3, True),
        ("14", "adult", 3 * 365 - 3, False),
        ("14", "adult", 3 * 365 + 3, True),
        ("15_17", "adult", 1, True),
        ("15_17", "adult", 0, False),
    ],
)
def test_bands_of_one_person(first: AgeBand, second: AgeBand, days: int, possible: bool) -> None:
    """Two bands at two times can be one person's only if some birthday fits both."""
    later = NOW + timedelta(days=days)
    assert of_one_person(first, NOW, second, later) is possible
    assert of_one_person(second, later, first, NOW) is possible


@pytest.mark.parametrize("band", BANDS)
def test_at_one_time_a_person_has_one_band(band: AgeBand) -> None:
    """Two bands at the same instant contradict each other."""
    assert [second for second in BANDS if of_one_person(band, NOW, second, NOW)] == [band]


def test_a_birthday_is_in_one_band_only() -> None:
    """A person is under 14 until the day before the fourteenth birthday, and 14 on it."""
    day_before = datetime(2026, 11, 19, 9, tzinfo=UTC)
    assert of_one_person("under_14", day_before, "14", NOW)
    assert of_one_person("14", NOW, "15_17", datetime(2027, 11, 20, 9, tzinfo=UTC))
    assert not of_one_person("14", NOW, "14", datetime(2027, 11, 20, 9, tzinfo=UTC))
    assert of_one_person("14", NOW, "14", datetime(2027, 11, 19, 9, tzinfo=UTC))
