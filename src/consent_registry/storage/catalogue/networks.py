"""Statements for networks, the tenants. Names of networks are public; row-level security protects their data."""

from datetime import datetime

from consent_registry.domain.catalogue import Network
from consent_registry.storage.database.database import Connection


async def list_networks(connection: Connection) -> list[Network]:
    """All networks of this installation, in the order of their numbers."""
    rows = await connection.fetch(
        "select network_id, slug, name, about, log_origin from registry.networks order by network_id"
    )
    return [Network(**dict(row)) for row in rows]


async def add_network(connection: Connection, network: Network, *, demonstration: bool, at: datetime) -> None:
    """Add a network."""
    await connection.execute(
        """
        insert into registry.networks
            (network_id, slug, name, about, log_origin, demonstration, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        network.network_id,
        network.slug,
        network.name,
        network.about,
        network.log_origin,
        demonstration,
        at,
    )


async def is_demonstration(connection: Connection) -> bool:
    """Whether this database holds demonstration data."""
    return bool(await connection.fetchval("select exists (select from registry.networks where demonstration)"))
