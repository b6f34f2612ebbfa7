"""Statements for unusual look-ups: one partner's questions and wrong codes in a period.

Every statement names the partner, in addition to row-level security. (Outcomes 1 to 3 are consent-based; 3 is no
permission.)
"""

from datetime import datetime

from consent_registry.domain.identifiers import uuid7_between
from consent_registry.domain.lookups import Lookup
from consent_registry.storage.clients.code_attempts import CodeKind
from consent_registry.storage.database.database import Connection
from consent_registry.storage.oversight.findings import Slice


async def refused_lookups(connection: Connection, asked: Slice) -> list[Lookup]:
    """The partner's questions in a period that permitted nothing."""
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        """
        select event_id, log_index, at, client_id from registry.events
        where network_id = $1 and actor_id = $2 and kind = registry.kind('decision') and outcome = 3 and at >= $3
          and at < $4
        """,
        network_id,
        partner_id,
        begin,
        end,
    )
    return [Lookup(str(row[0]), row[1], row[2], None if row[3] is None else str(row[3]), sent=False) for row in rows]


async def repeated_lookups(connection: Connection, asked: Slice, times: int) -> list[Lookup]:
    """The partner's consent-based questions about each client about whom it asked at least `times` times
    in a period.
    """
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        """
        select a.event_id, a.log_index, a.at, a.client_id, sent.there is not null as sent
        from (
            select event_id, log_index, at, client_id, count(*) over (partition by client_id) as times
            from registry.events
            where network_id = $1 and actor_id = $2 and kind = registry.kind('decision') and outcome <= 3
              and client_id is not null
              and at >= $3 and at < $4
        ) a
        left join lateral (
            select true as there from registry.transfers t
            where t.network_id = $1 and t.decision_id = a.event_id and t.outcome = 'sent' limit 1
        ) sent on true
        where a.times >= $5
        """,
        network_id,
        partner_id,
        begin,
        end,
        times,
    )
    return [Lookup(str(row[0]), row[1], row[2], str(row[3]), row[4]) for row in rows]


async def wrong_codes(connection: Connection, asked: Slice, kind: CodeKind) -> list[tuple[str, datetime]]:
    """The ids and times of the partner's wrong codes in a period."""
    network_id, partner_id, begin, end = asked
    rows = await connection.fetch(
        """
        select failure_id, recorded_at from registry.code_failures
        where network_id = $1 and partner_id = $2 and failure_id between $3 and $4 and kind = $7
          and recorded_at >= $5 and recorded_at < $6
        """,
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
        kind,
    )
    return [(str(row[0]), row[1]) for row in rows]
