"""Statements for credentials of partner systems: OAuth client ids, keyed hashes of secrets, and revocations."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class Credential(msgspec.Struct, frozen=True):
    """A partner system's credential. `partner_id` is None for the network's administration."""

    client_id: str
    partner_id: int | None
    scopes: tuple[str, ...]
    secret_key: str
    secret_mac: bytes


async def find_credential(connection: Connection, network_id: int, client_id: str) -> Credential | None:
    """The credential with this OAuth client id, revoked or not."""
    row = await connection.fetchrow(
        """
        select client_id, partner_id, scopes, secret_key, secret_mac
        from registry.credentials where network_id = $1 and client_id = $2
        """,
        network_id,
        client_id,
    )
    return None if row is None else Credential(row[0], row[1], tuple(row[2]), row[3], row[4])


async def add_credential(
    connection: Connection,
    network_id: int,
    client_id: str,
    partner_id: int | None,
    scopes: Sequence[str],
    secret: tuple[str, bytes],
    at: datetime,
) -> None:
    """Add a credential. `secret` is the digest key's id and the keyed hash of the secret."""
    await connection.execute(
        """
        insert into registry.credentials
            (network_id, client_id, partner_id, scopes, secret_key, secret_mac, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        network_id,
        client_id,
        partner_id,
        list(scopes),
        *secret,
        at,
    )


async def revoke_credential(connection: Connection, network_id: int, client_id: str, at: datetime) -> None:
    """Revoke a credential. The constraint `credential_revocations_pkey` refuses a second revocation."""
    await connection.execute(
        "insert into registry.credential_revocations (network_id, client_id, recorded_at) values ($1, $2, $3)",
        network_id,
        client_id,
        at,
    )
