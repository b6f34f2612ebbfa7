"""Statements for legal holds and the liftings that end them."""

from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class Hold(msgspec.Struct, frozen=True):
    """A legal hold on a client. `norm` and `placed_by` (a staff reference) are codes; `lifted_at` None means open."""

    hold_id: str
    client_id: str
    norm: str
    placed_by: str
    recorded_at: datetime
    lifted_at: datetime | None


async def add_hold(
    connection: Connection, network_id: int, hold_id: str, client_id: str, norm: str, placed_by: str, at: datetime
) -> None:
    """Place a hold on a client."""
    await connection.execute(
        """
        insert into registry.holds (network_id, hold_id, client_id, norm, placed_by, recorded_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        network_id,
        hold_id,
        client_id,
        norm,
        placed_by,
        at,
    )


async def list_holds(connection: Connection, network_id: int) -> list[Hold]:
    """All holds of a network, lifted ones included, in the order of recording."""
    rows = await connection.fetch(
        """
        select h.hold_id::text, h.client_id::text, h.norm, h.placed_by, h.recorded_at, l.recorded_at
        from registry.holds h
        left join registry.hold_liftings l on l.network_id = h.network_id and l.hold_id = h.hold_id
        where h.network_id = $1 order by h.recorded_at, h.hold_id
        """,
        network_id,
    )
    return [Hold(*row) for row in rows]


async def find_hold(connection: Connection, network_id: int, hold_id: str) -> Hold | None:
    """The hold with this id, or None."""
    row = await connection.fetchrow(
        """
        select h.hold_id::text, h.client_id::text, h.norm, h.placed_by, h.recorded_at, l.recorded_at
        from registry.holds h
        left join registry.hold_liftings l on l.network_id = h.network_id and l.hold_id = h.hold_id
        where h.network_id = $1 and h.hold_id = $2
        """,
        network_id,
        hold_id,
    )
    return None if row is None else Hold(*row)


async def add_lifting(
    connection: Connection, network_id: int, hold_id: str, client_id: str, lifted_by: str, at: datetime
) -> None:
    """Add a lifting, which ends a hold."""
    await connection.execute(
        """
        insert into registry.hold_liftings (network_id, hold_id, client_id, lifted_by, recorded_at)
        values ($1, $2, $3, $4, $5)
        """,
        network_id,
        hold_id,
        client_id,
        lifted_by,
        at,
    )
