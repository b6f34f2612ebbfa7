"""The examples in the OpenAPI document: requests and answers from the demonstration's network Paderborn.

A test decodes every example request as the registry does, and every answer as the documented type.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec


class OperationExample(msgspec.Struct, frozen=True):
    """An example: the request's body, if there is one, and the answer. `forms` has answers of other media types."""

    answer: Any
    request: Any = None
    forms: Mapping[str, Any] = {}


def read_examples() -> dict[str, OperationExample]:
    """Read the examples, by the operation's name."""
    content = (files("consent_registry.api.openapi") / "examples.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, OperationExample])
