"""Reading events whole: some places of the log, or a stretch of it in its order."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.storage.database.database import Connection

# Recipients, purposes and outcomes that a decision may have; None for any.
Flow = tuple[Sequence[int] | None, Sequence[int] | None, Sequence[int] | None]


class Place(msgspec.Struct, frozen=True):
    """Where an event stands and when it happened, which finds its partition."""

    index: int
    at: datetime


class OwnEvent(msgspec.Struct, frozen=True):
    """An event of one of this transaction's partners, whole."""

    place: Place
    event_id: str
    client_id: str | None
    recipient_id: int | None
    purpose_id: int | None
    kind: int
    outcome: int | None
    person: str | None
    nonce: bytes
    event: bytes


class Wanted(msgspec.Struct, frozen=True):
    """Which events of one actor; None is any. `client_ids` also lets questions about nobody through, because whom they
    were about is told by opening them.
    """

    actor_id: int
    kinds: tuple[int, ...]
    flow: Flow
    person: str | None
    client_ids: list[str] | None
    since: datetime
    until: datetime


async def read_stretch(connection: Connection, network_id: int, start: int, end: int, wanted: Wanted) -> list[OwnEvent]:
    """Wanted events from place `start` to before `end`, oldest first; of this transaction's partners alone."""
    rows = await connection.fetch(
        """
        select e.log_index, e.at, e.event_id, e.client_id, e.recipient_id, e.purpose_id, e.kind, e.outcome, e.person,
            e.nonce, e.event
        from registry.events e
        where e.network_id = $1 and e.log_index >= $2 and e.log_index < $3 and e.actor_id = $4
          and e.kind = any ($5::smallint[])
          and ($6::integer[] is null or e.recipient_id = any ($6))
          and ($7::smallint[] is null or e.purpose_id = any ($7))
          and ($8::smallint[] is null or e.outcome = any ($8))
          and ($9::text is null or e.person = $9)
          and ($10::uuid[] is null or e.client_id = any ($10) or e.client_id is null and e.kind = 1)
          and e.at >= $11 and e.at < $12
        order by e.log_index
        """,
        network_id,
        start,
        end,
        wanted.actor_id,
        wanted.kinds,
        *wanted.flow,
        wanted.person,
        wanted.client_ids,
        wanted.since,
        wanted.until,
    )
    return [own_event_of(row) for row in rows]


async def read_events(connection: Connection, network_id: int, places: Sequence[Place]) -> list[OwnEvent]:
    """What stands at these places, as far as it is this transaction's partners' own; newest first."""
    rows = await connection.fetch(
        """
        select e.log_index, e.at, e.event_id, e.client_id, e.recipient_id, e.purpose_id, e.kind, e.outcome, e.person,
            e.nonce, e.event
        from unnest($2::bigint[], $3::timestamptz[]) as p (log_index, at)
        join registry.events e on e.network_id = $1 and e.log_index = p.log_index and e.at = p.at
        order by e.log_index desc
        """,
        network_id,
        [one.index for one in places],
        [one.at for one in places],
    )
    return [own_event_of(row) for row in rows]


def own_event_of(row: asyncpg.Record) -> OwnEvent:
    """The event that such a row holds."""
    client_id = None if row["client_id"] is None else str(row["client_id"])
    return OwnEvent(
        Place(row["log_index"], row["at"]),
        str(row["event_id"]),
        client_id,
        row["recipient_id"],
        row["purpose_id"],
        row["kind"],
        row["outcome"],
        row["person"],
        row["nonce"],
        row["event"],
    )
