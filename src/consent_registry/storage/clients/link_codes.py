"""Link codes: what a client carries from one partner to another. The code itself is not kept, only its digest."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class LinkCodeRow(msgspec.Struct, frozen=True):
    """A code about to be issued, for a partner's reference (its home number) and, if so said, for one partner only."""

    link_code_id: str
    client_id: str
    partner_id: int
    for_partner_id: int | None
    expires_at: datetime
    recorded_at: datetime


class LinkCode(msgspec.Struct, frozen=True):
    """A code as stored, whether it was redeemed, and whether its time is over."""

    link_code_id: str
    client_id: str
    partner_id: int
    for_partner_id: int | None
    expired: bool
    used: bool


async def add_link_code(connection: Connection, network_id: int, digest: tuple[str, bytes], row: LinkCodeRow) -> None:
    """Add a code; `digest` is the id of the digest key and the digest made with it."""
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
    """The code with these digests, one for each digest key, whoever issued it."""
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
