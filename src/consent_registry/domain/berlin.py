"""Days in Germany: a law's "from 1 March" means midnight in Europe/Berlin."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

# From the package tzdata where the machine has no time zone database of its own.
_BERLIN = ZoneInfo("Europe/Berlin")


def midnight_in_berlin(day: date) -> datetime:
    """The instant (UTC) at which this day begins in Germany."""
    return datetime.combine(day, time.min, _BERLIN).astimezone(UTC)
