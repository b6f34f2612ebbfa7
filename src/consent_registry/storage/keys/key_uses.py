"""Counts the stored values that need a key, so that nobody drops a key that is in use."""

from consent_registry.storage.database.database import Connection

# Seconds; enough to count about ten million values.
PATIENCE = 900


async def count_key_uses(connection: Connection, network_id: int) -> list[tuple[str, str, str, int]]:
    """How many stored values of this transaction's partners were made with each key: rows of key file, key id, kind of
    value and count. A ciphertext names its key in its first bytes: the id's length and the id.
    """
    await connection.execute(f"set local statement_timeout = '{PATIENCE}s'")
    rows = await connection.fetch(
        """
        select 'digest' as key_file, digest_key as key_id, 'references' as what, count(*) as number
        from registry.client_references where network_id = $1 group by 2
        union all
        select 'digest', digest_key, 'receipt codes', count(*)
        from registry.receipt_codes where network_id = $1 group by 2
        union all
        select 'digest', digest_key, 'link codes', count(*)
        from registry.link_codes where network_id = $1 group by 2
        union all
        select 'digest', c.secret_key, 'client secrets', count(*)
        from registry.credentials c where c.network_id = $1 and not exists (
            select from registry.credential_revocations r where r.network_id = $1 and r.client_id = c.client_id)
        group by 2
        union all
        select 'sealing', convert_from(substr(s.sealed, 2, get_byte(s.sealed, 0) & 127), 'UTF8'), s.what, count(*)
        from (
            select 'references' as what, sealed from registry.client_references where network_id = $1
            union all
            select 'places of evidence', evidence_kept_at from registry.consents where network_id = $1
            union all
            select 'places of evidence', kept_at from registry.consent_evidence where network_id = $1
            union all
            select 'functions in releases', function_sealed from registry.releases where network_id = $1
            union all
            select 'answers kept for repetition', answer from registry.idempotency_keys where network_id = $1
        ) s where octet_length(s.sealed) > 0 group by 2, 3
        """,
        network_id,
        timeout=PATIENCE,
    )
    return [(row["key_file"], row["key_id"], row["what"], row["number"]) for row in rows]


async def list_partner_ids(connection: Connection, network_id: int) -> list[int]:
    """The numbers of all partners of a network."""
    rows = await connection.fetch("select partner_id from registry.partners where network_id = $1", network_id)
    return [row["partner_id"] for row in rows]
