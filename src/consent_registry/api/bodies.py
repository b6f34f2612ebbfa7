"""Reading request bodies strictly: every fault is named with its pointer, and duplicate members are refused.

msgspec decodes and checks in one pass, but it reports one fault only and lets duplicate members through. So a body is
taken at once where both can be ruled out, and read slowly, with all its faults, where not.
"""

import json
from collections.abc import Generator, Iterator
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition
from msgspec import inspect

from consent_registry.domain.errors import Fault, Malformed

T = TypeVar("T")


class _Duplicate(ValueError):
    """A member that stands twice in one object."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Duplicate(name)
            seen.add(name)
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_PARSE = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_refuse_constant).decode


# JSON can spell half a surrogate pair; no text we keep or hash may hold one.
HALF_CHARACTER = b"\\ud"


def decode(body: bytes, kind: type[T]) -> T:
    """The body as `kind`; raises Malformed with every fault and its pointer."""
    try:
        if _has_no_duplicates(body):
            return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # what is wrong with it is for the slow reading to say
    return _decode_slowly(body, kind)


def _has_no_duplicates(body: bytes) -> bool:
    """Whether this is known of the body: without escapes every string stands between two quotation marks, and a member
    that msgspec dropped for a later one of the same name is missing where what it read is written again.
    """
    return b"\\" not in body and body.count(b'"') == msgspec.json.encode(msgspec.json.decode(body)).count(b'"')


def _decode_slowly(body: bytes, kind: type[T]) -> T:
    try:
        plain = _PARSE(body.decode("utf-8"))
        if HALF_CHARACTER in body.lower():
            json.dumps(plain, ensure_ascii=False).encode("utf-8")
    except _Duplicate as error:
        raise Malformed(faults=(Fault("", f"member {str(error)!r} stands twice in one object"),)) from error
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON. Nothing was changed.") from error
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        faults = tuple(find_faults(plain, inspect.type_info(kind), ""))
        raise Malformed(faults=faults or (Fault("", str(error)),)) from error


def find_faults(value: object, expected: inspect.Type, pointer: str) -> Iterator[Fault]:
    """Every fault of a value against its type, depth first, in the order in which the members were sent."""
    if isinstance(expected, inspect.Metadata):
        expected = expected.type
    if isinstance(expected, inspect.UnionType):
        expected = _chosen(value, expected)
    if isinstance(expected, inspect.StructType):
        yield from _object_faults(value, expected, pointer)
    elif isinstance(expected, inspect.ListType):
        yield from _list_faults(value, expected, pointer)
    else:
        yield from _leaf_faults(value, expected, pointer)


def _chosen(value: object, union: inspect.UnionType) -> inspect.Type:
    """The branch of an optional type to report on."""
    branches = [one.type if isinstance(one, inspect.Metadata) else one for one in union.types]
    if value is None:
        return next((one for one in branches if isinstance(one, inspect.NoneType)), branches[0])
    if isinstance(value, list):
        return next((one for one in branches if isinstance(one, inspect.ListType)), branches[0])
    return next(one for one in branches if not isinstance(one, inspect.NoneType))


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


def _list_faults(value: object, expected: inspect.ListType, pointer: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(pointer, f"must be a list, not {_name(value)}")
        return
    if expected.min_length is not None and len(value) < expected.min_length:
        yield Fault(pointer, f"must have at least {expected.min_length} item")
    if expected.max_length is not None and len(value) > expected.max_length:
        yield Fault(pointer, f"must have at most {expected.max_length} items")
    for number, item in enumerate(value):
        yield from find_faults(item, expected.item_type, f"{pointer}/{number}")


_PYTHON_TYPES: dict[type[inspect.Type], Any] = {
    inspect.StrType: str,
    inspect.BoolType: bool,
    inspect.NoneType: None,
}


def _leaf_faults(value: object, expected: inspect.Type, pointer: str) -> Iterator[Fault]:
    try:
        msgspec.convert(value, _annotation(expected))
    except msgspec.ValidationError as error:
        yield Fault(pointer, _sentence(str(error)))


def _annotation(expected: inspect.Type) -> Any:
    """The type annotation that an inspected leaf stands for."""
    if isinstance(expected, inspect.LiteralType):
        return Literal[tuple(expected.values)]
    if isinstance(expected, inspect.StrType):
        limits = msgspec.Meta(min_length=expected.min_length, max_length=expected.max_length, pattern=expected.pattern)
        return Annotated[str, limits]
    if isinstance(expected, inspect.IntType):
        return Annotated[int, msgspec.Meta(ge=expected.ge, le=expected.le)]
    return _PYTHON_TYPES.get(type(expected), Any)


def _sentence(message: str) -> str:
    """Msgspec's words in ours: `Expected x, got y` → `must be x, not y`."""
    if message.startswith("Expected "):
        return "must be " + message.removeprefix("Expected ").replace(", got ", ", not ")
    if message.startswith("Invalid enum value "):
        return message.removeprefix("Invalid enum value ") + " is none of the values allowed here"
    return message


def _name(value: object) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _escape(name: str) -> str:
    text = name[:100].encode("utf-8", "replace").decode()  # JSON can spell half a character, UTF-8 cannot
    return text.replace("~", "~0").replace("/", "~1")


class StrictBody(AbstractDTO[Any]):
    """Hands Litestar our decoding, and its OpenAPI generator the type as it is."""

    def decode_bytes(self, value: bytes) -> Any:
        """The body as the handler's `data` is annotated."""
        parameter = self.asgi_connection.route_handler.parsed_fn_signature.parameters["data"]
        return decode(value, parameter.annotation)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Nothing to prepare: msgspec is the backend."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        schema_creator: Any,
    ) -> Reference | Schema:
        """The type's own schema."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """Unused: no fields are renamed or left out."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Unused: no fields are renamed or left out."""
        return False
