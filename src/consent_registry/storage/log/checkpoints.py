"""Published checkpoints, the logs there are to seal, and who of several sealers leads."""

import msgspec

from consent_registry.storage.database.database import Connection

# Beside the classes of the house's locks, and none of them: it is held for a session, by sealers only.
LOCK_SEALER = 6 << 20


class Published(msgspec.Struct, frozen=True):
    """A published checkpoint: tree size, root (32 bytes), the signed note's exact bytes, and its age in seconds."""

    size: int
    root: bytes
    note: bytes
    age: float


class Log(msgspec.Struct, frozen=True):
    """One network's log: its number and slug, the log's origin, and how many leaves it has."""

    network_id: int
    slug: str
    origin: str
    size: int


async def try_to_lead(connection: Connection) -> bool:
    """Take the sealers' lock for this session unless another session has it. It elects; it is no fence."""
    return bool(await connection.fetchval("select pg_try_advisory_lock($1, 0)", LOCK_SEALER))


async def list_logs(connection: Connection) -> list[Log]:
    """Every network's log, in one statement."""
    rows = await connection.fetch("select network_id, slug, log_origin, log_size from registry.log_sizes()")
    return [Log(*row) for row in rows]


async def latest_checkpoint(connection: Connection, network_id: int) -> Published | None:
    """The published checkpoint of the largest tree, of several the last one."""
    row = await connection.fetchrow(
        """
        select size, root, note, extract(epoch from statement_timestamp() - published_at)::float8 as age
        from registry.checkpoints where network_id = $1 order by size desc, published_at desc limit 1
        """,
        network_id,
    )
    return None if row is None else Published(**dict(row))


async def add_checkpoint(connection: Connection, network_id: int, size: int, root: bytes, note: bytes) -> None:
    """Publish a checkpoint. It is the latest of its size from then on, also when the database's clock was set back."""
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
    """Of checkpoints older than a day keep the last of each hour; returns how many went."""
    return int(await connection.fetchval("select registry.thin_checkpoints($1)", network_id))
