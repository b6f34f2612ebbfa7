"""Clients and the references partners have for them; the client's lock."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database import LOCK_CLIENT, Connection


class ClientReference(msgspec.Struct, frozen=True):
    """A partner's reference as stored: which client, since when, and the reference sealed."""

    client_id: str
    recorded_at: datetime
    sealed: bytes


def client_lock(client_id: str) -> int:
    """The client's lock number: its id is random, so its first four bytes spread well."""
    return int.from_bytes(bytes.fromhex(client_id[:8]), "big", signed=True)


def digest_locks(digests: Sequence[bytes]) -> list[int]:
    """The lock numbers of a reference nobody has registered, one for each digest key, ascending."""
    return sorted({int.from_bytes(digest[:4], "big", signed=True) for digest in digests})


async def lock_client(connection: Connection, network_id: int, number: int) -> None:
    """Change this client (or register this reference) alone until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock($1, $2)", LOCK_CLIENT | network_id, number)


async def lock_client_shared(connection: Connection, network_id: int, number: int) -> None:
    """Use this client beside others until the transaction ends: it is not changed and not erased meanwhile."""
    await connection.execute("select pg_advisory_xact_lock_shared($1, $2)", LOCK_CLIENT | network_id, number)


async def find_reference(
    connection: Connection, network_id: int, partner_id: int, digests: Sequence[bytes]
) -> ClientReference | None:
    """The client a partner knows by the reference with these digests, one for each digest key; stored is one."""
    row = await connection.fetchrow(
        """
        select client_id, recorded_at, sealed from registry.client_references
        where network_id = $1 and partner_id = $2 and digest = any ($3::bytea[])
        """,
        network_id,
        partner_id,
        digests,
    )
    return None if row is None else ClientReference(str(row[0]), row[1], row[2])


async def find_references(
    connection: Connection, network_id: int, partner_id: int, client_ids: list[str]
) -> dict[str, bytes]:
    """The sealed reference this partner has for each of these clients, by client; unknown ones are missing."""
    rows = await connection.fetch(
        """
        select distinct on (client_id) client_id, sealed from registry.client_references
        where network_id = $1 and partner_id = $2 and client_id = any ($3::uuid[])
        order by client_id, recorded_at
        """,
        network_id,
        partner_id,
        client_ids,
    )
    return {str(row["client_id"]): row["sealed"] for row in rows}


async def add_client(connection: Connection, network_id: int, client_id: str, at: datetime) -> None:
    """Add a client: a random number and nothing else."""
    await connection.execute(
        "insert into registry.clients (network_id, client_id, recorded_at) values ($1, $2, $3)",
        network_id,
        client_id,
        at,
    )


async def add_reference(
    connection: Connection,
    network_id: int,
    partner_id: int,
    digest: tuple[str, bytes],
    client_id: str,
    sealed: bytes,
    at: datetime,
) -> None:
    """Add a partner's reference for a client; `digest` is the id of the digest key and the digest made with it."""
    await connection.execute(
        """
        insert into registry.client_references
            (network_id, partner_id, digest_key, digest, client_id, sealed, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        network_id,
        partner_id,
        *digest,
        client_id,
        sealed,
        at,
    )
