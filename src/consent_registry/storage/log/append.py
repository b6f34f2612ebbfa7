"""Appending to a network's log, and reading places in it (docs/design/log.md)."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.commitments import bind
from consent_registry.domain.errors import RegistryError
from consent_registry.domain.events import COMMITTING, KINDS, OUTCOMES, Event, person_of
from consent_registry.domain.identifiers import uuid7_milliseconds
from consent_registry.domain.instants import format_instant
from consent_registry.storage.database.database import Connection
from consent_registry.storage.keys.keyring import base64url
from consent_registry.tlog.leaf import LEAF_LENGTH, NONCE_LENGTH, canonical, make_leaf, reference_commitment

EVENT_FORMAT = 1


class LogPlace(msgspec.Struct, frozen=True):
    """Where an event stands: the log's origin, its zero-based index and its leaf (33 bytes), with the event's nonce."""

    origin: str
    index: int
    leaf: bytes
    nonce: bytes


async def append(
    connection: Connection, network: Network, actor: tuple[int, str], at: datetime, events: Sequence[Event]
) -> list[LogPlace]:
    """Append events by one actor; the last act of a transaction, because it holds the log's lock until COMMIT."""
    return await append_all(connection, network, at, [(actor, event) for event in events], _no_pause)


async def _no_pause() -> None:
    """An act writes few events."""


async def append_all(
    connection: Connection,
    network: Network,
    at: datetime,
    items: Sequence[tuple[tuple[int, str], Event]],
    pause: Callable[[], Awaitable[None]],
) -> list[LogPlace]:
    """Append events, each with its actor (number and slug), in the given order and without a gap. `pause` is called
    after each event is written and before the log's lock is taken, so that many events do not hold up other work.
    """
    entropy = secrets.token_bytes(NONCE_LENGTH * len(items))
    nonces = [entropy[start : start + NONCE_LENGTH] for start in range(0, len(entropy), NONCE_LENGTH)]
    instant = format_instant(at)
    bodies, leaves = [], []
    for (actor, event), nonce in zip(items, nonces, strict=True):
        await pause()
        bodies.append(event_bytes(network, instant, None if event.without_actor else actor[1], event, nonce))
        leaves.append(make_leaf(bodies[-1], nonce))
    persons = [person_of(event.kind, event.members) for _, event in items]
    first = await connection.fetchval(
        "select registry.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        network.network_id,
        at,
        [event.event_id for _, event in items],
        [event.client_id for _, event in items],
        [None if event.without_actor else actor[0] for actor, event in items],
        [event.sender_id for _, event in items],
        [event.recipient_id for _, event in items],
        [event.purpose_id for _, event in items],
        [KINDS[event.kind] for _, event in items],
        [None if event.outcome is None else OUTCOMES[event.outcome] for _, event in items],
        persons if any(persons) else None,  # the shorter arrays of the function's unnest are filled up with null
        bodies,
        nonces,
        leaves,
    )
    return [
        LogPlace(network.log_origin, first + number, leaf, nonce)
        for number, (leaf, nonce) in enumerate(zip(leaves, nonces, strict=True))
    ]


def event_bytes(network: Network, instant: str, actor: str | None, event: Event, nonce: bytes) -> bytes:
    """An event as logged, at this instant (as on the wire), by this actor or nobody. Its nonce hides the reference."""
    unsaid = event.client_unsaid and not event.without_actor
    members = {
        "v": EVENT_FORMAT,
        "kind": event.kind,
        "id": event.event_id,
        "at": instant,
        "network": network.slug,
        "actor": actor,
        "client": None if unsaid else event.client_id,
        **(bind(event.members, nonce) if event.kind in COMMITTING else event.members),
    }
    committed: dict[str, str | None] = {
        "client": event.client_id if unsaid else None,
        "reference": event.reference,
        **event.committed,
    }
    for name, value in committed.items():
        if value is not None:
            members[f"{name}_commitment"] = base64url(reference_commitment(nonce, value))
    return canonical(members)


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
