"""The fast and the slow path of reading a JSON body agree."""

import gc
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.api.decisions import BatchRequest
from consent_registry.domain import json_bodies
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.operations.decisions.decisions import DecisionRequest

GOOD = {"client": "A-1", "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
# Members and values as a careless or hostile client would send them; each may be given twice.
MEMBERS = st.lists(
    st.tuples(
        st.sampled_from([*GOOD, "basis", "norm", "receipt", "x", 'a"b', "ä"]),
        st.sampled_from(["A-1", "south", "support", ["identity"], [], True, None, 5, {"client": "A"}, 'q"', "\\", "ü"]),
    ),
    max_size=8,
)


def text_of(members: list[tuple[str, Any]], *, ascii_only: bool) -> bytes:
    """A JSON object with these members, duplicates included."""
    pairs = (f"{json.dumps(n, ensure_ascii=ascii_only)}: {json.dumps(v, ensure_ascii=ascii_only)}" for n, v in members)
    return ("{" + ", ".join(pairs) + "}").encode()


def reading(body: bytes, read: Any) -> object:  # noqa: ANN401 - either way of reading
    """The result of reading a body: the request, or its faults."""
    try:
        return read(body, DecisionRequest)
    except Malformed as error:
        return (error.detail, error.faults)


@given(MEMBERS, st.booleans())
def test_both_readings_agree(members: list[tuple[str, Any]], ascii_only: bool) -> None:
    """The fast path gives what the slow path gives, for any body, with or without duplicate members."""
    body = text_of(members, ascii_only=ascii_only)
    assert reading(body, json_bodies.decode) == reading(body, json_bodies._decode_slowly)


@given(st.permutations(list(GOOD.items())), st.sampled_from(list(GOOD)))
def test_a_member_that_stands_twice_is_refused(members: list[tuple[str, Any]], name: str) -> None:
    """A request with a repeated member, even with the same value, is refused by the member's name."""
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(text_of([*members, (name, GOOD[name])], ascii_only=False), DecisionRequest)
    assert refused.value.faults[0].detail == f"member {name!r} stands twice in one object"


def test_a_duplicate_deep_in_a_batch_is_refused() -> None:
    """A batch of fifty questions is refused if the last question has a duplicate member."""
    items = b", ".join([msgspec.json.encode(GOOD)] * 50)
    assert len(json_bodies.decode(b'{"decisions": [' + items + b"]}", BatchRequest).decisions) == 50
    twice = items[:-1] + b', "purpose": "support"}'
    with pytest.raises(Malformed):
        json_bodies.decode(b'{"decisions": [' + twice + b"]}", BatchRequest)


def test_the_quick_reading_without_its_check_lets_duplicates_through() -> None:
    """Control: the decoder alone, without the fast path's count of strings, accepts duplicates."""
    twice = text_of([*GOOD.items(), ("client", "A-2")], ascii_only=False)
    assert msgspec.json.decode(twice, type=DecisionRequest).client == "A-2"
    assert not json_bodies._has_no_duplicates(twice)


class Tree(msgspec.Struct, forbid_unknown_fields=True):
    """A recursive body type, which can have any number of objects."""

    children: list["Tree"] = []
    name: str = ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"\xff",
        b'{"name": NaN}',
        b'{"children": [], "name": -Infinity}',
        b'{"\\ud83d": ""}',
        b"[" * 100_000,
        b'{"name": "\xed\xa0\x80"}',
        b"{'name': ''}",
        b"{} {}",
    ],
)
def test_what_is_no_json_is_refused_as_such(body: bytes) -> None:
    """A body that is no JSON gets one fault without a pointer."""
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(body, Tree)
    assert (refused.value.detail, tuple(refused.value.faults)) == ("The body is not JSON. Nothing was changed.", ())


@pytest.mark.parametrize("half", ["\\ud800", "\\uDC00", "\\uD83D", "\\ude00\\ud83d"])
def test_half_a_character_is_no_text(half: str) -> None:
    """A lone surrogate, which JSON can spell and UTF-8 cannot, is refused; a surrogate pair is a character."""
    with pytest.raises(Malformed, match="not JSON"):
        json_bodies.decode(f'{{"name": "{half}"}}'.encode(), Tree)
    assert json_bodies.decode(b'{"name": "\\ud83d\\ude00 \\\\ud800"}', Tree).name == "\N{GRINNING FACE} \\ud800"


def test_a_member_that_is_spelt_in_two_ways_stands_twice() -> None:
    """A duplicate member is refused also if one of its names is written with an escape."""
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(b'{"name": "a", "n\\u0061me": "b"}', Tree)
    assert refused.value.faults[0] == Fault("", "member 'name' stands twice in one object")
    assert json_bodies.decode(b'{"n\\u0061me": "b"}', Tree).name == "b"


def _tree(objects: int) -> bytes:
    """JSON of a Tree with this number of objects. Its escape makes `decode` take the slow path."""
    return b'{"name": "\\u0061", "children": [' + b", ".join([b"{}"] * (objects - 1)) + b"]}"


def test_no_more_objects_are_read_than_a_request_can_have() -> None:
    """A body of a valid type with too many objects is refused: duplicates must hide them."""
    assert len(json_bodies.decode(_tree(json_bodies.MOST_OBJECTS), Tree).children) == json_bodies.MOST_OBJECTS - 1
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(_tree(json_bodies.MOST_OBJECTS + 1), Tree)
    assert refused.value.faults[0] == Fault("", "member 'children' stands twice in one object")
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(_tree(json_bodies.MOST_OBJECTS + 2), Tree)
    assert refused.value.faults[0] == Fault("", "member '' stands twice in one object")


def test_the_collector_of_cycles_works_again() -> None:
    """Python's garbage collection, off during the slow path, is on again after a refused body."""
    with pytest.raises(Malformed) as refused:
        json_bodies.decode(b'{"name": 5}', Tree)
    assert tuple(refused.value.faults) == (Fault("/name", "must be a string, not a number"),)
    assert gc.isenabled()
