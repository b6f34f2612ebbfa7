"""Days in Germany begin at the right instant, also around changes of the clocks."""

from datetime import UTC, date, datetime, timedelta

import pytest

from consent_registry.domain.berlin import (
    day_in_berlin,
    days_later_in_berlin,
    midnight_in_berlin,
    months_later_in_berlin,
)


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        (date(2026, 3, 28), datetime(2026, 3, 27, 23, tzinfo=UTC)),
        (date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),  # clocks change three hours later
        (date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (date(2026, 10, 25), datetime(2026, 10, 24, 22, tzinfo=UTC)),  # and here
        (date(2026, 10, 26), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        (date(2030, 3, 31), datetime(2030, 3, 30, 23, tzinfo=UTC)),  # the last Sunday is the month's last day
        (date(2030, 4, 1), datetime(2030, 3, 31, 22, tzinfo=UTC)),
        (date(2027, 10, 31), datetime(2027, 10, 30, 22, tzinfo=UTC)),
        (date(2027, 11, 1), datetime(2027, 10, 31, 23, tzinfo=UTC)),
    ],
)
def test_midnights_where_clocks_change(day: date, midnight: datetime) -> None:
    """The Sunday of a clock change begins by the old time, the Monday by the new one."""
    assert midnight_in_berlin(day) == midnight


def test_every_midnight_of_forty_years() -> None:
    """Every day from 2000 to 2039 begins by the rule of Directive 2000/84/EC: summer time from the day after the last
    Sunday in March to the last Sunday in October.
    """
    day = date(2000, 1, 1)
    while day < date(2040, 1, 1):
        summer = _last_sunday(day.year, 3) < day <= _last_sunday(day.year, 10)
        expected = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2 if summer else 1)
        assert midnight_in_berlin(day) == expected
        day += timedelta(days=1)


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 11, 30, 22, 59, 59, 999999, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 23, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2026, 6, 30, 22, tzinfo=UTC), date(2026, 7, 1)),
    ],
)
def test_the_day_in_germany(instant: datetime, day: date) -> None:
    """A day begins at German midnight, in winter and in summer."""
    assert day_in_berlin(instant) == day


@pytest.mark.parametrize(
    ("instant", "later"),
    [
        (datetime(2026, 11, 2, 9, tzinfo=UTC), datetime(2026, 11, 30, 9, tzinfo=UTC)),
        (datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 10, 29, 10, tzinfo=UTC)),  # winter time began
        (datetime(2026, 3, 15, 9, tzinfo=UTC), datetime(2026, 4, 12, 8, tzinfo=UTC)),  # summer time began
    ],
)
def test_four_weeks_later_the_clock_shows_the_same(instant: datetime, later: datetime) -> None:
    """Days are counted by the German clock, whatever the clocks do in between."""
    assert days_later_in_berlin(instant, 28) == later


@pytest.mark.parametrize(
    ("begins", "months", "ends"),
    [
        # 1 March 2026, 00:30 in Berlin: by UTC it would be the last day of February, and end a day too early.
        ("2026-02-28T23:30", 24, "2028-02-29T23:30"),
        ("2026-03-31T21:59", 24, "2028-03-31T21:59"),  # 23:59 on the last day of March
        ("2026-03-31T22:00", 24, "2028-03-31T22:00"),  # midnight of 1 April
        ("2026-02-28T22:59:59.999999", 24, "2028-02-28T22:59:59.999999"),
        # The same time of day, in winter and in summer.
        ("2026-01-15T09:00", 6, "2026-07-15T08:00"),
        ("2026-07-15T08:00", 6, "2027-01-15T09:00"),
        # Months without the day end on their last one.
        ("2026-08-31T10:00", 6, "2027-02-28T11:00"),
        ("2027-08-31T10:00", 6, "2028-02-29T11:00"),
        ("2024-02-29T11:00", 24, "2026-02-28T11:00"),
        # 02:30 on the Sunday on which clocks go forward is shown by none: it is half past three.
        ("2025-03-29T01:30", 12, "2026-03-29T01:30"),
        # 02:30 is shown twice on the Sunday on which clocks go back: the first counts, or the one it began in.
        ("2025-10-25T00:30", 12, "2026-10-25T00:30"),
        ("2026-10-25T01:30", 12, "2027-10-25T00:30"),
    ],
)
def test_months_are_counted_by_the_german_calendar(begins: str, months: int, ends: str) -> None:
    """The same day and time of day in Germany, around changes of the clocks and ends of months."""
    at, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (begins, ends))
    assert months_later_in_berlin(at, months) == end
