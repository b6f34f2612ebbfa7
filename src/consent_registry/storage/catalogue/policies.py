"""Statements for a network's policies; each version is a row."""

import msgspec

from consent_registry.domain.flags import Policies, PolicyVersion
from consent_registry.storage.database.database import Connection


async def load_policies(connection: Connection, network_id: int) -> PolicyVersion:
    """The policies in force. The caller holds the catalogue lock."""
    rows = await connection.fetch(
        """
        select version, policies::text, set_by, recorded_at from registry.policies
        where network_id = $1 order by version desc limit 1
        """,
        network_id,
    )
    (row,) = rows  # setting up a network adds the first version
    return PolicyVersion(row[0], msgspec.json.decode(row[1], type=Policies), row[2], row[3])


async def add_policies(connection: Connection, network_id: int, added: PolicyVersion) -> None:
    """Add a version of the policies. The caller holds the exclusive catalogue lock."""
    await connection.execute(
        """
        insert into registry.policies (network_id, version, policies, set_by, recorded_at)
        values ($1, $2, $3::jsonb, $4, $5)
        """,
        network_id,
        added.version,
        msgspec.json.encode(added.policies).decode(),
        added.set_by,
        added.recorded_at,
    )
