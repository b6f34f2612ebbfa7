"""The log's leaf: 33 bytes, a commitment to an event and nothing else.

leaf = 0x01 ‖ HMAC-SHA256(key = nonce, message = event bytes). The nonce is 32 random bytes, one for each event: it
hides what the event says for as long as the leaf stands, and binds to it for as long as event and nonce are kept.
"""

import hmac

import msgspec

LEAF_VERSION = b"\x01"
LEAF_LENGTH = 33
NONCE_LENGTH = 32

# Keys sorted, no insignificant space, UTF-8: RFC 8785 for what events hold (no floats, ASCII member names).
_CANONICAL = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """The canonical JSON (RFC 8785) of a value without floats whose member names are ASCII."""
    return _CANONICAL.encode(value)


def make_leaf(event: bytes, nonce: bytes) -> bytes:
    """The leaf of an event's exact bytes; raises ValueError unless the nonce has 32 bytes."""
    if len(nonce) != NONCE_LENGTH:
        message = f"a nonce has {NONCE_LENGTH} bytes, not {len(nonce)}"
        raise ValueError(message)
    return LEAF_VERSION + hmac.digest(nonce, event, "sha256")


def opens(leaf: bytes, event: bytes, nonce: bytes) -> bool:
    """Whether event and nonce open this leaf."""
    return hmac.compare_digest(leaf, make_leaf(event, nonce))


def reference_commitment(nonce: bytes, reference: str) -> bytes:
    """HMAC-SHA256(nonce, reference): lets who knows the reference, and keeps the nonce, recognise it in an event."""
    return hmac.digest(nonce, reference.encode(), "sha256")
