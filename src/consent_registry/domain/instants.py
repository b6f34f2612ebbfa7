"""Instants on the wire: RFC 3339, UTC, exactly six decimals (api.md, head)."""

from datetime import UTC, datetime

INSTANT_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"


def format_instant(at: datetime) -> str:
    """An aware UTC datetime as `2026-11-20T09:30:00.000000Z`."""
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def parse_instant(text: str) -> datetime:
    """The datetime of a text that matches INSTANT_PATTERN; raises ValueError for a day or time that does not exist."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
