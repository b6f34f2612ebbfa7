"""Plugs the registry's strict JSON decoding into Litestar's handling of request bodies."""

from collections.abc import Generator
from typing import Any

from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from consent_registry.domain.json_bodies import decode


class StrictBody(AbstractDTO[Any]):
    """A Litestar DTO that decodes bodies with `domain.json_bodies.decode` and leaves their types unchanged."""

    def decode_bytes(self, value: bytes) -> Any:
        """Decode the body as the type with which the handler annotates `data`."""
        parameter = self.asgi_connection.route_handler.parsed_fn_signature.parameters["data"]
        return decode(value, parameter.annotation)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Do nothing: msgspec needs no preparation."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        schema_creator: Any,
    ) -> Reference | Schema:
        """The type's schema, unchanged."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """Unused, because no fields are renamed or omitted."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Unused, because no fields are renamed or omitted."""
        return False
