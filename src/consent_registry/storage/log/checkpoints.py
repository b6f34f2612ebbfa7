"""Statements for published checkpoints, the list of logs to seal, and the sealers' leader election."""

import msgspec

from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_SEALER


class PublishedCheckpoint(msgspec.Struct, frozen=True):
    """A published checkpoint: tree size, root (32 bytes), exact bytes of the signed note, and age in seconds."""

    size: int
    root: bytes
    note: bytes
    age: float


class NetworkLog(msgspec.Struct, frozen=True):
    """A network's log: the network's number and slug, the log's origin, and its number of leaves."""

    network_id: int
    slug: str
    origin: str
    size: int


async def try_to_lead(connection: Connection) -> bool:
    """Take the sealers' lock for this session, unless another session holds it. The lock elects a leader; it does not
    stop a former leader from signing (`signed_heads.py` does).
    """
    return bool(await connection.fetchval("select pg_try_advisory_lock($1, 0)", LOCK_SEALER))


async def list_logs(connection: Connection) -> list[NetworkLog]:
    """The logs of all networks."""
    rows = await connection.fetch("select network_id, slug, log_origin, log_size from registry.log_sizes()")
    return [NetworkLog(*row) for row in rows]


async def latest_checkpoint(connection: Connection, network_id: int) -> PublishedCheckpoint | None:
    """The published checkpoint of the largest tree; if several have this size, the last one."""
    row = await connection.fetchrow(
        """
        select size, root, note, extract(epoch from statement_timestamp() - published_at)::float8 as age
        from registry.checkpoints where network_id = $1 order by size desc, published_at desc limit 1
        """,
        network_id,
    )
    return None if row is None else PublishedCheckpoint(**dict(row))


async def add_checkpoint(connection: Connection, network_id: int, size: int, root: bytes, note: bytes) -> None:
    """Publish a checkpoint. It becomes the latest of its size, even if the database's clock was set back."""
    await connection.execute(
        """
        insert into registry.checkpoints (network_id, size, published_at, root, note)
        values ($1, $2, greatest(statement_timestamp(), (
            select max(c.published_at) + interval '1 microsecond' from registry.checkpoints c
            where c.network_id = $1 and c.size = $2)), $3, $4)
        """,
        network_id,
        size,
        root,
        note,
    )


async def thin_checkpoints(connection: Connection, network_id: int) -> int:
    """Delete checkpoints older than a day, except the last of each hour. Returns how many were deleted."""
    return int(await connection.fetchval("select registry.thin_checkpoints($1)", network_id))
