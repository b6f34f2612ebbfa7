"""Statements for unlinkings, which make a reference mean a client by itself, and for permits from before them."""

from datetime import datetime

import msgspec

from consent_registry.domain.identifiers import uuid7_between
from consent_registry.storage.database.database import Connection


class UnlinkingRow(msgspec.Struct, frozen=True):
    """An unlinking: the client number, the group that it left (if any), and since when it had been linked."""

    unlinking_id: str
    client_id: str
    partner_id: int
    left_group_id: str | None
    linked_at: datetime
    recorded_at: datetime


class PermitOnUndoneLink(msgspec.Struct, frozen=True):
    """A permit that relied on a link undone later: the decision and the unlinking.

    `linked_at` is when the asking partner itself redeemed a code for the client, None if another partner did.
    """

    decision_id: str
    log_index: int
    client_id: str
    decided_at: datetime
    unlinking_id: str
    linked_at: datetime | None
    unlinked_at: datetime


async def linked_since(connection: Connection, network_id: int, client_id: str) -> datetime | None:
    """When the client number was first linked since its last unlinking; None if it is not linked."""
    at: datetime | None = await connection.fetchval(
        """
        select min(m.recorded_at) from registry.client_memberships m
        where m.network_id = $1 and m.client_id = $2 and m.position > coalesce((
            select max(o.position) from registry.client_memberships o
            join registry.unlinkings u on u.network_id = $1 and u.unlinking_id = o.group_id
            where o.network_id = $1 and o.client_id = $2), 0)
        """,
        network_id,
        client_id,
    )
    return at


async def add_unlinking(connection: Connection, network_id: int, row: UnlinkingRow) -> None:
    """Add an unlinking row."""
    await connection.execute(
        """
        insert into registry.unlinkings
            (network_id, unlinking_id, client_id, partner_id, left_group_id, linked_at, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        network_id,
        *msgspec.structs.astuple(row),
    )


async def permits_on_undone_links(
    connection: Connection, network_id: int, partner_id: int, begin: datetime, end: datetime
) -> list[PermitOnUndoneLink]:
    """A partner's permits that relied on a link undone in a period, in the order of the log.

    Such a permit answers a question with one reference and names a grant recorded under the other, and neither was
    unlinked between permit and period. (Outcomes 1 and 2 permit.) `offset 0` separates the statement's steps, so that
    each step finds the next rows by index.
    """
    rows = await connection.fetch(
        """
        select distinct e.event_id, e.log_index, e.client_id, e.at, u.unlinking_id, o.linked_at, u.recorded_at
        from registry.unlinkings u
        join registry.client_memberships m on m.network_id = $1 and m.group_id = u.left_group_id
        cross join lateral (
            select e.event_id, e.log_index, e.client_id, e.at, e.event from registry.events e
            where e.network_id = $1 and e.client_id = m.client_id and e.kind = registry.kind('decision')
              and e.outcome <= 2
              and e.actor_id = $2 and e.at >= u.linked_at and e.at <= u.recorded_at offset 0
        ) e
        cross join lateral jsonb_array_elements_text(convert_from(e.event, 'UTF8')::jsonb -> 'grants') used
        cross join lateral (
            select g.client_id from registry.grants g
            where g.network_id = $1 and g.grant_id = used::uuid
              and (g.client_id = u.client_id) <> (e.client_id = u.client_id) offset 0
        ) g
        left join lateral (
            select max(l.recorded_at) as linked_at from registry.links l
            where l.network_id = $1 and l.client_id = e.client_id and l.partner_id = $2 and l.recorded_at <= e.at
        ) o on true
        where u.network_id = $1 and u.unlinking_id between $3 and $4 and u.recorded_at >= $5 and u.recorded_at < $6
          and not exists (
              select from registry.unlinkings earlier
              where earlier.network_id = $1 and earlier.client_id in (e.client_id, g.client_id)
                and earlier.recorded_at >= e.at and earlier.recorded_at < u.recorded_at)
        order by e.log_index
        """,
        network_id,
        partner_id,
        *uuid7_between(begin, end),
        begin,
        end,
    )
    return [PermitOnUndoneLink(str(row[0]), row[1], str(row[2]), row[3], str(row[4]), row[5], row[6]) for row in rows]
