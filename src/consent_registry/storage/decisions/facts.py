"""A decision's second statement: reads the clients' grants (docs/design/decisions.md).

It is separate from the first (`storage/decisions/client_locks.py`), so that it sees what was committed while the first
took its locks.
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
from consent_registry.storage.decisions.client_locks import (
    UNKNOWN_CLIENT,
    FactsQuery,
    ResolvedClient,
    distinct_references,
    resolved_client,
)

CLIENT_OF_OTHER = OTHERS.index("client_id")


class QuestionFacts(msgspec.Struct, frozen=True):
    """The facts for one question: the client, its grants for the flow, and the other clients on whose consents these
    grants depend.
    """

    client: ResolvedClient
    grants: list[Grant]
    others: frozenset[str]


NOTHING_KNOWN = QuestionFacts(UNKNOWN_CLIENT, [], frozenset())


class Facts(msgspec.Struct, frozen=True):
    """The facts for several questions, in their order, as of `now` (the database's clock)."""

    now: datetime
    catalogue_version: int
    questions: list[QuestionFacts]


# See `load_facts`. Each value for an index condition is first a column of its own: under row-level security the planner
# pushes no expression that could leak a row (such as `coalesce`) into an index condition.
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
        g.third_parties, g.third_party_grants, g.evidence_follows, g.entrusted_by,
        case when g.third_party_grants is not null then array(
            select row(o.grant_id, o.consent_id, o.client_id, o.sender_id, o.recipient_id, o.purpose_id,
                o.category_ids, o.explicit, o.answer, o.valid_from, o.valid_until, o.recorder_id, o.given_at,
                o.third_parties, o.third_party_grants, o.evidence_follows, o.entrusted_by, x.kind, x.effective_at,
                x.recorded_at, x.category_ids, x.valid_until, x.by_grant_id)
            from registry.grants o
            left join registry.grant_changes x on x.network_id = $1 and x.grant_id = o.grant_id
            where o.network_id = $1 and o.grant_id = any (g.third_party_grants)
        ) end as others,
        case when g.release_ids is not null then array(
            select row(l.purpose_ids, l.category_ids, l.valid_until) from registry.releases l
            where l.network_id = $1 and l.release_id = any (g.release_ids) and l.holder_id = g.sender_id
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


async def load_facts(connection: Connection, network_id: int, queries: Sequence[FactsQuery]) -> Facts:
    """Read the facts for all questions in one statement. The decisions' time is the statement's start.

    The statement leaves out grants that can never permit again. So clients who never agreed, refused, withdrew, or
    whose consent expired cause about the same work, however often (docs/silence.md; a constant response time hides the
    rest). `decide` judges the other grants.
    """
    if not queries:
        return Facts(await read_clock(connection), await catalogue_version(connection, network_id), [])
    references = distinct_references(queries)
    # Sorted, the flows of one reference are adjacent, so their first and last positions identify them.
    flows = sorted({flow for query in queries for flow in _flows(query, references)})
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
    of_flow = dict(zip(flows, _facts_of_flows(rows, len(flows)), strict=True))
    return Facts(
        rows[0]["now"],
        rows[0]["catalogue_version"] or 0,
        [_first_known([of_flow[flow] for flow in _flows(query, references)]) for query in queries],
    )


_FlowQuery = tuple[int, int, int]


def _flows(query: FactsQuery, references: dict[tuple[int, bytes], int]) -> list[_FlowQuery]:
    """The flows to look up for a question: under each digest, the reference's number, recipient and purpose."""
    return [(references[query.sender_id, digest], query.recipient_id, query.purpose_id) for digest in query.digests]


def _first_known(candidates: Sequence[QuestionFacts]) -> QuestionFacts:
    """The facts under the first digest that is stored. A reference is stored once; if it ever were stored twice, the
    current key's digest would count, as for the locks.
    """
    for candidate in candidates:
        if candidate.client is not UNKNOWN_CLIENT:
            return candidate
    return NOTHING_KNOWN


def _facts_of_flows(rows: Sequence[GrantRow], number_of_flows: int) -> list[QuestionFacts]:
    """Group the rows by the number of their flow."""
    of_flow: list[list[GrantRow]] = [[] for _ in range(number_of_flows)]
    for row in rows:
        of_flow[row["number"]].append(row)
    return [_facts_of_flow(flow_rows) for flow_rows in of_flow]


def _facts_of_flow(rows: Sequence[GrantRow]) -> QuestionFacts:
    granted = [row for row in rows if row["grant_id"] is not None]
    others = frozenset(str(third_party[CLIENT_OF_OTHER]) for row in granted for third_party in row["others"] or ())
    return QuestionFacts(resolved_client(rows[0]), grants_from_rows(granted) if granted else [], others)
