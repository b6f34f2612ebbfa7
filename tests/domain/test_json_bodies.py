"""Bodies are read at once or slowly, and both readings say the same."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.api.decisions import BatchRequest
from consent_registry.domain import json_bodies
from consent_registry.domain.errors import Malformed
from consent_registry.operations.decisions.decisions import DecisionRequest

GOOD = {"client": "A-1", "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
# Members and values as a careless or hostile client would send them; each may stand twice.
MEMBERS = st.lists(
    st.tuples(
        st.sampled_from([*GOOD, "basis", "norm", "receipt", "x", 'a"b', "ä"]),
        st.sampled_from(["A-1", "south", "support", ["identity"], [], True, None, 5, {"client": "A"}, 'q"', "\\", "ü"]),
    ),
    max_size=8,
)


def text_of(members: list[tuple[str, Any]], *, ascii_only: bool) -> bytes:
    """A JSON object with these members, also those that stand twice."""
    pairs = (f"{json.dumps(n, ensure_ascii=ascii_only)}: {json.dumps(v, ensure_ascii=ascii_only)}" for n, v in members)
    return ("{" + ", ".join(pairs) + "}").encode()


def reading(body: bytes, read: Any) -> object:  # noqa: ANN401 - either way of reading
    """What a reading gives: the request, or its faults."""
    try:
        return read(body, DecisionRequest)
    except Malformed as error:
        return (error.detail, error.faults)


@given(MEMBERS, st.booleans())
def test_both_readings_agree(members: list[tuple[str, Any]], ascii_only: bool) -> None:
    """Whatever is sent, with members twice or not, the quick reading gives what the slow one gives."""
    body = text_of(members, ascii_only=ascii_only)
    assert reading(body, json_bodies.decode) == reading(body, json_bodies._decode_slowly)


@given(st.permutations(list(GOOD.items())), st.sampled_from(list(GOOD)))
def test_a_member_that_stands_twice_is_refused(members: list[tuple[str, Any]], name: str) -> None:
    """A good request with one member repeated, even with the same value, is refused by that member's name."""
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(text_of([*members, (name, GOOD[name])], ascii_only=False), DecisionRequest)
    assert refused.value.faults[0].detail == f"member {name!r} stands twice in one object"


def test_a_duplicate_deep_in_a_batch_is_refused() -> None:
    """One repeated member in the last of many items refuses the batch."""
    items = b", ".join([msgspec.json.encode(GOOD)] * 50)
    assert len(json_bodies.decode(b'{"decisions": [' + items + b"]}", BatchRequest).decisions) == 50
    twice = items[:-1] + b', "purpose": "support"}'
    with pytest.raises(Malformed):
        json_bodies.decode(b'{"decisions": [' + twice + b"]}", BatchRequest)


def test_the_quick_reading_without_its_check_lets_duplicates_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: it is the count of strings that finds them."""
    monkeypatch.setattr(json_bodies, "_has_no_duplicates", lambda _: True)
    assert (
        json_bodies.decode(text_of([*GOOD.items(), ("client", "A-2")], ascii_only=False), DecisionRequest).client
        == "A-2"
    )
