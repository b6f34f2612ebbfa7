"""Request bodies as Litestar takes them: our strict decoding, and the types as they are."""

from collections.abc import Generator
from typing import Any

from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from consent_registry.domain.json_bodies import decode


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
