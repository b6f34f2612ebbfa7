"""What the clients that questions are about agreed to: a decision's second statement (docs/design/decisions.md).

It is not the first one's (`storage/decisions/client_locks.py`), because it must see what was committed while that
looked for locks.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

import msgspec

from consent_registry.domain.grants import Grant
from consent_registry.storage.catalogue.catalogue import catalogue_version
from consent_registry.storage.consents.grants import OTHERS, GrantRow, grants_from_rows, read_clock
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions.client_locks import NOBODY, Asked, Whose, references_of, whose

CLIENT_OF_OTHER = OTHERS.index("client_id")


class Facts(msgspec.Struct, frozen=True):
    """For each question the client and its grants for that flow, as of `now` (the database's clock)."""

    now: datetime
    catalogue_version: int
    clients: list[Whose]
    grants: list[list[Grant]]
    # For each question the other clients whose consents its grants lean on.
    others: list[frozenset[str]]


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
    select w.first + q.place - 2 as number, statement_timestamp() as now,
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
        ($6::integer[])[w.first:w.last], ($7::smallint[])[w.first:w.last]
    ) with ordinality as q (recipient_id, purpose_id, place)
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
    consent expired costs about the same work, however often (docs/silence.md; what is left to see, the decider
    hides). What is left, `decide` judges.
    """
    if not asked:
        return Facts(await read_clock(connection), await catalogue_version(connection, network_id), [], [], [])
    references = references_of(asked)
    looked_up = [_flows(one, references) for one in asked]
    # Those of one reference stand beside each other, so that it takes its own by their first and last place.
    flows = sorted({flow for several in looked_up for flow in several})
    numbers = {flow: number for number, flow in enumerate(flows)}
    of_reference = Counter(reference for reference, _, _ in flows)
    lasts = list(accumulate(of_reference[number] for number in range(len(references))))
    rows = await connection.fetch(
        _FACTS,
        network_id,
        [sender_id for sender_id, _ in references],
        [digest for _, digest in references],
        [1, *(last + 1 for last in lasts[:-1])],
        lasts,
        [recipient_id for _, recipient_id, _ in flows],
        [purpose_id for _, _, purpose_id in flows],
    )
    found = _known(rows, len(flows))
    # A reference is stored once. Should it ever be twice, the current key's counts, as with the locks.
    known = [_first_known([found[numbers[flow]] for flow in several]) for several in looked_up]
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


def _first_known(found: Sequence[_Known]) -> _Known:
    for one in found:
        if one.whose is not NOBODY:
            return one
    return _NOTHING


def _known(rows: Sequence[GrantRow], flows: int) -> list[_Known]:
    """Sort the rows to the flows that were looked up."""
    of_flow: list[list[GrantRow]] = [[] for _ in range(flows)]
    for row in rows:
        of_flow[row["number"]].append(row)
    return [_known_of(one) for one in of_flow]


def _known_of(rows: Sequence[GrantRow]) -> _Known:
    granted = [row for row in rows if row["grant_id"] is not None]
    others = frozenset(str(one[CLIENT_OF_OTHER]) for row in granted for one in row["others"] or ())
    return _Known(whose(rows[0]), grants_from_rows(granted) if granted else [], others)
