"""A malformed body gets a fault for each bad member, with its pointer (RFC 6901) and the rule in words."""

import itertools
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType, inspect

from consent_registry.domain.errors import Fault
from consent_registry.domain.json_faults import find_faults, rule_of


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A nested object."""

    flag: bool
    kind: Literal["one", "two"] = "one"


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body with a member of every type that bodies use."""

    text: Annotated[str, Meta(min_length=1, max_length=3)]
    slug: Annotated[str, Meta(pattern="^[a-z]+$", extra={"rule": "must be a slug"})] = "a"
    number: Annotated[int, Meta(ge=1, le=9)] = 1
    free: int = 0
    lowest: Annotated[int, Meta(ge=1)] = 1
    highest: Annotated[int, Meta(le=9)] = 1
    names: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1, max_length=2)] = []
    many: list[int] = []
    pair: tuple[bool, ...] = ()
    inner: Inner | None = None
    either: str | UnsetType = UNSET
    listed: list[str] | str | None = None
    reversed: str | list[str] | None = None
    mixed: int | str = 0
    least: Annotated[str, Meta(min_length=2)] | None = None
    map: Annotated[dict[Annotated[str, Meta(max_length=2)], bool], Meta(min_length=1, max_length=2)] = {}
    renamed: bool = msgspec.field(name="other-name", default=False)
    nothing: None = None
    anything: Any = None


WHOLE = {"text": "abc"}
# What is sent, and what is said of it: pointers and rules in the order in which the members were sent.
BODIES: dict[str, tuple[object, list[tuple[str, str]]]] = {
    "nothing wrong": (WHOLE, []),
    "no object": ([], [("", "must be an object, not a list")]),
    "text for an object": ("x", [("", "must be an object, not a string")]),
    "a number for an object": (5, [("", "must be an object, not a number")]),
    "true for an object": (True, [("", "must be an object, not a boolean")]),
    "null for an object": (None, [("", "must be an object, not null")]),
    "nothing at all": ({}, [("/text", "is required")]),
    "unknown members": (WHOLE | {"x": 1, "a/b~c": 2}, [
        ("/x", "is no member this request knows"), ("/a~1b~0c", "is no member this request knows"),
    ]),
    "the order in which they were sent": ({"number": 0, "x": 1, "text": ""}, [
        ("/number", "must be a whole number from 1 to 9"), ("/x", "is no member this request knows"),
        ("/text", "must have 1 to 3 characters"),
    ]),
    "text that is too long": ({"text": "abcd"}, [("/text", "must have 1 to 3 characters")]),
    "text that is none": ({"text": {}}, [("/text", "must be a string, not an object")]),
    "text by its own rule": (WHOLE | {"slug": "A"}, [("/slug", "must be a slug")]),
    "a number where a rule is for text": (WHOLE | {"slug": 5}, [("/slug", "must be a string, not a number")]),
    "a number that is too great": (WHOLE | {"number": 10}, [("/number", "must be a whole number from 1 to 9")]),
    "the least and the greatest number": (WHOLE | {"number": 9, "free": 10**30}, []),
    "a number that is none": (WHOLE | {"free": "1"}, [("/free", "must be a whole number")]),
    "a number with one bound": (WHOLE | {"lowest": 0, "highest": 10}, [
        ("/lowest", "must be a whole number"), ("/highest", "must be a whole number"),
    ]),
    "a fraction": (WHOLE | {"free": 1.5}, [("/free", "must be a whole number")]),
    "true for a number": (WHOLE | {"number": True}, [("/number", "must be a whole number from 1 to 9")]),
    "a list that is none": (WHOLE | {"names": {}}, [("/names", "must be a list, not an object")]),
    "a list that is too short": (WHOLE | {"names": []}, [("/names", "must have 1 to 2 items")]),
    "a list that is too long": (WHOLE | {"names": ["a", "b", ""]}, [("/names", "must have 1 to 2 items")]),
    "a list of the greatest length": (WHOLE | {"names": ["a", "b"], "many": []}, []),
    "items": (WHOLE | {"names": ["", 5]}, [
        ("/names/0", "must have at least 1 characters"), ("/names/1", "must be a string, not a number"),
    ]),
    "items without a bound": (WHOLE | {"many": [1, 2, 3, "x"]}, [("/many/3", "must be a whole number")]),
    "items of a tuple": (WHOLE | {"pair": [True, 1]}, [("/pair/1", "must be true or false, not a number")]),
    "something inside": (WHOLE | {"inner": {"kind": "three", "x": None}}, [
        ("/inner/kind", "must be one of one, two"), ("/inner/x", "is no member this request knows"),
        ("/inner/flag", "is required"),
    ]),
    "null where it may be": (WHOLE | {"inner": None, "listed": None, "least": None, "nothing": None}, []),
    "null where it may not be": (WHOLE | {"either": None}, [("/either", "must be a string, not null")]),
    "not null": (WHOLE | {"nothing": 5}, [("/nothing", "must be null, not a number")]),
    "one of several kinds": (WHOLE | {"listed": ["a", 5]}, [("/listed/1", "must be a string, not a number")]),
    "a list, whichever kind comes first": (WHOLE | {"reversed": ["a", 5]}, [
        ("/reversed/1", "must be a string, not a number"),
    ]),
    "neither of two kinds": (WHOLE | {"mixed": None}, [("/mixed", "must be a whole number")]),
    "a list where none may be": (WHOLE | {"mixed": []}, [("/mixed", "must be a whole number")]),
    "none of several kinds": (WHOLE | {"listed": 5}, [("/listed", "must be a list, not a number")]),
    "optional text that is too short": (WHOLE | {"least": "a"}, [("/least", "must have at least 2 characters")]),
    "a map that is none": (WHOLE | {"map": []}, [("/map", "must be an object, not a list")]),
    "a map that is too small": (WHOLE | {"map": {}}, [("/map", "must have 1 to 2 members")]),
    "a map that is too large": (WHOLE | {"map": {"a": True, "b": True, "c": 5}}, [
        ("/map", "must have 1 to 2 members"),
    ]),
    "a map's names and values": (WHOLE | {"map": {"a": True, "b/c": 5}}, [
        ("/map/b~1c", "must have at most 2 characters"), ("/map/b~1c", "must be true or false, not a number"),
    ]),
    "by the name on the wire": (WHOLE | {"other-name": "x", "renamed": True}, [
        ("/other-name", "must be true or false, not a string"), ("/renamed", "is no member this request knows"),
    ]),
    "anything": (WHOLE | {"anything": [{"x": None}]}, []),
}  # fmt: skip


def faults_of(value: object, kind: object = Outer) -> list[tuple[str, str]]:
    """The faults of a value."""
    return [(fault.pointer, fault.detail) for fault in find_faults(value, inspect.type_info(kind), "")]


@pytest.mark.parametrize("name", BODIES)
def test_every_fault_is_named(name: str) -> None:
    """Each broken rule is worded at its place, and only bodies that the parser refuses have faults."""
    value, expected = BODIES[name]
    assert faults_of(value) == expected
    if expected:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, Outer)
    else:
        msgspec.convert(value, Outer)


def test_a_fault_is_a_pointer_and_a_rule() -> None:
    """Pointers continue from the pointer at which the walk begins."""
    assert list(find_faults(5, inspect.type_info(bool), "/a/0")) == [
        Fault("/a/0", "must be true or false, not a number")
    ]


def test_what_is_no_null_is_reported_by_its_own_kind() -> None:
    """The fault names the other type of an optional member, whatever the order of the union."""
    optional = inspect.UnionType((inspect.NoneType(), inspect.StrType()))
    assert list(find_faults(5, optional, "")) == [Fault("", "must be a string, not a number")]


def test_a_kind_without_words_of_its_own_is_another_kind() -> None:
    """For a type without a wording the fault names the kind of the value."""
    assert rule_of(inspect.FloatType(), None, []) == "must be of another kind than a list"


def test_a_long_name_is_shortened_and_half_a_character_replaced() -> None:
    """A pointer contains a member's name cut to 80 characters, with lone surrogates replaced."""
    ((pointer, _), *_) = faults_of(WHOLE | {"x" * 500: 1})
    assert len(pointer) < 100
    assert faults_of(WHOLE | {"a\ud800": 1}) == [("/a?", "is no member this request knows")]


def test_a_list_past_its_maximum_is_not_walked() -> None:
    """Of a list with two million items only the allowed number is examined."""
    value = WHOLE | {"names": [5] * 2_000_000}
    assert len(faults_of(value)) == 3


def test_the_walk_is_lazy() -> None:
    """A caller that takes a hundred faults stops the search there."""
    seen = itertools.count()

    class Counted(dict[str, object]):
        def items(self) -> Any:  # noqa: ANN401 - what a dictionary gives
            for member in super().items():
                next(seen)
                yield member

    value = Counted({f"x{number}": 0 for number in range(10_000)})
    assert len(list(itertools.islice(find_faults(value, inspect.type_info(Outer), ""), 100))) == 100
    assert next(seen) == 100
