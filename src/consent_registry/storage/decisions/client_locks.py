"""A decision's first statement: resolves the references to clients and takes the clients' shared locks.

The second statement reads the facts (`storage/decisions/facts.py`). It must be a statement of its own, to see what was
committed while the first one took its locks (docs/design/decisions.md).
"""

from collections.abc import Collection, Sequence

import msgspec

from consent_registry.storage.clients.clients import client_lock
from consent_registry.storage.consents.grants import GrantRow
from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_CLIENT


class FactsQuery(msgspec.Struct, frozen=True):
    """The search key for a question's facts: sender, the reference's digest under each digest key, recipient, purpose.

    Outside a key rotation there is one digest key. A reference is stored under one of the keys.
    """

    sender_id: int
    digests: tuple[bytes, ...]
    recipient_id: int
    purpose_id: int


class ResolvedClient(msgspec.Struct, frozen=True):
    """The client that a reference means: its client id (None for an unknown reference), and the client's group.

    A group only ever loses members (`storage/clients/links.py`). So a transaction that locked a group's members, and
    then finds the same group, holds the locks of all its members.
    """

    client_id: str | None
    group_id: str | None


UNKNOWN_CLIENT = ResolvedClient(None, None)


async def lock_clients(
    connection: Connection, network_id: int, queries: Sequence[FactsQuery]
) -> list[tuple[ResolvedClient, bool]]:
    """Resolve each question's reference to a client, and try to take the shared locks of the client's whole group.
    Returns for each question the client, and whether all locks were free.

    It waits for no lock: while a command holds a client's exclusive lock, the question goes to the next batch. An
    unknown reference gets a pseudo client id from its digest, so it causes the same queries and locks, and a concurrent
    registration conflicts with it. A reference is stored under one digest key and unknown under the others, so known
    and unknown references also cause the same work during a key rotation.
    """
    references = distinct_references(queries)
    rows = await connection.fetch(
        """
        with whom as materialized (
            select w.ord, r.client_id, coalesce(r.client_id, encode(substr(w.digest, 1, 16), 'hex')::uuid) as home_id
            from unnest($2::integer[], $3::bytea[]) with ordinality as w (partner_id, digest, ord)
            left join lateral (
                select r.client_id from registry.client_references r
                where r.network_id = $1 and r.partner_id = w.partner_id and r.digest = w.digest offset 0
            ) r on true
        ), grouped as materialized (
            select w.ord, w.client_id, w.home_id, m.group_id, coalesce(m.group_id, w.home_id) as group_or_home_id
            from whom w left join lateral (
                select m.group_id from registry.client_memberships m
                where m.network_id = $1 and m.client_id = w.home_id order by m.position desc limit 1
            ) m on true
        ), numbered as materialized (
            select ord, ('x' || substr(home_id::text, 1, 8))::bit(32)::integer as number from grouped
            union all
            select g.ord, m.number
            from grouped g cross join lateral (
                select ('x' || substr(m.client_id::text, 1, 8))::bit(32)::integer as number
                from registry.current_memberships m
                where m.network_id = $1 and m.group_id = g.group_or_home_id offset 0
            ) m
        ), locked as materialized (
            select number, pg_try_advisory_xact_lock_shared($4, number) as held
            from (select distinct number from numbered order by number) as ascending
        ), free as (
            select n.ord, bool_and(l.held) as held from numbered n join locked l using (number) group by n.ord
        )
        select g.client_id, g.group_id, f.held from grouped g join free f using (ord) order by g.ord
        """,
        network_id,
        [sender_id for sender_id, _ in references],
        [digest for _, digest in references],
        LOCK_CLIENT | network_id,
    )
    return [_found([rows[references[query.sender_id, digest]] for digest in query.digests]) for query in queries]


def distinct_references(queries: Sequence[FactsQuery]) -> dict[tuple[int, bytes], int]:
    """The distinct references in the questions, numbered from 0. A thousand questions about one person take as long as
    one, so their time reveals no more about that person (docs/silence.md).
    """
    numbers: dict[tuple[int, bytes], int] = {}
    for query in queries:
        for digest in query.digests:
            numbers.setdefault((query.sender_id, digest), len(numbers))
    return numbers


def _found(rows: Sequence[GrantRow]) -> tuple[ResolvedClient, bool]:
    """The client found by one of a reference's digests, and whether all locks were free."""
    client, held = UNKNOWN_CLIENT, True
    for row in rows:
        held = held and row["held"]
        if client is UNKNOWN_CLIENT:
            client = resolved_client(row)
    return client, held


def resolved_client(row: GrantRow) -> ResolvedClient:
    """Make the resolved client from a row of the statement in `lock_clients`."""
    if row["client_id"] is None:
        return UNKNOWN_CLIENT
    group_id = row["group_id"]
    return ResolvedClient(str(row["client_id"]), None if group_id is None else str(group_id))


async def try_lock_others(connection: Connection, network_id: int, client_ids: Collection[str]) -> frozenset[str]:
    """Take the shared locks of these clients without waiting. Returns the clients whose exclusive lock another
    transaction holds.
    """
    rows = await connection.fetch(
        """
        select client_id from unnest($3::text[], $2::integer[]) as w (client_id, number)
        where not pg_try_advisory_xact_lock_shared($1, number)
        """,
        LOCK_CLIENT | network_id,
        [client_lock(client_id) for client_id in client_ids],
        list(client_ids),
    )
    return frozenset(row["client_id"] for row in rows)
