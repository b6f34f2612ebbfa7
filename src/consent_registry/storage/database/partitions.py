"""The monthly partitions of the log's events: made ahead, and how far they reach (docs/design/log.md)."""

import asyncpg
import msgspec

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.database import Connection

MONTHS_AHEAD = 13
# Fewer months ahead than this: whatever makes them has not worked for almost a year.
FEWEST_AHEAD = 2


class PartitionState(msgspec.Struct, frozen=True):
    """How many months after this one have a partition without a gap (-1: not even this one), and whether the DEFAULT
    partition, which takes what no other takes, holds rows.
    """

    months_ahead: int
    default_holds_rows: bool


async def make_event_partitions(connection: Connection, *, whatever_it_takes: bool = False) -> int:
    """Make the partitions of events for the months to come; returns how many were made.

    Rows of such a month that DEFAULT took are moved there. Where they are too many to be moved while decisions are
    made, nothing is made, unless `whatever_it_takes`.
    """
    if whatever_it_takes:
        return int(await connection.fetchval("select registry.make_event_partitions($1, null)", MONTHS_AHEAD))
    return int(await connection.fetchval("select registry.make_event_partitions($1)", MONTHS_AHEAD))


async def settle_partitions(dsn: str) -> int:
    """As the migrator: make what is missing, however long it takes; returns how many were made."""
    connection = await connect(dsn)
    try:
        return await make_event_partitions(connection, whatever_it_takes=True)
    finally:
        await connection.close()


async def partition_state(connection: Connection | asyncpg.Connection) -> PartitionState:
    """How far the partitions reach, from the catalogue of PostgreSQL: nothing is locked."""
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
    """Make the partitions that are missing; raises Unusable when not even this month's can be made."""
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
