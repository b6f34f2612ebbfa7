"""Reading JSON strictly: every fault is named with its pointer, and duplicate members are refused.

msgspec decodes and checks in one pass, but it reports one fault only and lets duplicate members through. So a body is
taken at once where both can be ruled out, and read slowly, with all its faults, where not.
"""

import gc
import json
from collections import Counter
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from consent_registry.domain.errors import Fault, Malformed, quoted
from consent_registry.domain.json_faults import find_faults

T = TypeVar("T")


class _Duplicate(ValueError):
    """A member that stands twice in one object."""


# More objects than any request of a valid type holds, by far: a batch has 1000 questions.
MOST_OBJECTS = 5000


class _Pairs:
    """What Python's parser calls for each object of one body; raises _Duplicate."""

    def __init__(self) -> None:
        self._objects = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = Counter(name for name, _ in pairs)
            raise _Duplicate(next(name for name, times in names.items() if times > 1))
        self._objects += 1
        if self._objects > MOST_OBJECTS:  # of a valid type all the same: a later member of the same name replaced them
            raise _Duplicate(min(members, default=""))
        return members


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


# JSON can spell half a surrogate pair; no text we keep or hash may hold one.
HALF_CHARACTER = b"\\ud"


def decode(body: bytes, kind: type[T]) -> T:
    """The body as `kind`; raises Malformed with every fault and its pointer."""
    try:
        value = msgspec.json.decode(body, type=kind)
        if _has_no_duplicates(body):
            return value
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # what is wrong with it is for the slow reading to say
    return _decode_slowly(body, kind)


def _has_no_duplicates(body: bytes) -> bool:
    """Whether this is known of the body: without escapes every string stands between two quotation marks, and a member
    that msgspec dropped for a later one of the same name is missing where what it read is written again.
    """
    return b"\\" not in body and body.count(b'"') == msgspec.json.encode(msgspec.json.decode(body)).count(b'"')


def _decode_slowly(body: bytes, kind: type[T]) -> T:
    """First against its type, which bounds every list, by msgspec's parser; Python's, slower by far, then looks for
    members that stand twice in what is small enough to be a request.
    """
    plain = _parse(body)
    try:
        value = msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise Malformed(faults=find_faults(plain, inspect.type_info(kind), "")) from error
    try:
        plain = json.loads(body, object_pairs_hook=_Pairs(), parse_constant=_refuse_constant)
        if HALF_CHARACTER in body.lower():
            json.dumps(plain, ensure_ascii=False).encode("utf-8")
    except _Duplicate as error:
        raise Malformed(faults=[Fault("", f"member {quoted(str(error))} stands twice in one object")]) from error
    except (ValueError, RecursionError) as error:
        raise _not_json() from error
    return value


def _parse(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The body as plain values. The collector of cycles rests: for 700,000 empty lists it would take half a second."""
    gc.disable()
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json() from error
    finally:
        gc.enable()


def _not_json() -> Malformed:
    return Malformed("The body is not JSON. Nothing was changed.")
