"""What each sealed value is bound to: the place it was sealed for, which goes into the authenticated data of AES-GCM.

A place names table, column, network, the partner who may read the value, and the row. So a value that stands in any
other place does not open, whoever put it there.
"""

from collections.abc import Mapping
from types import MappingProxyType

# The word that was the whole place, but for network and partner, before values were bound to their rows.
EARLIER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "client_references.sealed": "reference",
        "consents.evidence_kept_at": "kept_at",
        "consent_evidence.kept_at": "kept_at",
        "releases.function_sealed": "function",
    }
)


def place_of_value(column: str, network_id: int, partner_id: int, row_id: str) -> str:
    """The place of a consent's, its evidence's or a release's sealed text: `column` is one of EARLIER_WORDS, `row_id`
    the id that is the row's key.
    """
    return f"{column} {network_id} {partner_id} {row_id}"


def place_of_reference(network_id: int, partner_id: int, client_id: str, digest: bytes) -> str:
    """The place of a partner's reference: of this client, found by this digest. A new digest is a new place."""
    return f"client_references.sealed {network_id} {partner_id} {client_id} {digest.hex()}"


def place_of_answer(network_id: int, partner_id: int, scope: bytes, body_sha256: bytes) -> str:
    """The place of an answer kept for repetition: of this key (its scope) and this body."""
    return f"idempotency_keys.answer {network_id} {partner_id} {scope.hex()} {body_sha256.hex()}"


def earlier_place(column: str, network_id: int, partner_id: int) -> str:
    """The place before values were bound to their rows: one for all of a partner's values."""
    return f"{EARLIER_WORDS[column]} {network_id} {partner_id}"
