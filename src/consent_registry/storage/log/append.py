"""Appending to a network's log, and reading places in it (docs/design/log.md)."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import RegistryError
from consent_registry.domain.events.decisions import OUTCOMES
from consent_registry.domain.events.event import Event, SearchColumns
from consent_registry.domain.events.registry import write_event
from consent_registry.domain.identifiers import uuid7_milliseconds
from consent_registry.domain.instants import format_instant
from consent_registry.storage.database.database import Connection
from consent_registry.tlog.leaf import LEAF_LENGTH, NONCE_LENGTH, make_leaf


class LogPlace(msgspec.Struct, frozen=True):
    """Where an event stands: the log's origin, its zero-based index and its leaf (33 bytes), with the event's nonce."""

    origin: str
    index: int
    leaf: bytes
    nonce: bytes


async def append(
    connection: Connection,
    network: Network,
    actor: tuple[int, str],
    at: datetime,
    events: Sequence[Event],
    hidden: Collection[str] = (),
) -> list[LogPlace]:
    """Append events by one actor (number and slug). The last act of a transaction: the log's lock is held until COMMIT.
    Of a `hidden` client number, which the actor may not know, the actor's own events hold a commitment alone.
    """
    instant = format_instant(at)
    entries = [Entry.of(network, actor, instant, event) for event in events]
    for entry in entries:
        if entry.actor_id is not None and entry.client_id in hidden:
            entry.event = entry.event.hiding_client()
    return await append_all(connection, network, at, entries, _no_pause)


async def _no_pause() -> None:
    """An act writes few events."""


class Entry(msgspec.Struct):
    """An event about to be appended, with what its search columns have beside it: numbers where it has slugs, and the
    client number even where its bytes hold a commitment alone, so that it is erased with the client.
    """

    event: Event
    searched: SearchColumns
    client_id: str | None
    actor_id: int | None
    recipient_id: int | None = None
    purpose_id: int | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        actor: tuple[int, str],
        instant: str,
        event: Event,
        to: tuple[int | None, int | None] = (None, None),
    ) -> "Entry":
        """An event at this instant (as on the wire) by this actor, unless it has none by itself. `to` is the recipient
        and the purpose of an event that is searched by them.
        """
        recorded = event.recorded(network.slug, instant, actor[1])
        return cls(recorded, recorded.searched(), recorded.client, None if recorded.actor is None else actor[0], *to)


async def append_all(
    connection: Connection,
    network: Network,
    at: datetime,
    entries: Sequence[Entry],
    pause: Callable[[], Awaitable[None]],
) -> list[LogPlace]:
    """Append entries in the given order and without a gap. `pause` is called after each event is written and before the
    log's lock is taken, so that many events do not hold up other work.
    """
    entropy = secrets.token_bytes(NONCE_LENGTH * len(entries))
    nonces = [entropy[start : start + NONCE_LENGTH] for start in range(0, len(entropy), NONCE_LENGTH)]
    bodies, leaves = [], []
    for entry, nonce in zip(entries, nonces, strict=True):
        await pause()
        bodies.append(write_event(entry.event, nonce))
        leaves.append(make_leaf(bodies[-1], nonce))
    outcomes = [entry.searched.outcome for entry in entries]
    persons = [entry.searched.person for entry in entries]
    first = await connection.fetchval(
        "select registry.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        network.network_id,
        at,
        [entry.event.id for entry in entries],
        [entry.client_id for entry in entries],
        [entry.actor_id for entry in entries],
        [None if entry.searched.sender is None else entry.actor_id for entry in entries],
        [entry.recipient_id for entry in entries],
        [entry.purpose_id for entry in entries],
        [entry.event.number for entry in entries],
        [None if outcome is None else OUTCOMES[outcome] for outcome in outcomes],
        persons if any(persons) else None,  # the shorter arrays of the function's unnest are filled up with null
        bodies,
        nonces,
        leaves,
    )
    return [
        LogPlace(network.log_origin, first + number, leaf, nonce)
        for number, (leaf, nonce) in enumerate(zip(leaves, nonces, strict=True))
    ]


class StoredEvent(msgspec.Struct, frozen=True):
    """An event read back: its place, its exact bytes and whom it is about."""

    place: LogPlace
    event: bytes
    kind: int
    client_id: str | None


async def find_event(connection: Connection, network: Network, event_id: str) -> StoredEvent | None:
    """The event with this id, of those this transaction's partners made. The id carries the time, which finds the
    partition.
    """
    row = await connection.fetchrow(
        """
        select e.log_index, l.leaf, e.event, e.nonce, e.kind, e.client_id
        from registry.events e
        join registry.leaves l on l.network_id = e.network_id and l.log_index = e.log_index
        where e.network_id = $1 and e.event_id = $2
          and e.at >= to_timestamp($3::bigint / 1000.0) - interval '1 second'
          and e.at < to_timestamp($3::bigint / 1000.0) + interval '1 second'
        """,
        network.network_id,
        event_id,
        uuid7_milliseconds(event_id),
    )
    if row is None:
        return None
    place = LogPlace(network.log_origin, row["log_index"], row["leaf"], row["nonce"])
    client_id = row["client_id"]
    return StoredEvent(place, row["event"], row["kind"], None if client_id is None else str(client_id))


async def latest_event_at(connection: Connection, network_id: int) -> datetime | None:
    """The latest time among the log's last events; None for an empty log."""
    at: datetime | None = await connection.fetchval("select registry.latest_event_at($1)", network_id)
    return at


async def find_places(
    connection: Connection, network: Network, event_ids: Sequence[str]
) -> dict[str, tuple[int, bytes]]:
    """Index and leaf of events by their ids; leaves are for every partner of the network to see."""
    rows = await connection.fetch(
        """
        select p.event_id, p.log_index, l.leaf
        from registry.event_places($1, $2) p
        join registry.leaves l on l.network_id = $1 and l.log_index = p.log_index
        """,
        network.network_id,
        event_ids,
    )
    return {str(row["event_id"]): (row["log_index"], row["leaf"]) for row in rows}


async def find_leaves(connection: Connection, network_id: int, indices: Sequence[int]) -> dict[int, bytes]:
    """The leaves at these places."""
    rows = await connection.fetch(
        "select log_index, leaf from registry.leaves where network_id = $1 and log_index = any ($2::bigint[])",
        network_id,
        indices,
    )
    return {row["log_index"]: row["leaf"] for row in rows}


class LogHasGap(RegistryError):
    """Leaves are missing in the middle of a log."""


async def read_leaves(connection: Connection, network_id: int, start: int, count: int) -> list[bytes]:
    """The leaves from index `start` on, at most `count`, fewer at the log's end; raises LogHasGap."""
    row = await connection.fetchrow(
        """
        select string_agg(leaf, ''::bytea order by log_index) as leaves, count(*) as found, max(log_index) as last
        from registry.leaves where network_id = $1 and log_index >= $2 and log_index < $2::bigint + $3
        """,
        network_id,
        start,
        count,
    )
    if row is None or row["found"] == 0:
        return []
    if row["last"] != start + row["found"] - 1:
        raise LogHasGap(f"the log of network {network_id} has a gap between {start} and {row['last']}")
    leaves = row["leaves"]
    return [leaves[at : at + LEAF_LENGTH] for at in range(0, len(leaves), LEAF_LENGTH)]


async def read_size(connection: Connection, network_id: int) -> int:
    """How many leaves the log has."""
    size = await connection.fetchval(
        "select coalesce(max(log_index) + 1, 0) from registry.leaves where network_id = $1", network_id
    )
    return int(size)
