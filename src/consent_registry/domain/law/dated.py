"""Rows of the law's tables that hold from one German day to another."""

from datetime import date, datetime, timedelta

import msgspec

from consent_registry.domain.berlin import midnight_in_berlin


class Dated(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its first day and its last day, both included; `until` None means open."""

    since: date
    until: date | None = None

    def holds(self, at: datetime) -> bool:
        """Whether the row was in force at this instant, by days in Germany."""
        if at < midnight_in_berlin(self.since):
            return False
        return self.until is None or at < midnight_in_berlin(self.until + timedelta(days=1))
