"""Examples of the OpenAPI document, by operation: what the demonstration's network Paderborn was asked and answered.

A test reads every request as the registry reads it, and every answer as the type that is promised.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec


class Example(msgspec.Struct, frozen=True):
    """A request's body, if the operation takes one, and the answer to it; `forms` are answers of another media type."""

    answer: Any
    request: Any = None
    forms: Mapping[str, Any] = {}


def read_examples() -> dict[str, Example]:
    """The examples by the operation's name."""
    content = (files("consent_registry.api.openapi") / "examples.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, Example])
