"""Days in Germany: a law's "from 1 March" means midnight in Europe/Berlin."""

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
