"""Statements for link codes, which a client carries from one partner to another. Only a code's digest is stored."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class LinkCodeRow(msgspec.Struct, frozen=True):
    """A link code to be issued: for a partner's reference (by its home number), and optionally for one partner only."""

    link_code_id: str
    client_id: str
    partner_id: int
    for_partner_id: int | None
    expires_at: datetime
    recorded_at: datetime


class LinkCode(msgspec.Struct, frozen=True):
    """A stored link code, with whether it has expired or was redeemed."""

    link_code_id: str
    client_id: str
    partner_id: int
    for_partner_id: int | None
    expired: bool
    used: bool


async def add_link_code(connection: Connection, network_id: int, digest: tuple[str, bytes], row: LinkCodeRow) -> None:
    """Add a link code. `digest` is the digest key's id and the digest."""
    await connection.execute(
        """
        insert into registry.link_codes (network_id, digest_key, digest, link_code_id, client_id, partner_id,
            for_partner_id, expires_at, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        network_id,
        *digest,
        *msgspec.structs.astuple(row),
    )


async def find_link_code(connection: Connection, network_id: int, digests: Sequence[bytes]) -> LinkCode | None:
    """The link code of any partner, found by its digests under all digest keys; None if unknown."""
    row = await connection.fetchrow(
        """
        select c.link_code_id, c.client_id, c.partner_id, c.for_partner_id, c.expires_at <= statement_timestamp(),
            exists (select from registry.links l where l.network_id = $1 and l.link_code_id = c.link_code_id)
        from registry.link_codes c where c.network_id = $1 and c.digest = any ($2::bytea[])
        """,
        network_id,
        digests,
    )
    return None if row is None else LinkCode(str(row[0]), str(row[1]), *row[2:])
