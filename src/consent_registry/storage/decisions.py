"""The two statements of a decision: whom the references mean, and what these clients agreed to (design.md section 5).

They are two because the second must see what was committed while the first waited for its locks.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import accumulate

import msgspec

from consent_registry.domain.grants import Grant
from consent_registry.storage.catalogue import catalogue_version
from consent_registry.storage.clients import client_lock
from consent_registry.storage.database import LOCK_CLIENT, Connection
from consent_registry.storage.grants import OTHERS, GrantRow, grants_from_rows, read_clock

CLIENT_OF_OTHER = OTHERS.index("client_id")


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

    A group only ever loses members (`storage/links.py`): who held its members, and finds the same group, holds them.
    """

    client_id: str | None
    group_id: str | None


NOBODY = Whose(None, None)


class Facts(msgspec.Struct, frozen=True):
    """For each question the client and its grants for that flow, as of `now` (the database's clock)."""

    now: datetime
    catalogue_version: int
    clients: list[Whose]
    grants: list[list[Grant]]
    # For each question the other clients whose consents its grants lean on.
    others: list[frozenset[str]]


async def lock_clients(connection: Connection, network_id: int, asked: Sequence[Asked]) -> list[tuple[Whose, bool]]:
    """For each question whom its reference means, and whether the shared locks of all who are meant were free.

    Nobody waits here: where a consent act holds the client, the question goes to the next batch. An unknown reference
    stands for a client whose number is made of its digest: it is looked up, locked and joined as any other, and
    registering it is seen. Under a key that a reference is not stored under it is unknown: known and unknown stay alike
    during a rotation.
    """
    references = _references(asked)
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


def _references(asked: Sequence[Asked]) -> dict[tuple[int, bytes], int]:
    """The references asked about, each once and numbered from 0: a thousand questions about one person cost what one
    costs, and so tell no more about that person (design.md promise 5).
    """
    numbers: dict[tuple[int, bytes], int] = {}
    for one in asked:
        for digest in one.digests:
            numbers.setdefault((one.sender_id, digest), len(numbers))
    return numbers


def _found(rows: Sequence[GrantRow]) -> tuple[Whose, bool]:
    """Whom one of a reference's digests led to, and whether all locks were free."""
    whose = next((_whose(row) for row in rows if row["client_id"] is not None), NOBODY)
    return whose, all(row["held"] for row in rows)


def _whose(row: GrantRow) -> Whose:
    if row["client_id"] is None:
        return NOBODY
    group_id = row["group_id"]
    return Whose(str(row["client_id"]), None if group_id is None else str(group_id))


# Facts of decisions: see `load_facts`. What an index is asked for stands in a column of its own before: row-level
# security lets no expression that might betray a row, `coalesce` among them, go into the index.
_FACTS = """
    with whom as materialized (
        select w.sender_id, w.first, w.last, r.client_id,
            coalesce(r.client_id, encode(substr(w.digest, 1, 16), 'hex')::uuid) as home_id
        from unnest($2::integer[], $3::bytea[], $4::integer[], $5::integer[]) as w (sender_id, digest, first, last)
        left join lateral (
            select r.client_id from registry.client_references r
            where r.network_id = $1 and r.partner_id = w.sender_id and r.digest = w.digest offset 0
        ) r on true
    ), grouped as materialized (
        select w.*, m.group_id, coalesce(m.group_id, w.home_id) as group_or_home_id
        from whom w left join lateral (
            select m.group_id from registry.client_memberships m
            where m.network_id = $1 and m.client_id = w.home_id order by m.position desc limit 1
        ) m on true
    ), joined as materialized (
        select g.sender_id, g.first, g.last, g.client_id, g.group_id, array(
            select g.home_id union all
            select o.client_id from registry.current_memberships o
            where o.network_id = $1 and o.group_id = g.group_or_home_id and o.client_id <> g.home_id
        ) as client_ids
        from grouped g
    )
    select q.number, statement_timestamp() as now,
        (select max(version) from registry.catalogue_versions where network_id = $1) as catalogue_version,
        w.client_id, w.group_id,
        g.grant_id, g.consent_id, g.sender_id, g.recipient_id, g.purpose_id, g.category_ids,
        g.explicit, g.answer, g.valid_from, g.valid_until, g.recorder_id, c.kind, c.effective_at, c.recorded_at,
        c.category_ids as changed_category_ids, c.valid_until as changed_until, c.by_grant_id, g.given_at,
        g.third_parties, g.third_party_grants,
        case when g.third_party_grants is not null then array(
            select row(o.grant_id, o.consent_id, o.client_id, o.sender_id, o.recipient_id, o.purpose_id,
                o.category_ids, o.explicit, o.answer, o.valid_from, o.valid_until, o.recorder_id, o.given_at,
                o.third_parties, o.third_party_grants, x.kind, x.effective_at, x.recorded_at, x.category_ids,
                x.valid_until, x.by_grant_id)
            from registry.grants o
            left join registry.grant_changes x on x.network_id = $1 and x.grant_id = o.grant_id
            where o.network_id = $1 and o.grant_id = any (g.third_party_grants)
        ) end as others,
        case when g.grant_id is not null then array(
            select l.release_id is not null from registry.releases l
            where l.network_id = $1 and l.consent_id = g.consent_id and l.holder_id = g.sender_id
              and l.towards_id = g.recipient_id and not exists (
                  select from registry.release_changes x where x.network_id = $1 and x.release_id = l.release_id)
        ) end as releases
    from joined w
    cross join lateral unnest(
        ($6::integer[])[w.first:w.last], ($7::integer[])[w.first:w.last], ($8::smallint[])[w.first:w.last]
    ) as q (number, recipient_id, purpose_id)
    left join lateral (
        select * from registry.grants g
        where g.network_id = $1 and g.client_id = any (w.client_ids)
          and g.sender_id = w.sender_id and g.recipient_id = q.recipient_id and g.purpose_id = q.purpose_id
          and g.answer <> 'refused' and not exists (
              select from registry.grant_changes e where e.network_id = $1 and e.grant_id = g.grant_id
                and (e.kind in ('ended', 'invalidated') or e.kind = 'withdrawn' and e.category_ids is null))
          and g.valid_until > statement_timestamp() offset 0
    ) g on true
    left join lateral (
        select * from registry.grant_changes c where c.network_id = $1 and c.grant_id = g.grant_id offset 0
    ) c on true
"""


async def load_facts(connection: Connection, network_id: int, asked: Sequence[Asked]) -> Facts:
    """The facts for all questions, in one statement; its start is the decisions' time.

    Grants that can never permit again are left out here, so that a client who never agreed, refused, withdrew or whose
    consent expired costs about the same work, however often (design.md promise 5; what is left to see, the decider
    hides). What is left, `decide` judges.
    """
    if not asked:
        return Facts(await read_clock(connection), await catalogue_version(connection, network_id), [], [], [])
    references = _references(asked)
    numbers: dict[tuple[int, int, int], int] = {}
    looked_up = [[numbers.setdefault(flow, len(numbers)) for flow in _flows(one, references)] for one in asked]
    # Those of one reference stand beside each other, so that it takes its own by their first and last place.
    flows = sorted(numbers)
    of_reference = Counter(reference for reference, _, _ in flows)
    lasts = list(accumulate(of_reference[number] for number in range(len(references))))
    rows = await connection.fetch(
        _FACTS,
        network_id,
        [sender_id for sender_id, _ in references],
        [digest for _, digest in references],
        [1, *(last + 1 for last in lasts[:-1])],
        lasts,
        [numbers[flow] for flow in flows],
        [recipient_id for _, recipient_id, _ in flows],
        [purpose_id for _, _, purpose_id in flows],
    )
    found = _known(rows, len(flows))
    # A reference is stored once. Should it ever be twice, the current key's counts, as with the locks.
    known = [next((found[at] for at in places if found[at].whose is not NOBODY), _NOTHING) for places in looked_up]
    return Facts(
        rows[0]["now"],
        rows[0]["catalogue_version"] or 0,
        [one.whose for one in known],
        [one.grants for one in known],
        [one.others for one in known],
    )


def _flows(one: Asked, references: dict[tuple[int, bytes], int]) -> list[tuple[int, int, int]]:
    """What one question looks up: a flow of each reference that it may mean."""
    return [(references[one.sender_id, digest], one.recipient_id, one.purpose_id) for digest in one.digests]


class _Known(msgspec.Struct, frozen=True):
    """What is known of a flow: the client, its grants, and the clients whose consents they lean on."""

    whose: Whose
    grants: list[Grant]
    others: frozenset[str]


_NOTHING = _Known(NOBODY, [], frozenset())


def _known(rows: Sequence[GrantRow], flows: int) -> list[_Known]:
    """Sort the rows to the flows that were looked up."""
    of_flow: list[list[GrantRow]] = [[] for _ in range(flows)]
    for row in rows:
        of_flow[row["number"]].append(row)
    return [_known_of(one) for one in of_flow]


def _known_of(rows: Sequence[GrantRow]) -> _Known:
    granted = [row for row in rows if row["grant_id"] is not None]
    others = frozenset(str(one[CLIENT_OF_OTHER]) for row in granted for one in row["others"] or ())
    return _Known(_whose(rows[0]), grants_from_rows(granted) if granted else [], others)


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
