"""Finds all faults of a JSON body, with the pointer of each and the rule it breaks.

msgspec stops at the first fault, and its messages name Python types and regular expressions. So this module walks the
msgspec types itself and words the rules. The walk is lazy: a caller that takes 100 faults stops it there.
"""

from collections.abc import Iterator, Sized
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from msgspec import inspect

from consent_registry.domain.errors import Fault, shortened


def find_faults(value: object, expected: inspect.Type, pointer: str) -> Iterator[Fault]:
    """Yield the faults of a value against its type, depth first, in the order of the members in the body."""
    rule = None
    if isinstance(expected, inspect.UnionType):
        expected = _chosen(value, expected)
    if isinstance(expected, inspect.Metadata):
        rule = (expected.extra or {}).get("rule")
        expected = expected.type
        if isinstance(expected, inspect.UnionType):
            expected = _chosen(value, expected)
    if isinstance(expected, inspect.StructType):
        yield from _object_faults(value, expected, pointer)
    elif isinstance(expected, inspect.ListType | inspect.VarTupleType):
        yield from _list_faults(value, expected, pointer)
    elif isinstance(expected, inspect.DictType):
        yield from _map_faults(value, expected, pointer)
    elif not _is_good(value, expected):
        yield Fault(pointer, rule_of(expected, rule if isinstance(value, str) else None, value))


def _chosen(value: object, union: inspect.UnionType) -> inspect.Type:
    """The branch of an optional type whose faults to report."""
    bare = [(branch.type if isinstance(branch, inspect.Metadata) else branch, branch) for branch in union.types]
    if value is None:
        return next((branch for kind, branch in bare if isinstance(kind, inspect.NoneType)), bare[0][1])
    if isinstance(value, list):
        return next((branch for kind, branch in bare if isinstance(kind, inspect.ListType)), bare[0][1])
    return next(branch for kind, branch in bare if not isinstance(kind, inspect.NoneType))


def _object_faults(value: object, expected: inspect.StructType, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(pointer, f"must be an object, not {_name(value)}")
        return
    fields = {field.encode_name: field for field in expected.fields}
    for name, member in value.items():
        if name in fields:
            yield from find_faults(member, fields[name].type, f"{pointer}/{_escape(name)}")
        else:
            yield Fault(f"{pointer}/{_escape(name)}", "is no member this request knows")
    for name, field in fields.items():
        if field.required and name not in value:
            yield Fault(f"{pointer}/{name}", "is required")


def _list_faults(value: object, expected: inspect.ListType | inspect.VarTupleType, pointer: str) -> Iterator[Fault]:
    """Faults of a list and of its items, up to the greatest allowed number of items."""
    if not isinstance(value, list):
        yield Fault(pointer, f"must be a list, not {_name(value)}")
        return
    yield from _size_faults(value, expected, pointer, "items")
    for number, item in enumerate(islice(value, expected.max_length)):
        yield from find_faults(item, expected.item_type, f"{pointer}/{number}")


def _map_faults(value: object, expected: inspect.DictType, pointer: str) -> Iterator[Fault]:
    """Faults of an object with free member names: of the names and of the values."""
    if not isinstance(value, dict):
        yield Fault(pointer, f"must be an object, not {_name(value)}")
        return
    yield from _size_faults(value, expected, pointer, "members")
    for name, member in islice(value.items(), expected.max_length):
        yield from find_faults(name, expected.key_type, f"{pointer}/{_escape(name)}")
        yield from find_faults(member, expected.value_type, f"{pointer}/{_escape(name)}")


def _size_faults(
    value: Sized, expected: inspect.ListType | inspect.VarTupleType | inspect.DictType, pointer: str, noun: str
) -> Iterator[Fault]:
    least, most = expected.min_length, expected.max_length
    if len(value) < (least or 0) or (most is not None and len(value) > most):
        yield Fault(pointer, f"must have {_bounds(least, most)} {noun}")


def _is_good(value: object, expected: inspect.Type) -> bool:
    try:
        msgspec.convert(value, _annotation(expected))
    except msgspec.ValidationError:
        return False
    return True


def rule_of(expected: inspect.Type, rule: str | None, value: object) -> str:
    """The rule that this value breaks, worded as what the value must be. `rule` is the type's own wording, if any."""
    if rule is not None:
        return rule
    if isinstance(expected, inspect.LiteralType):
        return f"must be one of {', '.join(map(str, expected.values))}"
    if isinstance(expected, inspect.StrType):
        if not isinstance(value, str):
            return f"must be a string, not {_name(value)}"
        return f"must have {_bounds(expected.min_length, expected.max_length)} characters"
    if isinstance(expected, inspect.IntType):
        return f"must be a whole number{_range(expected.ge, expected.le)}"
    if isinstance(expected, inspect.BoolType):
        return f"must be true or false, not {_name(value)}"
    if isinstance(expected, inspect.NoneType):
        return f"must be null, not {_name(value)}"
    return f"must be of another kind than {_name(value)}"


def _bounds(least: int | None, most: int | None) -> str:
    if most is None:
        return f"at least {least or 0}"
    return f"at most {most}" if not least else f"{least} to {most}"


def _range(least: int | None, most: int | None) -> str:
    return "" if least is None or most is None else f" from {least} to {most}"


def _annotation(expected: inspect.Type) -> Any:  # noqa: ANN401 - a type, or a form of types
    """The type annotation of an inspected scalar type."""
    if isinstance(expected, inspect.LiteralType):
        return Literal[tuple(expected.values)]
    if isinstance(expected, inspect.StrType):
        limits = msgspec.Meta(min_length=expected.min_length, max_length=expected.max_length, pattern=expected.pattern)
        return Annotated[str, limits]
    if isinstance(expected, inspect.IntType):
        return Annotated[int, msgspec.Meta(ge=expected.ge, le=expected.le)]
    return {inspect.BoolType: bool, inspect.NoneType: None}.get(type(expected), Any)


def _name(value: object) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _escape(name: str) -> str:
    text = shortened(name).encode("utf-8", "replace").decode()  # JSON can spell a lone surrogate, UTF-8 cannot
    return text.replace("~", "~0").replace("/", "~1")
