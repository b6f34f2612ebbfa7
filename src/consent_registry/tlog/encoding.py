"""How hashes and numbers are written in the log's texts. Each value has one spelling; every other is refused."""

import base64
import binascii

HASH_LENGTH = 32
LARGEST_SIZE = 2**63 - 1


def encode_base64(value: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(value).decode("ascii")


def decode_base64(text: str) -> bytes:
    """The bytes of canonical standard base64; raises ValueError for any other spelling of the same bytes."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"not base64: {text[:80]!r}") from error
    if encode_base64(value) != text:  # unused bits at the end are set: a second spelling of the same value
        raise ValueError(f"not canonical base64: {text[:80]!r}")
    return value


def decode_hash(text: str) -> bytes:
    """The 32 bytes of a SHA-256 hash written in base64; raises ValueError."""
    value = decode_base64(text)
    if len(value) != HASH_LENGTH:
        raise ValueError(f"a hash has {HASH_LENGTH} bytes, not {len(value)}")
    return value


def decode_decimal(text: str) -> int:
    """A size, index or time from ASCII decimal without leading zeros, at most 2^63 - 1; raises ValueError."""
    if not (text.isascii() and text.isdigit()) or (text != "0" and text.startswith("0")) or len(text) > len("9" * 19):
        raise ValueError(f"not a decimal number without leading zeros: {text[:40]!r}")
    number = int(text)
    if number > LARGEST_SIZE:
        raise ValueError(f"larger than 2^63 - 1: {text}")
    return number
