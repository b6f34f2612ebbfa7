"""Sealed values moved to the current key, a batch at a time, by the migrator's login (the application may not update).

Each value is replaced only where it still is what was read: what was removed or moved meanwhile is left alone.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from consent_registry.storage.database.database import Connection

# What consents have sealed: table by table which rows are not sealed with a key yet, and how one is replaced. A row's
# partner is the consent's recorder, who alone may see the value.
_READ = {
    "consents": """
        select consent_id as id, recorder_id as partner_id, evidence_kept_at as sealed from registry.consents
        where network_id = $1 and substr(evidence_kept_at, 1, octet_length($2::bytea)) <> $2::bytea and consent_id > $3
        order by consent_id limit $4
    """,
    "consent_evidence": """
        select e.consent_id as id, c.recorder_id as partner_id, e.kept_at as sealed
        from registry.consent_evidence e
        join registry.consents c on c.network_id = e.network_id and c.consent_id = e.consent_id
        where e.network_id = $1 and substr(e.kept_at, 1, octet_length($2::bytea)) <> $2::bytea and e.consent_id > $3
        order by e.consent_id limit $4
    """,
    "releases": """
        select l.release_id as id, c.recorder_id as partner_id, l.function_sealed as sealed
        from registry.releases l
        join registry.consents c on c.network_id = l.network_id and c.consent_id = l.consent_id
        where l.network_id = $1 and substr(l.function_sealed, 1, octet_length($2::bytea)) <> $2::bytea
          and l.release_id > $3
        order by l.release_id limit $4
    """,
}
_WRITE = {
    "consents": """
        update registry.consents c set evidence_kept_at = n.after
        from unnest($2::uuid[], $3::bytea[], $4::bytea[]) as n (id, before, after)
        where c.network_id = $1 and c.consent_id = n.id and c.evidence_kept_at = n.before
    """,
    "consent_evidence": """
        update registry.consent_evidence e set kept_at = n.after
        from unnest($2::uuid[], $3::bytea[], $4::bytea[]) as n (id, before, after)
        where e.network_id = $1 and e.consent_id = n.id and e.kept_at = n.before
    """,
    "releases": """
        update registry.releases l set function_sealed = n.after
        from unnest($2::uuid[], $3::bytea[], $4::bytea[]) as n (id, before, after)
        where l.network_id = $1 and l.release_id = n.id and l.function_sealed = n.before
    """,
}
TABLES = tuple(_READ)
COLUMNS = {
    "consents": "consents.evidence_kept_at",
    "consent_evidence": "consent_evidence.kept_at",
    "releases": "releases.function_sealed",
}


class SealedReference(msgspec.Struct, frozen=True):
    """A reference as stored."""

    partner_id: int
    digest: bytes
    sealed: bytes
    client_id: UUID
    digest_key: str


class SealedValue(msgspec.Struct, frozen=True):
    """A sealed value of a consent, its evidence or a release, and the partner it is sealed for."""

    id: UUID
    partner_id: int
    sealed: bytes


async def may_reseal(connection: Connection) -> bool:
    """Whether this login may change stored values."""
    return bool(await connection.fetchval("select has_table_privilege('registry.client_references', 'update')"))


async def references_to_reseal(
    connection: Connection, network_id: int, seal: bytes, digest_key: str, after: tuple[int, bytes], limit: int
) -> list[SealedReference]:
    """The next references that are sealed or digested with another key; `seal` is how the current key's seals begin."""
    rows = await connection.fetch(
        """
        select partner_id, digest, sealed, client_id, digest_key from registry.client_references
        where network_id = $1 and (substr(sealed, 1, octet_length($2::bytea)) <> $2::bytea or digest_key <> $3)
          and (partner_id, digest) > ($4, $5)
        order by partner_id, digest limit $6
        """,
        network_id,
        seal,
        digest_key,
        *after,
        limit,
    )
    return [SealedReference(*row) for row in rows]


async def reseal_references(
    connection: Connection,
    network_id: int,
    digest_key: str,
    changes: Sequence[tuple[SealedReference, bytes, bytes]],
) -> int:
    """Give references their new digest and seal; returns how many were still as read, and not stored under it already
    (which a server that did not know all keys may have done).
    """
    status = await connection.execute(
        """
        update registry.client_references r set digest = n.new_digest, digest_key = $2, sealed = n.new_sealed
        from unnest($3::integer[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[])
            as n (partner_id, digest, sealed, new_digest, new_sealed)
        where r.network_id = $1 and r.partner_id = n.partner_id and r.digest = n.digest and r.sealed = n.sealed
          and (n.new_digest = n.digest or not exists (
              select from registry.client_references x
              where x.network_id = $1 and x.partner_id = n.partner_id and x.digest = n.new_digest))
        """,
        network_id,
        digest_key,
        [before.partner_id for before, _, _ in changes],
        [before.digest for before, _, _ in changes],
        [before.sealed for before, _, _ in changes],
        [digest for _, digest, _ in changes],
        [sealed for _, _, sealed in changes],
    )
    return int(status.rpartition(" ")[2])


async def values_to_reseal(
    connection: Connection, table: str, network_id: int, seal: bytes, after: UUID, limit: int
) -> list[SealedValue]:
    """The next values of one of TABLES that are sealed with another key."""
    rows = await connection.fetch(_READ[table], network_id, seal, after, limit)
    return [SealedValue(*row) for row in rows]


async def reseal_values(
    connection: Connection, table: str, network_id: int, changes: Sequence[tuple[SealedValue, bytes]]
) -> int:
    """Give values their new seal; returns how many were still as read."""
    status = await connection.execute(
        _WRITE[table],
        network_id,
        [before.id for before, _ in changes],
        [before.sealed for before, _ in changes],
        [after for _, after in changes],
    )
    return int(status.rpartition(" ")[2])
