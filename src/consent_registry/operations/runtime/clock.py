"""The latest time that a process knows. When the database's clock is set back, what had ended stays ended."""

from datetime import UTC, datetime

from consent_registry.storage.database.database import Connection
from consent_registry.storage.log.append import latest_event_at

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Clock:
    """The latest time that this process read from the database's clock or from a network's log.

    Decisions carry the database's own time, not this one. But a consent that had ended by this time does not become
    valid again because somebody set the clock back.
    """

    def __init__(self) -> None:
        self._latest = _LONG_AGO
        self._read: set[int] = set()

    def note(self, at: datetime) -> None:
        """Keep this time, read from the database's clock, if it is later than the latest one known."""
        self._latest = max(self._latest, at)

    async def latest(self, connection: Connection, network_id: int, now: datetime) -> datetime:
        """The latest time known, at least `now`. The time of a network's last event is read once per process."""
        if network_id not in self._read:
            self.note(await latest_event_at(connection, network_id) or _LONG_AGO)
            self._read.add(network_id)
        self.note(now)
        return self._latest
