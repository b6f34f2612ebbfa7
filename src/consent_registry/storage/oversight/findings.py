"""Statements for findings: one partner's transfers and permits in a period, and the changes of the grants.

Every statement names the partner, in addition to row-level security, because the auditor's login sees whole networks.
The times of withdrawals and other changes come from `grant_changes` and `release_changes`, which every partner of the
grant may read; only its recorder may read a withdrawal's row. (Outcomes 1 and 2 permit, 3 is no permission.)
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

import asyncpg
import msgspec

from consent_registry.domain.findings import Permit
from consent_registry.domain.grants import Precision
from consent_registry.domain.identifiers import uuid7_between, uuid7_milliseconds
from consent_registry.domain.transfer_findings import StopKind
from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_CATALOGUE

# The network, the partner, and a half-open period: begin <= t < end.
Slice = tuple[int, int, datetime, datetime]
_A_MOMENT = timedelta(seconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class SentRow(msgspec.Struct, frozen=True):
    """A transfer that was reported as sent."""

    transfer_id: str
    decision_id: str
    category_ids: tuple[int, ...]
    transferred_at: datetime
    recorded_at: datetime


class DecisionRow(msgspec.Struct, frozen=True):
    """A decision of the partner, with its log index and its event's bytes."""

    decision_id: str
    log_index: int
    client_id: str | None
    decided_at: datetime
    event: bytes


class StopRow(msgspec.Struct, frozen=True):
    """A change that stopped a grant from permitting these categories (None: all), or that lifted a restriction. `of_id`
    is the changed grant: this one, or one that it depends on; `given_at`, its precision and `paper_recorded_at` say
    when that was given, by its paper.
    """

    category_ids: tuple[int, ...] | None
    effective_at: datetime
    recorded_at: datetime
    kind: StopKind
    of_id: str
    given_at: datetime | None = None
    given_at_precision: Precision = "instant"
    paper_recorded_at: datetime | None = None


class UsedGrantRow(msgspec.Struct, frozen=True):
    """A grant with one of the changes that stopped it, or None."""

    grant_id: str
    category_ids: tuple[int, ...]
    stop: StopRow | None


async def visible_until(connection: Connection, network_id: int) -> datetime:
    """The moment up to which every record of this network is visible: now, or the start of the oldest running command.

    A command records only times after its begin. It holds the catalogue lock until COMMIT and reads the clock after
    taking it. So a command that does not hold the lock yet will read a later time than this.
    """
    at: datetime = await connection.fetchval(
        """
        select least(statement_timestamp(), min(a.xact_start))
        from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.objsubid = 2 and l.classid = $1::bigint::oid and l.objid = 0
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and l.granted and l.pid <> pg_backend_pid()
        """,
        LOCK_CATALOGUE | network_id,
    )
    return at


async def sent_in(connection: Connection, asked: Slice) -> list[SentRow]:
    """The transfers that the partner reported as sent in a period, whenever they happened."""
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        """
        select transfer_id, decision_id, category_ids, transferred_at, recorded_at from registry.transfers
        where network_id = $1 and partner_id = $2 and outcome = 'sent' and transfer_id between $3 and $4
          and recorded_at >= $5 and recorded_at < $6
        """,
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
    )
    return [_sent(row) for row in rows]


# See `sent_before`. `offset 0` makes the planner look up each client's transfers by index.
_SENT_BEFORE = """
    with fallen as materialized (
        select g.grant_id, g.client_id, c.effective_at from registry.grant_changes c
        join registry.grants g on g.network_id = $1 and g.grant_id = c.grant_id and g.sender_id = $2
        where c.network_id = $1 and c.kind = 'withdrawn' and c.recorded_at >= $3 and c.recorded_at < $4
        union all
        select g.grant_id, g.client_id, '-infinity' from registry.grant_changes c
        join registry.grants g on g.network_id = $1 and g.grant_id = c.grant_id and g.sender_id = $2
        where c.network_id = $1 and c.kind = 'invalidated' and c.recorded_at >= $3 and c.recorded_at < $4
    ), stopped as (
        select client_id, min(effective_at) as since from fallen group by client_id
        union all
        select g.client_id, min(f.effective_at)
        from registry.grants g join fallen f on f.grant_id = any (g.third_party_grants)
        where g.network_id = $1 and g.sender_id = $2 and g.third_party_grants is not null
        group by g.client_id
        union all
        select r.client_id, min(c.effective_at)
        from registry.release_changes c
        join registry.releases r on r.network_id = $1 and r.release_id = c.release_id and r.holder_id = $2
        where c.network_id = $1 and c.kind = 'withdrawn' and c.recorded_at >= $3 and c.recorded_at < $4
        group by r.client_id
    )
    select distinct t.transfer_id, t.decision_id, t.category_ids, t.transferred_at, t.recorded_at
    from stopped s
    cross join lateral (
        select t.* from registry.transfers t
        where t.network_id = $1 and t.partner_id = $2 and t.outcome = 'sent' and t.client_id = any (array(
            select s.client_id
            union all
            select m.client_id from registry.client_memberships o
            join registry.client_memberships m on m.network_id = $1 and m.group_id = o.group_id
            where o.network_id = $1 and o.client_id = s.client_id))
          and t.transferred_at >= s.since and t.recorded_at < $3 offset 0
    ) t
"""


async def sent_before(connection: Connection, asked: Slice) -> list[SentRow]:
    """Transfers reported before a period that may become findings by a change recorded in the period.

    That is a withdrawal of a grant or release, by the client or by another person in the data, in effect before the
    transfer; or an invalidation. The search covers every client number that ever meant the same client. Endings and
    restrictions cannot be such changes: they take effect when they are recorded, so never before an earlier report.
    """
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        _SENT_BEFORE,
        network_id,
        partner_id,
        begin,
        end,
    )
    return [_sent(row) for row in rows]


def _sent(row: asyncpg.Record) -> SentRow:
    return SentRow(str(row[0]), str(row[1]), tuple(row[2]), row[3], row[4])


async def decisions(
    connection: Connection, network_id: int, partner_id: int, decision_ids: Sequence[str]
) -> list[DecisionRow]:
    """The partner's decisions with these ids. The times in the ids limit the search to their partitions."""
    if not decision_ids:
        return []
    moments = [uuid7_milliseconds(decision_id) for decision_id in decision_ids]
    rows = await connection.fetch(
        """
        select event_id, log_index, client_id, at, event from registry.events
        where network_id = $1 and actor_id = $2 and kind = registry.kind('decision') and event_id = any ($3::uuid[])
          and at >= $4 and at < $5
        """,
        network_id,
        partner_id,
        decision_ids,
        _EPOCH + timedelta(milliseconds=min(moments)) - _A_MOMENT,
        _EPOCH + timedelta(milliseconds=max(moments)) + _A_MOMENT,
    )
    return [DecisionRow(str(row[0]), row[1], _text(row[2]), row[3], row[4]) for row in rows]


def _text(number: object) -> str | None:
    return None if number is None else str(number)


async def used_grants(connection: Connection, network_id: int, grant_ids: Sequence[str]) -> list[UsedGrantRow]:
    """These grants, with a row for each change that stopped them, or one row without a change.

    If the sender is a secrecy holder, the withdrawal of the last release that frees a category of a grant counts as a
    withdrawal of that category. A change of another person's grant counts for the categories about other persons.
    """
    rows = await connection.fetch(
        """
        with g as materialized (
            select g.*, k.given_at_precision, k.recorded_at as paper_at from registry.grants g
            left join registry.consents k on k.network_id = $1 and k.consent_id = g.consent_id
            where g.network_id = $1 and g.grant_id = any ($2::uuid[])
        )
        select g.grant_id, g.category_ids, c.category_ids as stopped_ids, c.effective_at, c.recorded_at, c.kind,
            g.grant_id as of_id, g.given_at, g.given_at_precision, g.paper_at
        from g left join registry.grant_changes c
          on c.network_id = $1 and c.grant_id = g.grant_id and c.kind = any ($3::text[])
        union all
        select g.grant_id, g.category_ids, array[q.category_id], max(w.effective_at), max(w.recorded_at), 'withdrawn',
            g.grant_id, g.given_at, g.given_at_precision, g.paper_at
        from g
        join registry.partners p on p.network_id = $1 and p.partner_id = g.sender_id
          and jsonb_path_exists(p.functions, '$[*].secrecy_norm ? (@ != null)')
        cross join lateral unnest(g.category_ids) as q (category_id)
        join registry.releases r on r.network_id = $1 and r.release_id = any (g.release_ids)
          and (r.category_ids is null or q.category_id = any (r.category_ids))
        left join registry.release_changes w
          on w.network_id = $1 and w.release_id = r.release_id and w.kind = 'withdrawn'
        group by g.grant_id, g.category_ids, g.given_at, g.given_at_precision, g.paper_at, q.category_id
        having bool_and(w.release_id is not null)
        union all
        select g.grant_id, g.category_ids,
            array(select d.category_id from registry.data_categories d
                where d.network_id = $1 and (d.flags ->> 'third_party_data')::boolean
                  and d.category_id = any (g.category_ids)
                  and d.category_id = any (coalesce(w.category_ids, o.category_ids))),
            w.effective_at, w.recorded_at, w.kind, o.grant_id, o.given_at, k.given_at_precision, k.recorded_at
        from g
        join registry.grants o on o.network_id = $1 and o.grant_id = any (g.third_party_grants)
        left join registry.consents k on k.network_id = $1 and k.consent_id = o.consent_id
        join registry.grant_changes w on w.network_id = $1 and w.grant_id = o.grant_id and w.kind = any ($3::text[])
        """,
        network_id,
        grant_ids,
        get_args(StopKind),
    )
    return [UsedGrantRow(str(row[0]), tuple(row[1]), _stop(row)) for row in rows]


def _stop(row: asyncpg.Record) -> StopRow | None:
    if row["kind"] is None:
        return None
    category_ids = None if row["stopped_ids"] is None else tuple(row["stopped_ids"])
    precision: Precision = row["given_at_precision"] or "instant"
    paper = (row["given_at"], precision, row["paper_at"])
    return StopRow(category_ids, row["effective_at"], row["recorded_at"], row["kind"], str(row["of_id"]), *paper)


async def unreported_permits(connection: Connection, asked: Slice) -> list[Permit]:
    """The partner's permits in a period without any report."""
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        """
        select e.event_id, e.log_index, e.client_id, e.at from registry.events e
        left join lateral (
            select true as there from registry.transfers t
            where t.network_id = $1 and t.decision_id = e.event_id limit 1
        ) reported on true
        where e.network_id = $1 and e.sender_id = $2 and e.kind = registry.kind('decision') and e.outcome <= 2
          and e.event_id between $3 and $4 and e.at >= $5 and e.at < $6 and reported.there is null
        """,
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
    )
    return [Permit(str(row[0]), row[1], _text(row[2]), row[3]) for row in rows]


async def consents_without_evidence(connection: Connection, asked: Slice) -> list[tuple[str, str, datetime]]:
    """Consents that the partner recorded in a period and that have no evidence yet: id, client, time of recording."""
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        """
        select c.consent_id, c.client_id, c.recorded_at from registry.consents c
        where c.network_id = $1 and c.recorder_id = $2 and c.consent_id between $3 and $4
          and c.recorded_at >= $5 and c.recorded_at < $6 and c.method <> 'oral' and c.evidence_sha256 is null
          and not exists (
              select from registry.consent_evidence e where e.network_id = $1 and e.consent_id = c.consent_id)
          and exists (
              select from registry.grants g
              where g.network_id = $1 and g.consent_id = c.consent_id and g.answer <> 'refused')
        """,
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
    )
    return [(str(row[0]), str(row[1]), row[2]) for row in rows]
