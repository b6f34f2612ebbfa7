"""Statements for erasures, under the eraser's login, which may only call the database's functions."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Conflict
from consent_registry.storage.database.database import Connection

# Questions with unknown references are read in pages of this size; each has a few hundred bytes.
PAGE = 5000


class Survey(msgspec.Struct, frozen=True):
    """The stored data about a person: rows by table, events by kind, log indices of all events and of state events (as
    spans), the partners that take part, and the open holds.
    """

    tables: dict[str, int]
    events: dict[str, int]
    indices: list[tuple[int, int]]
    state: list[tuple[int, int]]
    partners: list[str]
    holds: list[dict[str, str]]


class RemovalRecord(msgspec.Struct, frozen=True):
    """The log entry that lists what a removal emptied, in the form that the database's functions take."""

    event_id: str
    event: bytes
    nonce: bytes
    leaf: bytes


class PersonReference(msgspec.Struct, frozen=True):
    """A partner's reference for a person, encrypted, with what it is bound to (associated_data.py). `before` is the log
    index of its registration: earlier questions with it were about an unknown client.
    """

    partner_id: int
    client_id: UUID
    digest: bytes
    ciphertext: bytes
    before: int | None


class ErasureMark(msgspec.Struct, frozen=True):
    """Values that change if a database was restored: its start, the number of its erasures, and the last
    erasure's id.
    """

    running_since: datetime
    erasures: int
    last: str | None


class UnknownClientQuestion(msgspec.Struct, frozen=True):
    """A decision with an unknown reference: its log index, nonce and bytes."""

    log_index: int
    nonce: bytes
    event: bytes


async def find_network(connection: Connection, slug: str) -> Network | None:
    """The network with this slug, or None."""
    row = await connection.fetchrow("select * from registry.removal_network($1)", slug)
    return None if row is None else Network(**dict(row))


async def find_client(connection: Connection, network_id: int, partner: str, digests: Sequence[bytes]) -> str | None:
    """The client of a partner's reference (partner by slug), found by one of these digests; or None."""
    found = await connection.fetchval(
        "select registry.find_client($1, $2, $3::bytea[])", network_id, partner, list(digests)
    )
    return None if found is None else str(found)


async def find_client_of_consent(connection: Connection, network_id: int, consent_id: str) -> str | None:
    """The client of this consent, or None."""
    found = await connection.fetchval("select registry.find_client_of_consent($1, $2)", network_id, consent_id)
    return None if found is None else str(found)


async def partner_number(connection: Connection, network_id: int, partner: str) -> int | None:
    """The number of the partner with this slug, or None."""
    number: int | None = await connection.fetchval("select registry.partner_number($1, $2)", network_id, partner)
    return number


async def clients_of_person(connection: Connection, network_id: int, client_id: str) -> list[str]:
    """All client numbers of the same person as this one; empty if it is unknown."""
    found = await connection.fetchval("select registry.clients_of_person($1, $2)", network_id, client_id)
    return [str(found_id) for found_id in found or ()]


async def known_clients(connection: Connection, network_id: int, client_ids: Sequence[str]) -> list[str]:
    """Those of these client numbers that are in the database."""
    found = await connection.fetchval("select registry.known_clients($1, $2::uuid[])", network_id, list(client_ids))
    return [str(found_id) for found_id in found]


async def lock_for_erasure(connection: Connection, network_id: int, client_ids: Sequence[str]) -> None:
    """Take the catalogue's shared lock, and the exclusive locks of these clients and their references, until the
    transaction ends.
    """
    await connection.execute("select registry.lock_clients($1, $2::uuid[])", network_id, list(client_ids))


async def survey_clients(connection: Connection, network_id: int, client_ids: Sequence[str]) -> Survey:
    """Survey the stored data about these clients."""
    found = await connection.fetchval("select registry.survey_clients($1, $2::uuid[])", network_id, list(client_ids))
    return msgspec.json.decode(found, type=Survey)


async def references_of(connection: Connection, network_id: int, client_ids: Sequence[str]) -> list[PersonReference]:
    """All partners' references for these clients."""
    rows = await connection.fetch("select * from registry.references_of($1, $2::uuid[])", network_id, list(client_ids))
    return [PersonReference(*row) for row in rows]


async def unknown_client_questions(
    connection: Connection, network_id: int, partner_id: int, before: int
) -> AsyncIterator[UnknownClientQuestion]:
    """Yield the partner's questions with unknown references before this log index, in order."""
    after = -1
    while True:
        rows = await connection.fetch(
            "select * from registry.questions_about_nobody($1, $2, $3, $4, $5)",
            network_id,
            partner_id,
            after,
            before,
            PAGE,
        )
        for row in rows:
            yield UnknownClientQuestion(*row)
        if len(rows) < PAGE:
            return
        after = rows[-1]["log_index"]


async def erase_clients(
    connection: Connection,
    network_id: int,
    client_ids: Sequence[str],
    questions: Sequence[int],
    ground: str,
    at: datetime,
    record: RemovalRecord,
) -> tuple[int, list[str]]:
    """Erase clients. Returns the log index of the record, and the event partitions from which events were deleted.

    The record must list exactly what is deleted; raises Conflict if it does not.
    """
    row: Any
    try:
        row = await connection.fetchrow(
            "select * from registry.erase_clients($1, $2::uuid[], $3, $4, $5, $6, $7, $8, $9)",
            network_id,
            list(client_ids),
            list(questions),
            ground,
            at,
            *msgspec.structs.astuple(record),
        )
    except asyncpg.SerializationError as error:
        raise Conflict("There is something else to erase by now. Preview again.") from error
    return row["log_index"], list(row["partitions"] or ())


async def erasure_mark(connection: Connection, network_id: int) -> ErasureMark:
    """The mark of a network's erasures, read with the application's login."""
    row: Any = await connection.fetchrow(
        """
        select pg_postmaster_start_time(), count(*), max(erasure_id::text)
        from registry.erasures where network_id = $1
        """,
        network_id,
    )
    return ErasureMark(*row)


async def erasure_ids(connection: Connection, network_id: int) -> set[str]:
    """The ids of all erasures of a network, read with the application's login."""
    rows = await connection.fetch("select erasure_id from registry.erasures where network_id = $1", network_id)
    return {str(row[0]) for row in rows}
