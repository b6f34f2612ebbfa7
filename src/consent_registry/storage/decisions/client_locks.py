"""Whom the references of questions mean, and the locks that hold these clients: a decision's first statement.

What they agreed to is the second one (`storage/decisions/facts.py`), which must see what was committed while the first
looked for its locks (docs/design/decisions.md).
"""

from collections.abc import Collection, Sequence

import msgspec

from consent_registry.storage.clients.clients import client_lock
from consent_registry.storage.consents.grants import GrantRow
from consent_registry.storage.database.database import LOCK_CLIENT, Connection


class Asked(msgspec.Struct, frozen=True):
    """What the facts are looked up by: sender, its reference's digest under each digest key, recipient, purpose.

    There is one key but for the time of a rotation, and a reference is stored under one of them.
    """

    sender_id: int
    digests: tuple[bytes, ...]
    recipient_id: int
    purpose_id: int


class Whose(msgspec.Struct, frozen=True):
    """Whom a reference means: the number it was registered with (None when it is not), and the group that is in.

    A group only ever loses members (`storage/clients/links.py`): who held its members, and finds the same group, holds
    them.
    """

    client_id: str | None
    group_id: str | None


NOBODY = Whose(None, None)


async def lock_clients(connection: Connection, network_id: int, asked: Sequence[Asked]) -> list[tuple[Whose, bool]]:
    """For each question whom its reference means, and whether the shared locks of all who are meant were free.

    Nobody waits here: where a consent act holds the client, the question goes to the next batch. An unknown reference
    stands for a client whose number is made of its digest: it is looked up, locked and joined as any other, and
    registering it is seen. Under a key that a reference is not stored under it is unknown: known and unknown stay alike
    during a rotation.
    """
    references = references_of(asked)
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
    return [_found([rows[references[one.sender_id, digest]] for digest in one.digests]) for one in asked]


def references_of(asked: Sequence[Asked]) -> dict[tuple[int, bytes], int]:
    """The references asked about, each once and numbered from 0: a thousand questions about one person cost what one
    costs, and so tell no more about that person (docs/silence.md).
    """
    numbers: dict[tuple[int, bytes], int] = {}
    for one in asked:
        for digest in one.digests:
            numbers.setdefault((one.sender_id, digest), len(numbers))
    return numbers


def _found(rows: Sequence[GrantRow]) -> tuple[Whose, bool]:
    """Whom one of a reference's digests led to, and whether all locks were free."""
    meant, held = NOBODY, True
    for row in rows:
        held = held and row["held"]
        if meant is NOBODY:
            meant = whose(row)
    return meant, held


def whose(row: GrantRow) -> Whose:
    """Whom a row says a reference means."""
    if row["client_id"] is None:
        return NOBODY
    group_id = row["group_id"]
    return Whose(str(row["client_id"]), None if group_id is None else str(group_id))


async def try_lock_others(connection: Connection, network_id: int, client_ids: Collection[str]) -> frozenset[str]:
    """Take the shared locks of these clients where nobody holds them alone; returns those that were not free."""
    rows = await connection.fetch(
        """
        select client_id from unnest($3::text[], $2::integer[]) as w (client_id, number)
        where not pg_try_advisory_xact_lock_shared($1, number)
        """,
        LOCK_CLIENT | network_id,
        [client_lock(one) for one in client_ids],
        list(client_ids),
    )
    return frozenset(row["client_id"] for row in rows)
