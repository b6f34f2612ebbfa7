"""What has to be done now and then: stored answers forgotten, partitions of the log made ahead."""

from consent_registry.storage.database import Connection

PARTITIONS_AHEAD = 13


async def make_event_partitions(connection: Connection) -> int:
    """Make the partitions of events for the months to come; returns how many were made."""
    made = await connection.fetchval("select registry.make_event_partitions($1)", PARTITIONS_AHEAD)
    return int(made or 0)
