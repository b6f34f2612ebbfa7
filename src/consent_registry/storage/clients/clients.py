"""Statements for clients and partners' references, and the advisory lock of a client number."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_CLIENT


class ClientReference(msgspec.Struct, frozen=True):
    """A reference that a partner registered: its ciphertext, the digest by which it was looked up, and the client
    number that it got when it was registered, at `recorded_at`.
    """

    client_id: str
    recorded_at: datetime
    ciphertext: bytes
    digest: bytes


class EncryptedReference(msgspec.Struct, frozen=True):
    """A partner's encrypted reference, with the client number and digest to which the ciphertext is bound."""

    client_id: str
    digest: bytes
    ciphertext: bytes


def client_lock(client_id: str) -> int:
    """The lock number of a client: the first four bytes of its client id, which is random."""
    return int.from_bytes(bytes.fromhex(client_id[:8]), "big", signed=True)


def digest_locks(digests: Sequence[bytes]) -> list[int]:
    """The lock numbers of an unknown reference, one for each digest key, ascending."""
    return sorted({int.from_bytes(digest[:4], "big", signed=True) for digest in digests})


async def lock_client(connection: Connection, network_id: int, number: int) -> None:
    """Take the exclusive lock of a client number until the transaction ends, to change what is recorded under it."""
    await connection.execute("select pg_advisory_xact_lock($1, $2)", LOCK_CLIENT | network_id, number)


async def lock_client_shared(connection: Connection, network_id: int, number: int) -> None:
    """Take the shared lock of a client number until the transaction ends, so that nobody changes or erases it
    meanwhile.
    """
    await connection.execute("select pg_advisory_xact_lock_shared($1, $2)", LOCK_CLIENT | network_id, number)


async def find_reference(
    connection: Connection, network_id: int, partner_id: int, digests: Sequence[bytes]
) -> ClientReference | None:
    """A partner's reference, found by its digests under all digest keys; None if the partner has not registered it."""
    row = await connection.fetchrow(
        """
        select client_id, recorded_at, sealed, digest from registry.client_references
        where network_id = $1 and partner_id = $2 and digest = any ($3::bytea[])
        """,
        network_id,
        partner_id,
        digests,
    )
    return None if row is None else ClientReference(str(row[0]), *row[1:])


async def find_references(
    connection: Connection, network_id: int, partner_id: int, client_ids: list[str]
) -> dict[str, EncryptedReference]:
    """This partner's encrypted reference for each of these client numbers; numbers without one are left out.

    A reference for the number itself is preferred, then the oldest one for another number of the same client.
    """
    rows = await connection.fetch(
        """
        select w.client_id as asked_for, own.*
        from (select distinct client_id from unnest($3::uuid[]) as asked (client_id)) w
        cross join lateral (
            select r.client_id, r.digest, r.sealed from registry.client_references r
            where r.network_id = $1 and r.partner_id = $2 and r.client_id = any (array(
                select w.client_id
                union all
                select m.client_id from registry.current_memberships o
                join registry.current_memberships m on m.network_id = $1 and m.group_id = o.group_id
                where o.network_id = $1 and o.client_id = w.client_id))
            order by r.client_id <> w.client_id, r.recorded_at, r.digest limit 1
        ) own
        """,
        network_id,
        partner_id,
        client_ids,
    )
    return {str(asked_for): EncryptedReference(str(client_id), *stored) for asked_for, client_id, *stored in rows}


async def find_own_clients(
    connection: Connection, network_id: int, partner_id: int, client_ids: Sequence[str]
) -> set[str]:
    """The client numbers among these that this partner registered a reference with."""
    rows = await connection.fetch(
        """
        select client_id from registry.client_references
        where network_id = $1 and partner_id = $2 and client_id = any ($3::uuid[])
        """,
        network_id,
        partner_id,
        client_ids,
    )
    return {str(row["client_id"]) for row in rows}


async def list_references(
    connection: Connection, network_id: int, partner_id: int, client_ids: Sequence[str]
) -> list[EncryptedReference]:
    """All references, encrypted, that a partner has for these client numbers."""
    rows = await connection.fetch(
        """
        select client_id, digest, sealed from registry.client_references
        where network_id = $1 and partner_id = $2 and client_id = any ($3::uuid[])
        """,
        network_id,
        partner_id,
        client_ids,
    )
    return [EncryptedReference(str(client_id), *stored) for client_id, *stored in rows]


async def add_client(connection: Connection, network_id: int, client_id: str, at: datetime) -> None:
    """Add a client: a random number and no other data."""
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
    ciphertext: bytes,
    at: datetime,
) -> None:
    """Add a partner's reference for a client. `digest` is the digest key's id and the digest."""
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
        ciphertext,
        at,
    )
