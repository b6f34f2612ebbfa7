"""Statements for a client's earlier answers, and for findings about who gave them."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.domain.identifiers import uuid7_between
from consent_registry.domain.law.earlier_answers import EarlierAnswer
from consent_registry.domain.law.proposed import AgeBand
from consent_registry.storage.database.database import Connection

_COLUMNS = """
    g.client_id, g.consent_id, g.grant_id, g.recorder_id, g.sender_id, g.recipient_id, g.purpose_id, g.category_ids,
    g.answer, k.giver_role, k.co_giver_roles, k.giver_age_band, k.giver_insight, k.giver_insight_assessed_by,
    k.explained_by, k.given_at, k.recorded_at
"""
# What was void from the start was no answer.
_NOT_VOID = """
    not exists (select from registry.grant_changes x
        where x.network_id = $1 and x.grant_id = g.grant_id and x.kind = 'invalidated')
"""


# The numbers that mean the client `c.client_id` now. From the table itself: the auditor's login reads no view.
_SAME_CLIENT = """
    array(
        select c.client_id union
        select o.client_id from registry.client_memberships m
        join registry.client_memberships o on o.network_id = $1 and o.group_id = m.group_id
        where m.network_id = $1 and m.client_id = c.client_id
          and not exists (select from registry.client_memberships x
              where x.network_id = $1 and x.client_id = m.client_id and x.position > m.position)
          and not exists (select from registry.client_memberships x
              where x.network_id = $1 and x.client_id = o.client_id and x.position > o.position))
"""


async def find_earlier_answers(
    connection: Connection, network_id: int, client_ids: Sequence[str]
) -> list[EarlierAnswer]:
    """The answers of these clients that this transaction's partners may read."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from registry.grants g
        join registry.consents k on k.network_id = $1 and k.consent_id = g.consent_id
        where g.network_id = $1 and g.client_id = any ($2::uuid[]) and {_NOT_VOID}
        order by g.grant_id
        """,  # noqa: S608 - our own columns
        network_id,
        client_ids,
    )
    return [_answer(row) for row in rows]


def _answer(row: asyncpg.Record) -> EarlierAnswer:
    return EarlierAnswer(
        client_id=str(row["client_id"]),
        consent_id=str(row["consent_id"]),
        grant_id=str(row["grant_id"]),
        recorder_id=row["recorder_id"],
        flow=(row["sender_id"], row["recipient_id"], row["purpose_id"]),
        category_ids=frozenset(row["category_ids"]),
        answer=row["answer"],
        is_own=row["giver_role"] == "self" or "self" in row["co_giver_roles"],
        age_band=row["giver_age_band"],
        insight=row["giver_insight"],
        insight_assessed_by=row["giver_insight_assessed_by"],
        explained_by=row["explained_by"],
        given_at=row["given_at"],
        recorded_at=row["recorded_at"],
    )


async def answers_to_refused_flows(
    connection: Connection, network_id: int, partner_id: int, begin: datetime, end: datetime
) -> list[list[EarlierAnswer]]:
    """For each client and flow of which the partner recorded a refusal, or somebody a representative's consent, in a
    period: all answers that the partner may see, of any time, under any reference that means the client.
    """
    rows = await connection.fetch(
        f"""
        with touched as materialized (
            select distinct g.client_id, g.sender_id, g.recipient_id, g.purpose_id
            from registry.consents k
            join registry.grants g on g.network_id = $1 and g.consent_id = k.consent_id
            where k.network_id = $1 and k.consent_id between $3 and $4 and k.recorded_at >= $5 and k.recorded_at < $6
              and $2 in (g.sender_id, g.recipient_id)
              and (k.giver_role <> 'self' or g.answer = 'refused' and g.recorder_id = $2)
        ), grouped as materialized (
            select c.*, row_number() over () as number, {_SAME_CLIENT} as client_ids from touched c
        )
        select t.number, {_COLUMNS} from grouped t
        join registry.grants g on g.network_id = $1 and g.client_id = any (t.client_ids)
          and g.sender_id = t.sender_id and g.recipient_id = t.recipient_id and g.purpose_id = t.purpose_id
        join registry.consents k on k.network_id = $1 and k.consent_id = g.consent_id
        where {_NOT_VOID} and (g.recorder_id = $2 or g.answer = 'given' or g.answer = 'requested' and g.sender_id = $2)
        order by t.number, g.grant_id
        """,  # noqa: S608 - our own columns
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
    )
    of_flow: dict[int, list[EarlierAnswer]] = {}
    for row in rows:
        of_flow.setdefault(row["number"], []).append(_answer(row))
    return list(of_flow.values())


class RecordedBands(msgspec.Struct, frozen=True):
    """A consent that a partner recorded, and an earlier record of the partner about the same client, with the age band
    and the time of each.
    """

    consent_id: str
    client_id: str
    age_band: AgeBand
    given_at: datetime
    recorded_at: datetime
    earlier_age_band: AgeBand
    earlier_given_at: datetime


async def recorded_bands(
    connection: Connection, network_id: int, partner_id: int, begin: datetime, end: datetime
) -> list[RecordedBands]:
    """The consents that the partner recorded in a period, each with every earlier record of it about the same client,
    by any reference. Two adults never contradict each other and are left out.
    """
    rows = await connection.fetch(
        f"""
        select k.consent_id, k.client_id, k.giver_age_band, k.given_at, k.recorded_at, e.giver_age_band, e.given_at
        from registry.consents k
        cross join lateral (
            select {_SAME_CLIENT} as client_ids from (select k.client_id) c offset 0
        ) n
        join registry.consents e on e.network_id = $1 and e.client_id = any (n.client_ids) and e.recorder_id = $2
          and e.consent_id < k.consent_id and e.giver_age_band is not null
          and (e.giver_age_band <> 'adult' or k.giver_age_band <> 'adult')
        where k.network_id = $1 and k.recorder_id = $2 and k.consent_id between $3 and $4
          and k.recorded_at >= $5 and k.recorded_at < $6 and k.giver_age_band is not null
          and exists (select from registry.grants g
              where g.network_id = $1 and g.consent_id = k.consent_id and {_NOT_VOID})
          and exists (select from registry.grants g
              where g.network_id = $1 and g.consent_id = e.consent_id and {_NOT_VOID})
        order by k.consent_id, e.consent_id
        """,  # noqa: S608 - our own columns
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
    )
    return [RecordedBands(str(row[0]), str(row[1]), *row[2:]) for row in rows]
