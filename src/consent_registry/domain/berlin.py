"""Days and months in Germany: a law's "from 1 March" means midnight in Europe/Berlin."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# From the package tzdata where the machine has no time zone database of its own.
_BERLIN = ZoneInfo("Europe/Berlin")


def midnight_in_berlin(day: date) -> datetime:
    """The instant (UTC) at which this day begins in Germany."""
    return datetime.combine(day, time.min, _BERLIN).astimezone(UTC)


def day_in_berlin(instant: datetime) -> date:
    """The day that it is in Germany at this instant."""
    return instant.astimezone(_BERLIN).date()


def days_later_in_berlin(instant: datetime, days: int) -> datetime:
    """The instant (UTC) at which a clock in Germany shows the same time so many days later."""
    return (instant.astimezone(_BERLIN) + timedelta(days=days)).astimezone(UTC)


def months_later(day: date, months: int) -> date:
    """The same day so many months later (negative: earlier); the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for number in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, number)
        except ValueError:
            continue
    raise AssertionError  # pragma: no cover - every month has 28 days


def months_later_in_berlin(instant: datetime, months: int) -> datetime:
    """The instant (UTC) at which a clock in Germany shows the same time of day so many months later (§ 188 Abs. 2, 3
    BGB: on the same day, or on the month's last day where it has no such day).
    """
    here = instant.astimezone(_BERLIN)
    return datetime.combine(months_later(here.date(), months), here.timetz()).astimezone(UTC)
