"""Statements that read whole events: at given places of the log, or in a range of it."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.storage.database.database import Connection

# The recipients, purposes and outcomes to search for; None means any.
FlowFilter = tuple[Sequence[int] | None, Sequence[int] | None, Sequence[int] | None]


class EventPlace(msgspec.Struct, frozen=True):
    """An event's log index, and its time, which finds its partition."""

    index: int
    at: datetime


class OwnEvent(msgspec.Struct, frozen=True):
    """A whole event whose actor is one of this transaction's partners."""

    place: EventPlace
    event_id: str
    client_id: str | None
    recipient_id: int | None
    purpose_id: int | None
    kind: int
    outcome: int | None
    person: str | None
    nonce: bytes
    event: bytes


class WantedEvents(msgspec.Struct, frozen=True):
    """The events to search for, of one actor; None means any. With `client_ids`, questions with unknown references
    match too, because the caller must open an event to see which reference it is about.
    """

    actor_id: int
    kinds: tuple[int, ...]
    flow: FlowFilter
    person: str | None
    client_ids: list[str] | None
    since: datetime
    until: datetime


async def read_stretch(
    connection: Connection, network_id: int, start: int, end: int, wanted: WantedEvents
) -> list[OwnEvent]:
    """The wanted events with start <= index < end, oldest first; only events of this transaction's partners."""
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
          and ($10::uuid[] is null or e.client_id = any ($10)
              or e.client_id is null and e.kind = registry.kind('decision'))
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


async def read_events(connection: Connection, network_id: int, places: Sequence[EventPlace]) -> list[OwnEvent]:
    """The events at these places that belong to this transaction's partners, newest first."""
    rows = await connection.fetch(
        """
        select e.log_index, e.at, e.event_id, e.client_id, e.recipient_id, e.purpose_id, e.kind, e.outcome, e.person,
            e.nonce, e.event
        from unnest($2::bigint[], $3::timestamptz[]) as p (log_index, at)
        join registry.events e on e.network_id = $1 and e.log_index = p.log_index and e.at = p.at
        order by e.log_index desc
        """,
        network_id,
        [place.index for place in places],
        [place.at for place in places],
    )
    return [own_event_of(row) for row in rows]


def own_event_of(row: asyncpg.Record) -> OwnEvent:
    """Make an event from a row of the statements in this module."""
    client_id = None if row["client_id"] is None else str(row["client_id"])
    return OwnEvent(
        EventPlace(row["log_index"], row["at"]),
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
