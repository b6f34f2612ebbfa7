"""Statements for receipt codes, with which a client can withdraw. Only a code's digest is stored, never the code."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class ReceiptCode(msgspec.Struct, frozen=True):
    """The consent that a code refers to, the consent's client number, and the partners concerned."""

    consent_id: str
    client_id: str
    partner_ids: tuple[int, ...]


async def add_receipt_code(
    connection: Connection, network_id: int, digest: tuple[str, bytes], code: ReceiptCode, issue: int, at: datetime
) -> None:
    """Add a code. `digest` is the digest key's id and the digest. Only the code with the highest `issue` is valid."""
    await connection.execute(
        """
        insert into registry.receipt_codes
            (network_id, digest_key, digest, consent_id, client_id, partner_ids, issue, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        network_id,
        *digest,
        code.consent_id,
        code.client_id,
        code.partner_ids,
        issue,
        at,
    )


async def find_receipt_code(connection: Connection, network_id: int, digests: Sequence[bytes]) -> ReceiptCode | None:
    """The consent of a code, found by its digests under all digest keys. None if unknown or replaced by a
    newer code.
    """
    row = await connection.fetchrow(
        """
        select c.consent_id, c.client_id, c.partner_ids from registry.receipt_codes c
        where c.network_id = $1 and c.digest = any ($2::bytea[]) and not exists (
            select from registry.receipt_codes later
            where later.network_id = $1 and later.consent_id = c.consent_id and later.issue > c.issue)
        """,
        network_id,
        digests,
    )
    return None if row is None else ReceiptCode(str(row[0]), str(row[1]), tuple(row[2]))


async def last_receipt_code(connection: Connection, network_id: int, consent_id: str) -> tuple[ReceiptCode, int] | None:
    """The newest code of a consent, and the number of codes issued; None if there is none."""
    row = await connection.fetchrow(
        """
        select consent_id, client_id, partner_ids, issue from registry.receipt_codes
        where network_id = $1 and consent_id = $2 order by issue desc limit 1
        """,
        network_id,
        consent_id,
    )
    return None if row is None else (ReceiptCode(str(row[0]), str(row[1]), tuple(row[2])), row[3])
