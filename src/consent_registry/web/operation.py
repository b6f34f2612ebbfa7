"""The description of a route for the OpenAPI document: its body, its answers, its scope and its errors.

Each route is described where it is defined. `consent-registry openapi` writes the document from these descriptions, and
a test compares them with the handlers' signatures.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from consent_registry.domain.errors import RegistryError
from consent_registry.domain.quotas import QuotaClass

KeyRequirement = Literal["none", "optional", "required"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """The description of one operation. `takes` and `answer` are the types of request body and answer.

    - `quota` is the class in which a call is counted.
    - `scope` is None if no access token is needed, and empty if any access token is enough.
    - `key` is whether an Idempotency-Key is read.
    - `query` names the allowed query parameters; with `any_query` all are allowed and ignored.
    - `refusals` are errors that do not follow from the other members.
    - `others` are further success statuses with the same answer.
    - `located` means that the answer has the header Location; `headers` are its other headers.

    An answer with an ETag may also be 304.
    """

    summary: str
    status: int
    answer: Any
    media_types: tuple[str, ...]
    quota: QuotaClass
    scope: str | None
    takes: Any
    key: KeyRequirement
    query: tuple[str, ...]
    any_query: bool
    refusals: tuple[type[RegistryError], ...]
    others: Mapping[int, str]
    located: bool
    headers: tuple[str, ...]


def openapi_operation(
    status: int,
    kind: Any,  # noqa: ANN401 - any type that msgspec can describe
    summary: str,
    *,
    quota: QuotaClass,
    scope: str | None = "",
    takes: Any = None,  # noqa: ANN401 - as `kind`
    key: KeyRequirement = "none",
    query: tuple[str, ...] = (),
    any_query: bool = False,
    refusals: tuple[type[RegistryError], ...] = (),
    others: Mapping[int, str] | None = None,
    located: bool = False,
    headers: tuple[str, ...] = (),
    media_type: str = "application/json",
    or_media_types: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Keyword arguments for a route's decorator that describe the route as an Operation."""
    operation = Operation(
        summary=summary,
        status=status,
        answer=kind,
        media_types=(media_type, *or_media_types),
        quota=quota,
        scope=scope,
        takes=takes,
        key=key,
        query=query,
        any_query=any_query,
        refusals=refusals,
        others=dict(others or {}),
        located=located,
        headers=headers,
    )
    return {"opt": {"operation": operation}}
