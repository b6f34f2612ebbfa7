"""The log's leaf: a commitment of 33 bytes to an event.

leaf = 0x01 ‖ HMAC-SHA256(key = nonce, message = event bytes). The nonce is 32 random bytes, new for each event. Without
the nonce the leaf reveals nothing about the event. With event and nonce anybody can check that they belong to the leaf.
"""

import hmac

import msgspec

LEAF_VERSION = b"\x01"
LEAF_LENGTH = 33
NONCE_LENGTH = 32

# Sorted keys, no insignificant space, UTF-8. For events (no floats, ASCII member names) this is RFC 8785.
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
    """HMAC-SHA256(nonce, reference): a partner with nonce and reference can recognise the reference in an event."""
    return hmac.digest(nonce, reference.encode(), "sha256")
