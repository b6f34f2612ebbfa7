"""Identifiers: UUIDv7 (RFC 9562 section 5.7), partners' references and the codes clients carry.

Time and randomness are arguments: this module reads no clock and no random source.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime

# `$` alone would accept a trailing line feed. JavaScript reads these patterns too and has no `\Z`.
SLUG_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$(?!\n)"
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$(?!\n)"
REFERENCE_LENGTH = 128
ORIGIN_LENGTH = 200

# Crockford's base 32: without I, L, O and U, so that people can read a code aloud and copy it by hand.
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CROCKFORD_LOOKALIKES = str.maketrans("ILO", "110")
CODE_LENGTH = 12
_UUID = re.compile(UUID_PATTERN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Each hexadecimal digit with its upper two bits replaced by the variant's (RFC 9562 section 4.1).
_VARIANT = {digit: "89ab"[number % 4] for number, digit in enumerate("0123456789abcdef")}


def uuid7(at: datetime, entropy: bytes) -> str:
    """A UUIDv7 for `at` from 10 random bytes: 48 bits of milliseconds, then 74 random bits."""
    (identifier,) = uuid7s(at, entropy[:10])
    return identifier


def uuid7s(at: datetime, entropy: bytes) -> list[str]:
    """UUIDv7s with the time `at`: one for each 10 bytes of `entropy`."""
    elapsed = at - _EPOCH
    milliseconds = (elapsed.days * 86_400 + elapsed.seconds) * 1000 + elapsed.microseconds // 1000
    high, digits = f"{milliseconds:012x}", entropy.hex()
    begin = f"{high[:8]}-{high[8:]}-7"
    return [
        # Of 20 digits the version replaces the first; the variant replaces two bits of the fifth.
        f"{begin}{digits[n + 1 : n + 4]}-{_VARIANT[digits[n + 4]]}{digits[n + 5 : n + 8]}-{digits[n + 8 : n + 20]}"
        for n in range(0, len(digits), 20)
    ]


def uuid7_between(begin: datetime, end: datetime) -> tuple[str, str]:
    """The least and the greatest UUIDv7 of the moments between `begin` and `end`; none is older than 1970."""
    return uuid7(max(begin, _EPOCH), bytes(10)), uuid7(max(end, _EPOCH), b"\xff" * 10)


def uuid7_milliseconds(text: str) -> int:
    """The milliseconds since 1970 in a UUIDv7 in canonical form."""
    return int(text[:8] + text[9:13], 16)


def reference_fault(reference: str) -> str | None:
    """The rule that a partner's reference breaks, or None. A reference has 1 to 128 characters, is in NFC, and has no
    control or format characters and no space at the ends (docs/wire.md).
    """
    if not 1 <= len(reference) <= REFERENCE_LENGTH:
        return f"must have 1 to {REFERENCE_LENGTH} characters"
    if not reference.isascii() or not reference.isprintable():
        if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn"} for character in reference):
            return "must not contain control or format characters"
        if not unicodedata.is_normalized("NFC", reference):
            return "must be in Unicode normal form C"
    if reference[0].isspace() or reference[-1].isspace():
        return "must not begin or end with a space"
    return None


def origin_fault(origin: str) -> str | None:
    """The rule that a log's origin breaks, or None. An origin is a URL without a scheme. It is the name of the log's
    key and the first line of every checkpoint, so it can never change (C2SP signed-note, tlog-checkpoint).
    """
    if not 1 <= len(origin) <= ORIGIN_LENGTH:
        return f"must have 1 to {ORIGIN_LENGTH} characters"
    if "+" in origin or any(character.isspace() for character in origin):
        return "must not contain a plus sign or a space, which end a key's name"
    if any(unicodedata.category(character)[0] == "C" for character in origin):
        return "must not contain control, format or unassigned characters"
    if not unicodedata.is_normalized("NFC", origin):
        return "must be in Unicode normal form C"
    if "://" in origin:
        return "must be without a scheme, like registry.example/paderborn"
    return None


def check_digit_of(digits: str) -> str:
    """The check digit, by weights 1 to 11 modulo 31. It detects every wrong digit and every swap of neighbours, except
    between 0 and Z.
    """
    total = sum(position * CROCKFORD.index(digit) for position, digit in enumerate(digits, start=1))
    return CROCKFORD[total % 31]


def make_code(entropy: bytes, check_digit: Callable[[str], str] = check_digit_of) -> str:
    """A 12-character code `XXXX-XXXX-XXXX`: 55 bits of `entropy` (7 bytes or more) and a check digit."""
    number = int.from_bytes(entropy[:7], "big")  # of its 56 bits the first is not used
    digits = "".join(CROCKFORD[number >> shift & 31] for shift in range(50, -5, -5))
    code = digits + check_digit(digits)
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def read_code(text: str, check_digit: Callable[[str], str] = check_digit_of) -> str | None:
    """The 12 characters of a code that a person typed, or None if it is no code. Case, hyphens, spaces and look-alike
    letters do not matter.
    """
    code = text.upper().replace("-", "").replace(" ", "").translate(CROCKFORD_LOOKALIKES)
    if len(code) != CODE_LENGTH or any(character not in CROCKFORD for character in code):
        return None
    return code if check_digit(code[:-1]) == code[-1] else None


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in canonical form (lower case, with hyphens)."""
    return _UUID.fullmatch(text) is not None
