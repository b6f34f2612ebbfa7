"""The associated data of each encrypted value, with which AES-GCM binds a ciphertext to its row and column.

It names the table, the column, the network, the partner that may read the value, and the row. A ciphertext that was
moved to another row or column does not decrypt.
"""

from collections.abc import Mapping
from types import MappingProxyType

# The first word of the old form, which named network and partner but no row.
EARLIER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "client_references.sealed": "reference",
        "consents.evidence_kept_at": "kept_at",
        "consent_evidence.kept_at": "kept_at",
        "releases.function_sealed": "function",
    }
)


def associated_data_of_text(column: str, network_id: int, partner_id: int, row_id: str) -> str:
    """The associated data for an encrypted text of a consent, its evidence or a release. `column` is a key of
    EARLIER_WORDS, `row_id` the row's primary key.
    """
    return f"{column} {network_id} {partner_id} {row_id}"


def associated_data_of_reference(network_id: int, partner_id: int, client_id: str, digest: bytes) -> str:
    """The associated data for a partner's reference for a client. It changes with the digest of the reference."""
    return f"client_references.sealed {network_id} {partner_id} {client_id} {digest.hex()}"


def associated_data_of_answer(network_id: int, partner_id: int, scope: bytes, body_sha256: bytes) -> str:
    """The associated data for an answer that is kept for an Idempotency-Key: the key's scope and the body's SHA-256."""
    return f"idempotency_keys.answer {network_id} {partner_id} {scope.hex()} {body_sha256.hex()}"


def earlier_associated_data(column: str, network_id: int, partner_id: int) -> str:
    """The associated data in the old form, which is the same for all of a partner's values in a column."""
    return f"{EARLIER_WORDS[column]} {network_id} {partner_id}"
