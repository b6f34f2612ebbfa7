"""Days in Germany: a law's "from 1 March" means midnight in Europe/Berlin."""

from datetime import UTC, date, datetime, timedelta


def midnight_in_berlin(day: date) -> datetime:
    """The instant (UTC) at which this day begins in Germany; summer time since 1996 (Directive 2000/84/EC, EU rule)."""
    offset = 2 if _last_sunday(day.year, 3) < day <= _last_sunday(day.year, 10) else 1
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=offset)


def _last_sunday(year: int, month: int) -> date:
    """The last Sunday of a month of 31 days: clocks change at 01:00 UTC, after midnight of that day."""
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)
