"""Statements for retention, under the eraser's login: what is due, its deletion, and each network's periods."""

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.errors import Conflict
from consent_registry.storage.database.database import Connection
from consent_registry.storage.erasure.erasures import RemovalRecord


class RetentionPeriods(msgspec.Struct, frozen=True):
    """A network's retention periods in calendar years. Uses and consents that ended before the two times are due."""

    use_years: int
    consent_years: int
    uses_before: datetime
    consents_before: datetime


class DueStep(RetentionPeriods, frozen=True):
    """The next deletion step (None if nothing is due): its consents or clients, and its log indices."""

    step: str | None
    consents: int
    clients: int
    indices: list[tuple[int, int]]
    places: int


class Due(RetentionPeriods, frozen=True):
    """The counts of everything that is due now: uses by kind, consents with their events, clients, and what
    holds keep.
    """

    uses: dict[str, int]
    consents: int
    events_of_consents: int
    clients: int
    held: int


async def count_due(connection: Connection, network_id: int) -> Due:
    """Count everything that is due in a network."""
    found = await connection.fetchval("select registry.count_retention($1)", network_id)
    return msgspec.json.decode(found, type=Due)


async def next_step(connection: Connection, network_id: int, limit: int) -> DueStep:
    """The next deletion step, with at most `limit` uses, consents or clients."""
    found = await connection.fetchval("select registry.survey_retention($1, $2)", network_id, limit)
    return msgspec.json.decode(found, type=DueStep)


async def retain(
    connection: Connection, network_id: int, limit: int, at: datetime, record: RemovalRecord
) -> int | None:
    """Delete what the next step lists. Returns the log index of the record.

    The record must list exactly what is deleted; raises Conflict if something else is due by now.
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
    """Drop empty event partitions of past months. Returns how many were dropped."""
    dropped: int = await connection.fetchval("select registry.drop_empty_event_partitions()")
    return dropped


async def proof_periods(connection: Connection, network_id: int, client_ids: list[str]) -> tuple[int, datetime | None]:
    """How many consents of these clients are still kept as proof, and when the last of these periods ends."""
    row = await connection.fetchrow("select * from registry.proof_periods($1, $2::uuid[])", network_id, client_ids)
    return (0, None) if row is None else (row["running"], row["until"])


async def read_periods(connection: Connection, network_id: int) -> RetentionPeriods:
    """A network's present retention periods."""
    row: Any = await connection.fetchrow("select * from registry.retention_terms($1)", network_id)
    return RetentionPeriods(*row)


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
