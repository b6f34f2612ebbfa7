"""Statements for retention, under the eraser's login: what the rules need, deletion, and each network's periods."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.errors import Conflict
from consent_registry.domain.retention_rules import ClientRecord, OldUse, PersonRecord, RetentionPeriods, periods_at
from consent_registry.storage.database.database import Connection
from consent_registry.storage.erasure.erasures import RemovalRecord

# A page of clients: the connection, the network, the moment before which, the client after which, how many at most.
ClientPageReader = Callable[[Connection, int, datetime, str | None, int], Coroutine[Any, Any, list[str]]]


async def read_periods(connection: Connection, network_id: int) -> RetentionPeriods:
    """A network's periods as they are now, and the moments that follow."""
    row: Any = await connection.fetchrow("select * from registry.retention_clock($1)", network_id)
    return periods_at(row["use_years"], row["consent_years"], row["now"])


async def held_clients(connection: Connection, network_id: int) -> frozenset[str]:
    """All clients of persons on whom a legal hold is open."""
    found = await connection.fetchval("select registry.held_clients($1)", network_id)
    return frozenset(str(client_id) for client_id in found)


async def old_uses(connection: Connection, network_id: int, before: datetime, after: int, limit: int) -> list[OldUse]:
    """Up to `limit` uses that are older than `before`, in the log's order, with a log index above `after`."""
    rows = await connection.fetch("select * from registry.old_uses($1, $2, $3, $4)", network_id, before, after, limit)
    return [OldUse(row[0], row[1], row[2], None if row[3] is None else str(row[3])) for row in rows]


async def count_old_uses(
    connection: Connection, network_id: int, before: datetime, without: Sequence[str]
) -> dict[int, int]:
    """The number of uses older than `before`, by kind (number), without the uses about the clients in `without`."""
    rows = await connection.fetch(
        "select * from registry.count_old_uses($1, $2, $3::uuid[])", network_id, before, without
    )
    return {row["kind"]: row["number"] for row in rows}


async def clients_with_consents(
    connection: Connection, network_id: int, before: datetime, after: str | None, limit: int
) -> list[str]:
    """Up to `limit` clients above the client number `after`, ascending, with a consent recorded before `before`."""
    rows = await connection.fetch(
        "select * from registry.clients_with_consents($1, $2, $3, $4)", network_id, before, after, limit
    )
    return [str(row[0]) for row in rows]


async def clients_without_consents(
    connection: Connection, network_id: int, before: datetime, after: str | None, limit: int
) -> list[str]:
    """Up to `limit` clients above the client number `after`, ascending, registered before `before` and without a
    consent.
    """
    rows = await connection.fetch(
        "select * from registry.clients_without_consents($1, $2, $3, $4)", network_id, before, after, limit
    )
    return [str(row[0]) for row in rows]


async def read_client_records(connection: Connection, network_id: int, client_ids: Sequence[str]) -> list[ClientRecord]:
    """The consents, transfers and log entries of each of these clients, in the order of the client numbers."""
    found = await connection.fetchval("select registry.retention_records($1, $2::uuid[])", network_id, client_ids)
    return msgspec.json.decode(found, type=list[ClientRecord])


async def read_person_records(connection: Connection, network_id: int, client_ids: Sequence[str]) -> list[PersonRecord]:
    """For each of these clients, what is recorded about the whole person."""
    rows = await connection.fetch("select * from registry.person_records($1, $2::uuid[])", network_id, client_ids)
    return [PersonRecord(str(row[0]), row[1], row[2], tuple(row[3]), row[4]) for row in rows]


async def retain(
    connection: Connection,
    network_id: int,
    consents: Sequence[str],
    clients: Sequence[str],
    places: Sequence[int],
    at: datetime,
    record: RemovalRecord,
) -> int:
    """Delete these consents, clients and log indices. Returns the log index of the record.

    The record must list exactly what is deleted. Raises Conflict if it does not, and if the database refuses.
    """
    place: int
    try:
        place = await connection.fetchval(
            "select registry.retain($1, $2::uuid[], $3::uuid[], $4::bigint[], $5, $6, $7, $8, $9)",
            network_id,
            consents,
            clients,
            places,
            at,
            *msgspec.structs.astuple(record),
        )
    except asyncpg.SerializationError as error:
        raise Conflict("Something else is due by now.") from error
    except asyncpg.RestrictViolationError as error:
        raise Conflict(f"The database keeps it: {error.message}.") from error
    return place


async def drop_empty_partitions(connection: Connection) -> int:
    """Drop empty event partitions of past months. Returns how many were dropped."""
    dropped: int = await connection.fetchval("select registry.drop_empty_event_partitions()")
    return dropped


async def add_periods(
    connection: Connection, network_id: int, period_id: str, use_years: int, consent_years: int, at: datetime
) -> None:
    """Set a network's retention periods."""
    await connection.execute(
        """
        insert into registry.retention_periods (network_id, period_id, use_years, consent_years, recorded_at)
        values ($1, $2, $3, $4, $5)
        """,
        network_id,
        period_id,
        use_years,
        consent_years,
        at,
    )
