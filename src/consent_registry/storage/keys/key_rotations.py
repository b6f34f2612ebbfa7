"""The key rotations that a network's log has recorded."""

from datetime import datetime

from consent_registry.storage.database.database import Connection


async def add_key_rotation(connection: Connection, network_id: int, key_file: str, key_id: str, at: datetime) -> bool:
    """Record that the log has an event for this key. Returns False if it was recorded before, also by a transaction
    that has not committed yet.
    """
    return bool(
        await connection.fetchval(
            """
            insert into registry.key_rotations (network_id, key_file, key_id, recorded_at) values ($1, $2, $3, $4)
            on conflict do nothing returning true
            """,
            network_id,
            key_file,
            key_id,
            at,
        )
    )
