"""The database's clock as this process knows it. It decides; should it be set back, what was over stays over."""

from datetime import UTC, datetime

from consent_registry.storage.database.database import Connection
from consent_registry.storage.log.append import latest_event_at

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Clock:
    """The latest time that the database told this process, or had written into a network's log before it began.

    Nothing is judged *as of* that time: decisions carry the database's own. But a consent that had ended by then does
    not count again because somebody set the clock back.
    """

    def __init__(self) -> None:
        self._latest = _LONG_AGO
        self._read: set[int] = set()

    def note(self, at: datetime) -> None:
        """The database said that it is this late."""
        self._latest = max(self._latest, at)

    async def latest(self, connection: Connection, network_id: int, now: datetime) -> datetime:
        """The latest time known, at least `now`; a network's log is asked once in the life of a process."""
        if network_id not in self._read:
            self.note(await latest_event_at(connection, network_id) or _LONG_AGO)
            self._read.add(network_id)
        self.note(now)
        return self._latest
