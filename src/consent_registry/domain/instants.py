"""Instants on the wire: RFC 3339, UTC, exactly six decimals (api.md, head)."""

from datetime import UTC, datetime

import msgspec

INSTANT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$(?!\n)"
# The driver takes the calendar's first and last moments for PostgreSQL's infinities, which come back without a zone;
# and two years after a valid instant must exist as well.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def format_instant(at: datetime) -> str:
    """An aware UTC datetime as `2026-11-20T09:30:00.000000Z`."""
    text: str = msgspec.to_builtins(at)  # a tenth of isoformat's time, but without decimals on the full second
    return text if at.microsecond else f"{text[:-1]}.000000Z"


def parse_instant(text: str) -> datetime:
    """The datetime of a text that matches INSTANT_PATTERN; raises ValueError for a day or time that does not exist, and
    outside the years 1900 to 8999.
    """
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if not EARLIEST <= at < LATEST:
        raise ValueError("only the years 1900 to 8999 are known here")
    return at
