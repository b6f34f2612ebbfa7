"""Re-encrypts stored values with the current key, in batches, under the migrator's login (the application's login has
no UPDATE privilege).

A value is replaced only if it is still the one that was read. Rows removed or changed in the meantime are skipped.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from consent_registry.storage.database.database import Connection

# For each table with encrypted texts: the rows under another key, and the replacement of a row. A row's partner is the
# consent's recorder, the only partner that may read the text.
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


class OutdatedReference(msgspec.Struct, frozen=True):
    """A stored reference that is encrypted or digested with an earlier key."""

    partner_id: int
    digest: bytes
    ciphertext: bytes
    client_id: UUID
    digest_key: str


class OutdatedValue(msgspec.Struct, frozen=True):
    """A text of a consent, its evidence or a release under an earlier key, and the partner that may read it."""

    id: UUID
    partner_id: int
    ciphertext: bytes


async def may_reencrypt(connection: Connection) -> bool:
    """Whether this login has the UPDATE privilege on stored values."""
    return bool(await connection.fetchval("select has_table_privilege('registry.client_references', 'update')"))


async def find_outdated_references(
    connection: Connection, network_id: int, prefix: bytes, digest_key: str, after: tuple[int, bytes], limit: int
) -> list[OutdatedReference]:
    """The next references that are not both encrypted and digested with the current keys. Every ciphertext under the
    current key begins with `prefix`.
    """
    rows = await connection.fetch(
        """
        select partner_id, digest, sealed, client_id, digest_key from registry.client_references
        where network_id = $1 and (substr(sealed, 1, octet_length($2::bytea)) <> $2::bytea or digest_key <> $3)
          and (partner_id, digest) > ($4, $5)
        order by partner_id, digest limit $6
        """,
        network_id,
        prefix,
        digest_key,
        *after,
        limit,
    )
    return [OutdatedReference(*row) for row in rows]


async def replace_references(
    connection: Connection,
    network_id: int,
    digest_key: str,
    changes: Sequence[tuple[OutdatedReference, bytes, bytes]],
) -> int:
    """Store references with their new digest and ciphertext. Returns how many were replaced: not those changed since
    they were read, nor those stored under the new digest already (by a server that had not read all keys).
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
        [before.ciphertext for before, _, _ in changes],
        [digest for _, digest, _ in changes],
        [ciphertext for _, _, ciphertext in changes],
    )
    return int(status.rpartition(" ")[2])


async def find_outdated_values(
    connection: Connection, table: str, network_id: int, prefix: bytes, after: UUID, limit: int
) -> list[OutdatedValue]:
    """The next texts in a table of TABLES that are not encrypted with the current key."""
    rows = await connection.fetch(_READ[table], network_id, prefix, after, limit)
    return [OutdatedValue(*row) for row in rows]


async def replace_values(
    connection: Connection, table: str, network_id: int, changes: Sequence[tuple[OutdatedValue, bytes]]
) -> int:
    """Store texts with their new ciphertext. Returns how many were still as they were read."""
    status = await connection.execute(
        _WRITE[table],
        network_id,
        [before.id for before, _ in changes],
        [before.ciphertext for before, _ in changes],
        [after for _, after in changes],
    )
    return int(status.rpartition(" ")[2])
