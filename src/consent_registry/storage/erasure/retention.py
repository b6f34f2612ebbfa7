"""Retention: the eraser's functions that count and remove what is due, and each network's periods."""

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.errors import Conflict
from consent_registry.storage.database.database import Connection
from consent_registry.storage.erasure.erasures import RemovalRecord


class Terms(msgspec.Struct, frozen=True):
    """A network's periods in calendar years, and the moments before which uses and consents must have ended."""

    use_years: int
    consent_years: int
    uses_before: datetime
    consents_before: datetime


class DueStep(Terms, frozen=True):
    """The next step (None when nothing is due): how many consents or clients, and its places in the log."""

    step: str | None
    consents: int
    clients: int
    indices: list[tuple[int, int]]
    places: int


class Due(Terms, frozen=True):
    """All that is due now: uses by kind (number), consents with their events, clients; and how many are held."""

    uses: dict[str, int]
    consents: int
    events_of_consents: int
    clients: int
    held: int


async def count_due(connection: Connection, network_id: int) -> Due:
    """Everything that is due in a network, counted."""
    found = await connection.fetchval("select registry.count_retention($1)", network_id)
    return msgspec.json.decode(found, type=Due)


async def next_step(connection: Connection, network_id: int, limit: int) -> DueStep:
    """What goes next, at most `limit` uses, consents or clients."""
    found = await connection.fetchval("select registry.survey_retention($1, $2)", network_id, limit)
    return msgspec.json.decode(found, type=DueStep)


async def retain(
    connection: Connection, network_id: int, limit: int, at: datetime, record: RemovalRecord
) -> int | None:
    """Let the next step go. Returns the place of the record.

    The record must list exactly what goes: raises Conflict when something else is due by now.
    """
    place: int | None
    try:
        place = await connection.fetchval(
            "select registry.retain($1, $2, $3, $4, $5, $6, $7)",
            network_id,
            limit,
            at,
            *msgspec.structs.astuple(record),
        )
    except asyncpg.SerializationError as error:
        raise Conflict("Something else is due by now.") from error
    return place


async def drop_empty_partitions(connection: Connection) -> int:
    """Drop the log's partitions of past months that are empty; returns how many."""
    dropped: int = await connection.fetchval("select registry.drop_empty_event_partitions()")
    return dropped


async def proof_periods(connection: Connection, network_id: int, client_ids: list[str]) -> tuple[int, datetime | None]:
    """How many of these clients' consents are within their period as proof, and until when the last of them is."""
    row = await connection.fetchrow("select * from registry.proof_periods($1, $2::uuid[])", network_id, client_ids)
    return (0, None) if row is None else (row["running"], row["until"])


async def read_terms(connection: Connection, network_id: int) -> Terms:
    """A network's periods as they are now."""
    row: Any = await connection.fetchrow("select * from registry.retention_terms($1)", network_id)
    return Terms(*row)


async def add_periods(
    connection: Connection, network_id: int, period_id: str, use_years: int, consent_years: int, at: datetime
) -> None:
    """Set a network's periods from now on."""
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
