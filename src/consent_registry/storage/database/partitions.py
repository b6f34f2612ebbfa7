"""Statements for the monthly partitions of `registry.events`: creates them ahead of time (docs/design/log.md)."""

import asyncpg
import msgspec

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.database import Connection

MONTHS_AHEAD = 13
# With fewer months ahead, the housekeeping has failed for almost a year.
FEWEST_AHEAD = 2


class PartitionState(msgspec.Struct, frozen=True):
    """For how many months after this one partitions exist without a gap (-1: not even for this month), and whether the
    DEFAULT partition holds rows.
    """

    months_ahead: int
    default_holds_rows: bool


async def make_event_partitions(connection: Connection, *, without_limit: bool = False) -> int:
    """Create the partitions for the coming months. Returns how many were created.

    Rows of such a month in the DEFAULT partition are moved. If they are too many to move while decisions run, nothing
    is created, unless `without_limit`.
    """
    if without_limit:
        return int(await connection.fetchval("select registry.make_event_partitions($1, null)", MONTHS_AHEAD))
    return int(await connection.fetchval("select registry.make_event_partitions($1)", MONTHS_AHEAD))


async def settle_partitions(dsn: str) -> int:
    """Create all missing partitions as the migrator, however long it takes. Returns how many were created."""
    connection = await connect(dsn)
    try:
        return await make_event_partitions(connection, without_limit=True)
    finally:
        await connection.close()


async def partition_state(connection: Connection | asyncpg.Connection) -> PartitionState:
    """How far the partitions reach, read from PostgreSQL's catalogue without locks."""
    row = await connection.fetchrow(
        """
        select coalesce(min(n) filter (where c.oid is null), $1 + 1) - 1 as months_ahead,
            pg_relation_size('registry.events_default') > 0 as default_holds_rows
        from generate_series(0, $1) n
        left join (pg_inherits i join pg_class c on c.oid = i.inhrelid and i.inhparent = 'registry.events'::regclass)
            on c.relname = 'events_' || to_char(
                date_trunc('month', statement_timestamp() at time zone 'UTC') + make_interval(months => n), 'YYYYMM')
        """,
        MONTHS_AHEAD,
    )
    return PartitionState(**dict(row or {}))


async def require_this_month(connection: asyncpg.Connection) -> None:
    """Create missing partitions. Raises Unusable if this month still has none afterwards."""
    if (await partition_state(connection)).months_ahead >= FEWEST_AHEAD:
        return
    reason = "they are too many rows to be moved now"
    try:
        await make_event_partitions(connection)
    except asyncpg.PostgresError as error:
        reason = str(error).partition("\n")[0]
    if (await partition_state(connection)).months_ahead < 0:
        raise Unusable(
            f"registry.events has no partition for this month and none can be made ({reason}): run "
            "`consent-registry migrate`"
        )
