"""Statements for groups: the client numbers that mean one client; and the groups' locks.

Membership rows are only added. A link adds a row of a new group for every member, so a group only ever loses members.
A transaction that locked a group's members, and then finds the same group, holds the locks of all its members.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_CLIENT


class ClientGroup(msgspec.Struct, frozen=True):
    """The client numbers that mean one client. `positions` counts how often each number has changed its group; a number
    that was never linked is a group by itself, at position 0.
    """

    group_id: str | None
    positions: dict[str, int]

    @classmethod
    def single(cls, client_id: str) -> "ClientGroup":
        """The group of a client that was never linked."""
        return cls(None, {client_id: 0})

    @property
    def client_ids(self) -> list[str]:
        """The client numbers, ascending."""
        return sorted(self.positions)


async def lock_groups(
    connection: Connection,
    network_id: int,
    *,
    references: Sequence[tuple[int, bytes]] = (),
    client_ids: Sequence[str] = (),
) -> set[str]:
    """Take the exclusive locks, in ascending order, of all client numbers in the groups of these references (partner
    and digest) and client numbers. Returns the locked client numbers.

    For an unknown reference it locks the number that decisions lock for it. A member that joined during the wait is not
    locked: compare with `find_groups` afterwards.
    """
    # Every row of `locked` must be read, because an unread row is not locked. So it is the row-preserving side of the
    # join.
    rows = await connection.fetch(
        """
        with homes as (
            select r.client_id, w.digest
            from unnest($2::integer[], $3::bytea[]) as w (partner_id, digest)
            left join registry.client_references r
              on r.network_id = $1 and r.partner_id = w.partner_id and r.digest = w.digest
            union all
            select w.client_id, null from unnest($4::uuid[]) as w (client_id)
        ), members as (
            select client_id, digest from homes
            union
            select m.client_id, null
            from homes
            join registry.current_memberships o on o.network_id = $1 and o.client_id = homes.client_id
            join registry.current_memberships m on m.network_id = $1 and m.group_id = o.group_id
        ), numbered as (
            select client_id,
                ('x' || coalesce(substr(client_id::text, 1, 8), encode(substr(digest, 1, 4), 'hex')))::bit(32)::integer
                    as number
            from members
        ), locked as materialized (
            select number, pg_advisory_xact_lock($5, number)::text as held
            from (select distinct number from numbered order by number) as ascending
        )
        select n.client_id, l.held from locked l left join numbered n using (number)
        """,
        network_id,
        [partner_id for partner_id, _ in references],
        [digest for _, digest in references],
        client_ids,
        LOCK_CLIENT | network_id,
    )
    return {str(row[0]) for row in rows if row[0] is not None}


async def find_groups(connection: Connection, network_id: int, client_ids: Sequence[str]) -> dict[str, ClientGroup]:
    """The group of each of these client numbers."""
    rows = await connection.fetch(
        """
        select w.client_id, m.client_id, m.group_id, m.position
        from unnest($2::uuid[]) as w (client_id)
        join registry.current_memberships o on o.network_id = $1 and o.client_id = w.client_id
        join registry.current_memberships m on m.network_id = $1 and m.group_id = o.group_id
        """,
        network_id,
        client_ids,
    )
    groups = {client_id: ClientGroup.single(client_id) for client_id in client_ids}
    found: dict[str, ClientGroup] = {}
    for home, member, group_id, position in rows:
        group = found.setdefault(str(home), ClientGroup(str(group_id), {}))
        group.positions[str(member)] = position
    return groups | found


async def add_memberships(
    connection: Connection, network_id: int, group_id: str, positions: dict[str, int], at: datetime
) -> None:
    """Add these client numbers to a group. `positions` are their positions before (see ClientGroup)."""
    await connection.executemany(
        """
        insert into registry.client_memberships (network_id, client_id, position, group_id, recorded_at)
        values ($1, $2, $3, $4, $5)
        """,
        [(network_id, client_id, positions[client_id] + 1, group_id, at) for client_id in sorted(positions)],
    )


async def count_references(connection: Connection, network_id: int, client_ids: Sequence[str]) -> dict[int, int]:
    """How many references each partner of the network has for these client numbers, regardless of the caller."""
    rows = await connection.fetch("select * from registry.count_references($1, $2::uuid[])", network_id, client_ids)
    return {row["partner_id"]: row["number"] for row in rows}


async def has_redeemed(connection: Connection, network_id: int, partner_id: int, client_id: str) -> bool:
    """Whether this partner redeemed a link code for this client number and has not unlinked it since."""
    linked: bool = await connection.fetchval(
        """
        select coalesce(max(m.position) filter (where l.link_id is not null), 0)
            > coalesce(max(m.position) filter (where u.unlinking_id is not null), 0)
        from registry.client_memberships m
        left join registry.links l on l.network_id = $1 and l.link_id = m.group_id and l.client_id = m.client_id
          and l.partner_id = $2
        left join registry.unlinkings u on u.network_id = $1 and u.unlinking_id = m.group_id
        where m.network_id = $1 and m.client_id = $3
        """,
        network_id,
        partner_id,
        client_id,
    )
    return linked


class LinkRow(msgspec.Struct, frozen=True):
    """A redeemed link code. `client_id` is the home of the redeeming partner's reference."""

    link_id: str
    link_code_id: str
    client_id: str
    partner_id: int
    recorded_at: datetime


async def add_link(connection: Connection, network_id: int, row: LinkRow) -> None:
    """Add a link, which marks its code as used."""
    await connection.execute(
        """
        insert into registry.links (network_id, link_id, link_code_id, client_id, partner_id, recorded_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        network_id,
        *msgspec.structs.astuple(row),
    )
