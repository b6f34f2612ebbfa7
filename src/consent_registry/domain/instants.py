"""Instants on the wire: requests accept any RFC 3339 date-time, answers use UTC with six decimals."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

import msgspec

# The form of an instant in an answer.
INSTANT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$(?!\n)"
AnsweredInstant = Annotated[
    str,
    msgspec.Meta(
        pattern=INSTANT_PATTERN, description="UTC, six decimals and Z.", examples=["2026-11-20T09:30:00.000000Z"]
    ),
]
# The form of an instant in a request. `parse_instant` also checks that the day and time exist.
DATE_TIME_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$(?!\n)"
)
# RFC 3339 section 5.6; its `T` and `Z` may be lower-case. PostgreSQL keeps microseconds, so there are six decimals.
_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
# asyncpg maps the calendar's first and last moments to PostgreSQL's infinities and reads those back without a zone.
# Also, two years after a valid instant must exist.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
FORM = (
    "must be an RFC 3339 date-time with an offset and at most six decimals, like 2026-11-20T09:30:00Z or "
    "2026-11-20T10:30:00.5+01:00"
)
_NO_DAY = "must name a day and a time of day that exist (hours 00 to 23, offset at most 23:59)"
_LEAP = "may have the second 60 only where UTC can have one: 23:59:60 on the last day of June or December"
_YEARS = "must be within the years 1900 to 8999"


class NotAnInstant(ValueError):
    """The text is no instant. The message is the rule that it breaks."""


def format_instant(at: datetime) -> str:
    """An aware UTC datetime as `2026-11-20T09:30:00.000000Z`."""
    text: str = msgspec.to_builtins(at)  # ten times as fast as isoformat, but without decimals on the full second
    return text if at.microsecond else f"{text[:-1]}.000000Z"


def parse_instant(text: str) -> datetime:
    """The UTC datetime of an RFC 3339 date-time; raises NotAnInstant with the rule that the text breaks.

    The offset `-00:00` is UTC (section 4.3). A leap second is the instant after it, as POSIX counts (section 5.7).
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise NotAnInstant(FORM)
    is_leap = found[6] == "60"
    try:
        year, month, day, hour, minute, second = (int(found[place]) for place in range(1, 7))
        microsecond = int((found[7] or "").ljust(6, "0"))
        zone = _zone(found[8], found[9], found[10])
        local = datetime(year, month, day, hour, minute, 59 if is_leap else second, microsecond, zone)
        at = local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAnInstant(_NO_DAY) from error
    if is_leap:
        at = _after_leap_second(at)
    if not EARLIEST <= at < LATEST:
        raise NotAnInstant(_YEARS)
    return at


def _zone(sign: str | None, hours: str | None, minutes: str | None) -> timezone:
    """The time zone of an offset. Raises ValueError beyond 23:59."""
    if sign is None or hours is None or minutes is None:
        return UTC
    if int(minutes) > 59:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(minutes)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def _after_leap_second(at: datetime) -> datetime:
    """The instant after the leap second that follows `at`. Raises NotAnInstant if UTC can have no leap second there."""
    second = at.replace(microsecond=0)
    if (at.month, at.day, at.hour, at.minute) not in {(6, 30, 23, 59), (12, 31, 23, 59)}:
        raise NotAnInstant(_LEAP)
    return second + timedelta(seconds=1)
