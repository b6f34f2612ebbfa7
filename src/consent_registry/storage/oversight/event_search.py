"""Statements for a data-protection officer's search: they find the log indices of events, newest first.

Events about client numbers that the command's caller may not know have no actor, so no partner finds them.

Each statement reads an index that ends with the log index, once for every combination that the filter allows, and takes
at most a page from each. So a page costs the same wherever it begins, and rare events cost no more than frequent ones.
Only the events of the page are then read whole.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from consent_registry.storage.database.database import Connection
from consent_registry.storage.oversight.events import EventPlace, FlowFilter

# Longer than a command waits for the log's lock.
_A_WAIT = timedelta(minutes=1)


class SearchRange(msgspec.Struct, frozen=True):
    """The range of a network's log to search: low <= index < before, and since <= time < until; at most
    `limit` events.
    """

    network_id: int
    low: int
    before: int
    since: datetime
    until: datetime
    limit: int


class QuestionCandidate(msgspec.Struct, frozen=True):
    """A question with an unknown reference, with the data that reveal whether it was about a given reference."""

    place: EventPlace
    recipient_id: int
    purpose_id: int
    outcome: int
    nonce: bytes
    event: bytes


class ReceivedPermit(msgspec.Struct, frozen=True):
    """A permit for another partner to send to one of this transaction's partners, from the search columns alone."""

    place: EventPlace
    event_id: str
    actor_id: int
    recipient_id: int
    purpose_id: int
    outcome: int


async def choose_one_plan(connection: Connection) -> None:
    """Keep each statement's generic plan until the transaction ends, because with monthly partitions planning takes
    longer than the search.
    """
    await connection.execute("set local plan_cache_mode = force_generic_plan")


async def places_between(
    connection: Connection, network_id: int, since: datetime, until: datetime
) -> tuple[int | None, int | None]:
    """The first and the last log index at which events of this time can be. Allows a minute at both ends, because a
    command reads its clock before it waits for the log's lock and may be overtaken meanwhile.
    """
    row = await connection.fetchrow(
        "select low, high from registry.places_between($1, $2, $3)", network_id, since - _A_WAIT, until + _A_WAIT
    )
    return (None, None) if row is None else (row["low"], row["high"])


async def last_weeks(connection: Connection, network_id: int, before: int) -> tuple[int, datetime] | None:
    """The index and time at which the log's last weeks before this index begin; None if the log is not older."""
    row = await connection.fetchrow("select low, since from registry.last_weeks($1, $2)", network_id, before)
    return None if row is None or row["low"] is None else (row["low"], row["since"])


async def places_by_kind(
    connection: Connection, span: SearchRange, actor_id: int, kinds: Sequence[int]
) -> list[EventPlace]:
    """The places of one actor's events of these kinds. Decisions have a small index of their own."""
    rows = await connection.fetch(
        """
        (
            select e.log_index, e.at from registry.events e
            where e.network_id = $1 and e.actor_id = $2 and e.kind = registry.kind('decision')
              and registry.kind('decision') = any ($3::smallint[])
              and e.log_index >= $4 and e.log_index < $5 and e.at >= $6 and e.at < $7
            order by e.log_index desc limit $8
        )
        union all
        select p.log_index, p.at
        from unnest($3::smallint[]) as k (kind)
        cross join lateral (
            select e.log_index, e.at from registry.events e
            where e.network_id = $1 and e.actor_id = $2 and e.kind = k.kind and e.kind <> registry.kind('decision')
              and e.log_index >= $4 and e.log_index < $5 and e.at >= $6 and e.at < $7
            order by e.log_index desc limit $8
        ) p
        order by log_index desc limit $8
        """,
        span.network_id,
        actor_id,
        kinds,
        *_ends(span),
    )
    return [EventPlace(*row) for row in rows]


async def places_by_flow(
    connection: Connection,
    span: SearchRange,
    actor_id: int,
    recipients: Sequence[int],
    purposes: Sequence[int],
    outcomes: Sequence[int],
) -> list[EventPlace]:
    """The places of one actor's decisions with any of these recipients, purposes and outcomes."""
    rows = await connection.fetch(
        """
        select p.log_index, p.at
        from unnest($3::integer[]) as r (recipient_id)
        cross join unnest($9::smallint[]) as u (purpose_id)
        cross join unnest($10::smallint[]) as o (outcome)
        cross join lateral (
            select e.log_index, e.at from registry.events e
            where e.network_id = $1 and e.actor_id = $2 and e.kind = registry.kind('decision')
              and e.recipient_id = r.recipient_id
              and e.purpose_id = u.purpose_id and e.outcome = o.outcome
              and e.log_index >= $4 and e.log_index < $5 and e.at >= $6 and e.at < $7
            order by e.log_index desc limit $8
        ) p
        order by p.log_index desc limit $8
        """,
        span.network_id,
        actor_id,
        recipients,
        *_ends(span),
        purposes,
        outcomes,
    )
    return [EventPlace(*row) for row in rows]


async def places_by_person(
    connection: Connection, span: SearchRange, actor_id: int, person: str, kinds: Sequence[int]
) -> list[EventPlace]:
    """The places of one actor's events of these kinds that name this member of staff."""
    rows = await connection.fetch(
        """
        select e.log_index, e.at from registry.events e
        where e.network_id = $1 and e.actor_id = $2 and e.person = $3 and e.kind = any ($9::smallint[])
          and e.log_index >= $4 and e.log_index < $5 and e.at >= $6 and e.at < $7
        order by e.log_index desc limit $8
        """,
        span.network_id,
        actor_id,
        person,
        *_ends(span),
        kinds,
    )
    return [EventPlace(*row) for row in rows]


async def places_of_clients(
    connection: Connection,
    span: SearchRange,
    actor_id: int,
    client_ids: Sequence[str],
    kinds: Sequence[int],
    flow: FlowFilter,
    person: str | None,
) -> list[EventPlace]:
    """The places of one actor's events about these clients. The statement reads all events of a client, because they
    are few: an index that ends with the log index would be too large.
    """
    rows = await connection.fetch(
        """
        with about as materialized (
            select e.log_index, e.at, e.kind, e.recipient_id, e.purpose_id, e.outcome, e.person from registry.events e
            where e.network_id = $1 and e.client_id = any ($3::uuid[]) and e.actor_id = $2
        )
        select a.log_index, a.at from about a
        where a.kind = any ($9::smallint[])
          and ($10::integer[] is null or a.recipient_id = any ($10))
          and ($11::smallint[] is null or a.purpose_id = any ($11))
          and ($12::smallint[] is null or a.outcome = any ($12))
          and ($13::text is null or a.person = $13)
          and a.log_index >= $4 and a.log_index < $5 and a.at >= $6 and a.at < $7
        order by a.log_index desc limit $8
        """,
        span.network_id,
        actor_id,
        client_ids,
        *_ends(span),
        kinds,
        *flow,
        person,
    )
    return [EventPlace(*row) for row in rows]


async def unknown_client_questions(connection: Connection, span: SearchRange, actor_id: int) -> list[QuestionCandidate]:
    """The latest questions of one actor with unknown references."""
    rows = await connection.fetch(
        """
        select e.log_index, e.at, e.recipient_id, e.purpose_id, e.outcome, e.nonce, e.event from registry.events e
        where e.network_id = $1 and e.sender_id = $2 and e.actor_id = $2
          and e.kind = registry.kind('decision') and e.client_id is null
          and e.log_index >= $3 and e.log_index < $4 and e.at >= $5 and e.at < $6
        order by e.log_index desc limit $7
        """,
        span.network_id,
        actor_id,
        *_ends(span),
    )
    return [QuestionCandidate(EventPlace(row[0], row[1]), *row[2:]) for row in rows]


def _ends(span: SearchRange) -> tuple[int, int, datetime, datetime, int]:
    return span.low, span.before, span.since, span.until, span.limit


async def registered_at(
    connection: Connection, network_id: int, actor_id: int, client_ids: Sequence[str]
) -> int | None:
    """The log index at which this actor last registered a reference for one of these clients, also by a link code. None
    if retention deleted that event.
    """
    index: int | None = await connection.fetchval(
        """
        select max(first.log_index) from (
            select min(e.log_index) as log_index from registry.events e
            where e.network_id = $1 and e.client_id = any ($3::uuid[]) and e.actor_id = $2
              and e.kind in (registry.kind('client'), registry.kind('link'))
            group by e.client_id) first
        """,
        network_id,
        actor_id,
        client_ids,
    )
    return index


async def permits_received(
    connection: Connection, span: SearchRange, sender_id: int | None, purpose_id: int | None, outcome: int | None
) -> list[ReceivedPermit]:
    """Permits for other partners to send to this transaction's partners. None for a filter means any."""
    rows = await connection.fetch(
        """
        select log_index, at, event_id, actor_id, recipient_id, purpose_id, outcome
        from registry.permits_received($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        span.network_id,
        *_ends(span),
        sender_id,
        purpose_id,
        outcome,
    )
    return [permit_of(row) for row in rows]


def permit_of(row: asyncpg.Record) -> ReceivedPermit:
    """Make a permit from a row of `registry.permits_received`."""
    return ReceivedPermit(EventPlace(row[0], row[1]), str(row[2]), *row[3:7])
