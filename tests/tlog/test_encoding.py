"""Hashes and numbers are written in one spelling: what is read is written again the same, and every other spelling is
refused.
"""

import pytest

from consent_registry.tlog.encoding import (
    HASH_LENGTH,
    LARGEST_SIZE,
    decode_base64,
    decode_decimal,
    decode_hash,
    encode_base64,
)

# RFC 4648 section 10.
BASE64 = {b"": "", b"f": "Zg==", b"fo": "Zm8=", b"foo": "Zm9v", b"foob": "Zm9vYg==", b"\xfb\xff": "+/8="}


@pytest.mark.parametrize(("value", "text"), BASE64.items())
def test_base64_has_one_spelling(value: bytes, text: str) -> None:
    """Base64 uses the standard alphabet with padding."""
    assert encode_base64(value) == text
    assert decode_base64(text) == value


@pytest.mark.parametrize(
    "text", ["Zg", "Zg=", "Zg===", "Zh==", "-_8=", "Zm8 =", "Zm9v\n", " Zm9v", "Zm9vYg==Zg==", "Z", "é==="]
)
def test_what_is_no_base64(text: str) -> None:
    """Missing padding, unused bits that are set, other letters and white space are refused."""
    with pytest.raises(ValueError, match=r"^not (canonical )?base64: "):
        decode_base64(text)


def test_a_fault_is_shown_by_its_beginning() -> None:
    """A message about a malformed text shows at most its first eighty letters."""
    with pytest.raises(ValueError, match=f"^not base64: '{'!' * 80}'$"):
        decode_base64("!" * 81)
    with pytest.raises(ValueError, match=f"^not canonical base64: '{'A' * 80}'$"):
        decode_base64("A" * 81 + "B==")
    with pytest.raises(ValueError, match=f"zeros: '{'x' * 40}'$"):
        decode_decimal("x" * 41)


def test_a_hash_has_its_length() -> None:
    """A hash with a byte less or more is refused."""
    assert decode_hash(encode_base64(bytes(32))) == bytes(32)
    assert HASH_LENGTH == 32
    for length in (0, 31, 33):
        with pytest.raises(ValueError, match=f"^a hash has 32 bytes, not {length}$"):
            decode_hash(encode_base64(bytes(length)))


@pytest.mark.parametrize("number", [0, 1, 9, 10, 2**62, 10**18, 2**63 - 1])
def test_a_number_is_decimal(number: int) -> None:
    """Numbers from 0 to 2^63 - 1 are read, including both ends."""
    assert decode_decimal(str(number)) == number
    assert LARGEST_SIZE == 2**63 - 1


@pytest.mark.parametrize(
    "text", ["", "00", "01", "-1", "+1", " 1", "1 ", "1\n", "1_0", "1.0", "0x1", "٣", "²", "one", "1" * 20, "9" * 5000]
)
def test_what_is_no_number(text: str) -> None:
    """Signs, spaces, leading zeros, other digits, and very long numbers are refused."""
    with pytest.raises(ValueError, match=r"^not a decimal number without leading zeros: "):
        decode_decimal(text)


@pytest.mark.parametrize("number", [2**63, 10**19 - 1])
def test_a_number_that_is_too_large(number: int) -> None:
    """A number beyond 2^63 - 1 is refused even if it has nineteen digits."""
    with pytest.raises(ValueError, match=rf"^larger than 2\^63 - 1: {number}$"):
        decode_decimal(str(number))
