"""UUIDv7 ids contain their time, references follow the rules of the wire contract, and codes survive
copying by hand.
"""

import random
import re
import unicodedata
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.identifiers import (
    CROCKFORD,
    UUID_PATTERN,
    is_uuid,
    make_code,
    read_code,
    reference_fault,
    uuid7,
    uuid7_between,
    uuid7_milliseconds,
    uuid7s,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENTROPY = st.binary(min_size=10, max_size=10)
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def test_the_example_of_the_standard() -> None:
    """The example of RFC 9562, appendix A.6, is reproduced bit for bit."""
    at = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    entropy = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(at, entropy) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(INSTANTS, ENTROPY)
def test_ids_are_version_7_and_carry_their_millisecond(at: datetime, entropy: bytes) -> None:
    """Version, variant and time are where RFC 9562 puts them, for any random bits."""
    text = uuid7(at, entropy)
    parsed = uuid.UUID(text)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)
    assert uuid7_milliseconds(text) == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(INSTANTS, INSTANTS, INSTANTS, ENTROPY)
def test_ids_of_a_period_lie_between_two(begin: datetime, end: datetime, at: datetime, entropy: bytes) -> None:
    """Every id of a moment in a period lies between the two bounds, for any random bits; no id is older than 1970."""
    least, greatest = uuid7_between(begin, end)
    assert is_uuid(least)
    assert is_uuid(greatest)
    if begin <= at <= end:
        assert least <= uuid7(at, entropy) <= greatest
    if at < begin - timedelta(milliseconds=1) or at > end + timedelta(milliseconds=1):
        assert not least <= uuid7(at, entropy) <= greatest
    old = datetime(1900, 1, 1, tzinfo=UTC)
    assert uuid7_between(old, old) == (uuid7(EPOCH, bytes(10)), uuid7(EPOCH, b"\xff" * 10))


@given(INSTANTS, INSTANTS, ENTROPY, ENTROPY)
def test_ids_sort_by_time(earlier: datetime, later: datetime, first: bytes, second: bytes) -> None:
    """Of two ids from different milliseconds the later sorts after the earlier, as text and as number."""
    ids = uuid7(earlier, first), uuid7(later, second)
    times = uuid7_milliseconds(ids[0]), uuid7_milliseconds(ids[1])
    if times[0] != times[1]:
        assert (ids[0] < ids[1]) == (times[0] < times[1]) == (uuid.UUID(ids[0]) < uuid.UUID(ids[1]))


def test_an_id_takes_ten_bytes() -> None:
    """An id uses ten random bytes and ignores further ones."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert uuid7(at, bytes(range(1, 17))) == uuid7(at, bytes(range(1, 11)))


@given(INSTANTS, st.lists(ENTROPY, max_size=5))
def test_many_ids_are_made_of_their_own_ten_bytes_each(at: datetime, entropies: list[bytes]) -> None:
    """Ids made together are the same as ids made one by one."""
    assert uuid7s(at, b"".join(entropies)) == [uuid7(at, entropy) for entropy in entropies]


@given(INSTANTS, st.integers(0, 79))
def test_74_random_bits_make_the_difference(at: datetime, bit: int) -> None:
    """74 of the 80 random bits change the id; version and variant replace the other six."""
    same = uuid7(at, bytes(10)) == uuid7(at, (1 << bit).to_bytes(10, "big"))
    assert same == (bit in {62, 63, 76, 77, 78, 79})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", True),
        ("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", False),
        ("017f22e279b07cc398c4dc0c0c07398f", False),
        ("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}", False),
        ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n", False),
        ("017f22e2-79b0-7cc3-98c4-dc0c0c07398g", False),
        ("", False),
    ],
)
def test_only_the_canonical_form_is_an_id(text: str, holds: bool) -> None:
    """An id is lower case, with hyphens and nothing around it."""
    assert is_uuid(text) is holds


@pytest.mark.parametrize(
    ("reference", "part_of_fault"),
    [
        ("AWO-1001", None),
        ("Ж-7 / Größe", None),
        ("ملف ١٢", None),
        ("a b", None),
        ("x" * 128, None),
        ("😀" * 128, None),
        ("", "1 to 128"),
        ("x" * 129, "1 to 128"),
        (" x", "space"),
        ("x ", "space"),
        ("x\u00a0", "space"),
        ("\u3000x", "space"),
        ("a\tb", "control"),
        ("a\nb", "control"),
        ("a\x00b", "control"),
        ("a\x7fb", "control"),
        ("a\u200bb", "control"),  # zero-width space
        ("a\u200db", "control"),  # zero-width joiner
        ("a\u202eb", "control"),  # right-to-left override
        ("\ufeffa", "control"),  # byte order mark
        ("a\u00adb", "control"),  # soft hyphen
        ("a\ud800", "control"),  # half a surrogate pair
        ("o\u0308", "form C"),  # ö in two code points
        ("\u212b", "form C"),  # the Ångström sign, which NFC replaces
    ],
)
def test_references_as_the_contract_lists_them(reference: str, part_of_fault: str | None) -> None:
    """References that the contract allows are accepted, and forbidden ones are refused by rule."""
    fault = reference_fault(reference)
    if part_of_fault is None:
        assert fault is None
    else:
        assert part_of_fault in (fault or "")


@given(st.text(st.characters(), max_size=6) | st.text(st.sampled_from("aö\u0308 \u00a0\u200b\t"), max_size=4))
def test_references_keep_every_rule_at_once(reference: str) -> None:
    """A reference is accepted exactly if length, form, characters and ends all follow the contract."""
    forbidden = {"Cc", "Cf", "Cs", "Cn"}  # unassigned ones could become control characters tomorrow
    allowed = (
        1 <= len(reference) <= 128
        and unicodedata.normalize("NFC", reference) == reference
        and not any(unicodedata.category(character) in forbidden for character in reference)
        and reference == reference.strip()
    )
    assert (reference_fault(reference) is None) == allowed


CODES = [make_code(random.Random(seed).randbytes(8)) for seed in range(40)]
# Where 0 and Z meet, so that the one weakness of a sum modulo 31 over 32 characters shows.
CODES += [make_code((0x1F << shift).to_bytes(7, "big")) for shift in range(0, 55, 5)]


def _read(digits: str) -> bool:
    return read_code(digits) is not None


def test_every_wrong_digit_is_found_except_0_for_z() -> None:
    """A code with one wrong character is refused; only 0 for Z, or Z for 0, before the check digit is accepted."""
    for code in (code.replace("-", "") for code in CODES):
        assert _read(code)
        missed = {
            (place, digit)
            for place in range(12)
            for digit in CROCKFORD
            if digit != code[place] and _read(code[:place] + digit + code[place + 1 :])
        }
        known = {(place, {"0": "Z", "Z": "0"}[code[place]]) for place in range(11) if code[place] in "0Z"}
        assert missed == known


def _swapped(code: str, place: int) -> str:
    return code[:place] + code[place + 1] + code[place] + code[place + 2 :]


def test_every_swap_of_neighbours_is_found_except_0_with_z() -> None:
    """A code with two neighbours swapped is refused, except 0 and Z before the check digit."""
    seen = 0
    for code in (code.replace("-", "") for code in CODES):
        for place in range(11):
            pair = {code[place], code[place + 1]}
            if len(pair) == 2:
                assert _read(_swapped(code, place)) == (pair == {"0", "Z"} and place < 10)
                seen += 1
    assert seen > 300


def test_a_check_digit_without_weights_misses_swaps() -> None:
    """Control: a check digit from a plain sum accepts swapped neighbours."""

    def plain(digits: str) -> str:
        return CROCKFORD[sum(map(CROCKFORD.index, digits)) % 31]

    code = make_code(bytes(range(7)), plain).replace("-", "")
    assert any(read_code(_swapped(code, place), plain) for place in range(9))


@given(st.binary(min_size=7, max_size=16))
def test_a_code_carries_55_bits(entropy: bytes) -> None:
    """A code contains exactly 55 bits of its random bytes."""
    code = make_code(entropy)
    assert re.fullmatch(rf"[{CROCKFORD}]{{4}}-[{CROCKFORD}]{{4}}-[{CROCKFORD}]{{4}}", code)
    number = 0
    for digit in code.replace("-", "")[:11]:
        number = number << 5 | CROCKFORD.index(digit)
    assert number == int.from_bytes(entropy[:7], "big") & (1 << 55) - 1


def test_a_code_that_was_given_out_stays_good() -> None:
    """A code on a client's paper stays valid from release to release."""
    assert make_code(bytes(range(200, 207))) == "J69S-B5WS-KEEJ"


def test_codes_are_read_as_people_write_them() -> None:
    """Case, hyphens, spaces and the look-alikes I, L and O do not matter in a code."""
    code = next(code for code in CODES if "0" in code and "1" in code)
    plain = code.replace("-", "")
    for written in (code, code.lower(), plain, " ".join(plain), code.replace("1", "I"), code.replace("1", "l")):
        assert read_code(written) == plain
    assert read_code(code.replace("0", "o").replace("1", "i")) == plain


@pytest.mark.parametrize(
    "text", ["", "X", "U" * 12, "0" * 11, "0" * 13, "0000-0000-000é", "000é-0000-0000", "\u0660" * 12, "0000_0000_0000"]
)
def test_what_is_no_code_is_not_read(text: str) -> None:
    """A code with a wrong length or a character outside Crockford's 32 is refused."""
    assert read_code(text) is None


def test_the_pattern_of_ids_is_the_contracts() -> None:
    """The published pattern for ids and the checking function agree."""
    text = uuid7(datetime(2026, 11, 22, tzinfo=UTC), bytes(10))
    assert re.search(UUID_PATTERN, text) is not None
    assert re.search(UUID_PATTERN, text.upper().replace("0", "A")) is None
