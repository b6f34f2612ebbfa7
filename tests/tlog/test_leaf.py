"""The log's leaf: the event to which it commits, what it hides, and the bytes from which it is made."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from consent_registry.tlog.leaf import LEAF_LENGTH, canonical, make_leaf, opens, reference_commitment

# Computed with `openssl dgst -sha256 -mac HMAC -macopt hexkey:…`, which knows nothing of this code.
NONCE = bytes(range(32))
EVENT = '{"kind":"decision","name":"Größe – Ж – ملف"}'.encode()
LEAF = "01b627fbb79fd2b72c18a5b657d5623077a0dcbc7932effca1ad34a51aaad88581"
COMMITMENT = "af56be67ad8d09f8349d917cf10d9e49af7f107207a2ab9d8b4ed4729868358d"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz_0123456789"), min_size=1, max_size=12)
# What events hold: text, numbers that are indices and counts, yes and no, nothing; lists and objects of these.
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXT | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


def test_a_known_leaf() -> None:
    """The leaf is 0x01 and the HMAC-SHA256 of the event's bytes under its nonce, as another program computes it."""
    assert make_leaf(EVENT, NONCE).hex() == LEAF
    assert len(make_leaf(b"", NONCE)) == LEAF_LENGTH == 33


def test_a_known_commitment() -> None:
    """A reference's commitment is the HMAC-SHA256 of its UTF-8 bytes, as another program computes it."""
    assert reference_commitment(NONCE, "AWO-1001 ü").hex() == COMMITMENT


@given(st.dictionaries(NAMES, VALUES, max_size=8))
@example({"a": '\x00\x08\t\n\x1f\x7f\u2028\ufeff"\\/', "b": "😀"})
def test_canonical_json_is_rfc_8785(event: dict[str, Any]) -> None:
    """For everything that an event can contain, the bytes equal those of another implementation of RFC 8785."""
    assert canonical(event) == rfc8785.dumps(event)
    assert json.loads(canonical(event)) == event


def test_member_order_of_the_source_does_not_matter() -> None:
    """The same facts in another member order give the same bytes, also in nested objects; control: unsorted they
    differ.
    """
    unordered = {"b": [{"y": 1, "x": "ü"}], "a": None}
    ordered = {"a": None, "b": [{"x": "ü", "y": 1}]}
    assert canonical(unordered) == canonical(ordered) == '{"a":null,"b":[{"x":"ü","y":1}]}'.encode()
    assert json.dumps(unordered) != json.dumps(ordered)


def test_a_leaf_opens_for_its_own_event_and_nonce_only() -> None:
    """A flipped bit in leaf, event or nonce, or a byte more or less, is refused."""
    leaf = make_leaf(EVENT, NONCE)
    assert opens(leaf, EVENT, NONCE)
    for altered in _flipped(leaf):
        assert not opens(altered, EVENT, NONCE)
    for altered in _flipped(EVENT):
        assert not opens(leaf, altered, NONCE)
    for altered in _flipped(NONCE):
        assert not opens(leaf, EVENT, altered)
    assert not opens(leaf[:-1], EVENT, NONCE)
    assert not opens(leaf + b"\0", EVENT, NONCE)
    assert not opens(leaf, EVENT + b" ", NONCE)


def _flipped(value: bytes) -> list[bytes]:
    number = int.from_bytes(value, "big")
    return [(number ^ 1 << bit).to_bytes(len(value), "big") for bit in range(len(value) * 8)]


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_nonce_has_32_bytes(length: int) -> None:
    """Other lengths are refused: HMAC would pad a short key with zeros, and two nonces would open one leaf."""
    with pytest.raises(ValueError, match="32 bytes"):
        make_leaf(EVENT, bytes(length))
    with pytest.raises(ValueError, match="32 bytes"):
        opens(make_leaf(EVENT, NONCE), EVENT, bytes(length))
