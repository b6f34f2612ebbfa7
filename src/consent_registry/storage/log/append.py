"""Statements that append events to a network's log and read its leaves (docs/design/log.md)."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import RegistryError
from consent_registry.domain.events.all_kinds import write_event
from consent_registry.domain.events.decisions import OUTCOMES
from consent_registry.domain.events.event import Event, SearchColumns
from consent_registry.domain.identifiers import uuid7_milliseconds
from consent_registry.domain.instants import format_instant
from consent_registry.storage.database.database import Connection
from consent_registry.tlog.leaf import LEAF_LENGTH, NONCE_LENGTH, make_leaf


class LogPlace(msgspec.Struct, frozen=True):
    """An event's place in the log: origin, zero-based index and leaf (33 bytes), with the event's nonce."""

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
    """Append events by one actor (number and slug). Must be the transaction's last statement, because it holds the
    log's lock until COMMIT.

    The actor may not know `hidden` client numbers: its own events hold only a commitment to such a number.
    """
    instant = format_instant(at)
    entries = [NewEntry.of(network, actor, instant, event) for event in events]
    for entry in entries:
        if entry.actor_id is not None and entry.client_id in hidden:
            entry.event = entry.event.hiding_client()
    return await append_all(connection, network, at, entries, _no_pause)


async def _no_pause() -> None:
    """Do not pause: a command writes few events."""


class NewEntry(msgspec.Struct):
    """An event to be appended, with its search columns: numbers instead of slugs, and the client number even if the
    event's bytes hold only a commitment to it, so that the event is erased with the client.
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
    ) -> "NewEntry":
        """Build an entry for an event at this instant (as on the wire), by this actor unless its kind has none. `to` is
        the recipient and purpose, for kinds that are searched by them.
        """
        recorded = event.recorded(network.slug, instant, actor[1])
        return cls(recorded, recorded.searched(), recorded.client, None if recorded.actor is None else actor[0], *to)


async def append_all(
    connection: Connection,
    network: Network,
    at: datetime,
    entries: Sequence[NewEntry],
    pause: Callable[[], Awaitable[None]],
) -> list[LogPlace]:
    """Append entries in the given order without a gap. `pause` is awaited before each event is encoded, and before the
    log's lock is taken, so that a large batch does not block other work.
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
        persons if any(persons) else None,  # unnest in the function fills shorter arrays with null
        bodies,
        nonces,
        leaves,
    )
    return [
        LogPlace(network.log_origin, first + number, leaf, nonce)
        for number, (leaf, nonce) in enumerate(zip(leaves, nonces, strict=True))
    ]


class StoredEvent(msgspec.Struct, frozen=True):
    """An event read from the log: its place, its exact bytes, its kind and its client."""

    place: LogPlace
    event: bytes
    kind: int
    client_id: str | None


async def find_event(connection: Connection, network: Network, event_id: str) -> StoredEvent | None:
    """The event with this id, if one of this transaction's partners is its actor; else None. The time in the id limits
    the search to its partition.
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
    """The index and leaf of events, by event id. Every partner of the network may see leaves."""
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
    """The leaves at these indices, by index."""
    rows = await connection.fetch(
        "select log_index, leaf from registry.leaves where network_id = $1 and log_index = any ($2::bigint[])",
        network_id,
        indices,
    )
    return {row["log_index"]: row["leaf"] for row in rows}


class LogHasGap(RegistryError):
    """Leaves are missing in the middle of a log."""


async def read_leaves(connection: Connection, network_id: int, start: int, count: int) -> list[bytes]:
    """The leaves from index `start` on, at most `count`, fewer at the log's end. Raises LogHasGap."""
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
    """The number of leaves in the log."""
    size = await connection.fetchval(
        "select coalesce(max(log_index) + 1, 0) from registry.leaves where network_id = $1", network_id
    )
    return int(size)
