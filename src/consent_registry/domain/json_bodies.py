"""Reads JSON bodies strictly: reports every fault with its pointer, and refuses duplicate members.

msgspec decodes and checks in one pass, but reports only one fault and accepts duplicate members. So a body without
faults and without possible duplicates takes msgspec's fast path; any other body is read slowly, for all its faults.
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
    """A member name occurs twice in one object."""


# Far more objects than any valid request has: a batch has 1000 questions.
MOST_OBJECTS = 5000


class _Pairs:
    """A callback for Python's JSON parser, which calls it for each object of a body. Raises _Duplicate. Its results are
    not used.
    """

    def __init__(self) -> None:
        self._objects = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> None:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = Counter(name for name, _ in pairs)
            raise _Duplicate(next(name for name, times in names.items() if times > 1))
        self._objects += 1
        if self._objects > MOST_OBJECTS:  # the type was valid, so a later member of the same name replaced them
            raise _Duplicate(min(members, default=""))


def decode(body: bytes, kind: type[T]) -> T:
    """Decode a JSON body as `kind`. Raises Malformed with every fault and its pointer."""
    try:
        value = msgspec.json.decode(body, type=kind)
        if _has_no_duplicates(body):
            return value
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # the slow path reports the faults
    return _decode_slowly(body, kind)


def _has_no_duplicates(body: bytes) -> bool:
    """Whether the body certainly has no duplicate members. Without escapes each string has two quotation marks. msgspec
    drops a duplicate, so encoding what it read then gives fewer quotation marks than the body has.
    """
    return b"\\" not in body and body.count(b'"') == msgspec.json.encode(msgspec.json.decode(body)).count(b'"')


def _decode_slowly(body: bytes, kind: type[T]) -> T:
    """Decode a body for all its faults. msgspec checks the type first, which bounds every list, and refuses what is not
    JSON (`NaN`) or not text (a lone surrogate). Then Python's parser, which is far slower, searches for duplicate
    members.
    """
    plain = _parse(body)
    try:
        value = msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise Malformed(faults=find_faults(plain, inspect.type_info(kind), "")) from error
    try:
        json.loads(body, object_pairs_hook=_Pairs())
    except _Duplicate as error:
        raise Malformed(faults=[Fault("", f"member {quoted(str(error))} stands twice in one object")]) from error
    except (ValueError, RecursionError) as error:
        raise _not_json() from error
    return value


def _parse(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Parse a body to plain values. Garbage collection is off: for 700,000 empty lists it would take half a second."""
    gc.disable()
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json() from error
    finally:
        gc.enable()


def _not_json() -> Malformed:
    return Malformed("The body is not JSON. Nothing was changed.")
