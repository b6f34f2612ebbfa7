"""What the OpenAPI document says of a route beside its path: what it takes, what it answers, and which scope it needs.

It is said at the route and nowhere else; `openapi` writes the document from it, and a test holds it against the
handlers' own signatures.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from consent_registry.domain.errors import RegistryError
from consent_registry.domain.quotas import QuotaClass

Key = Literal["none", "optional", "required"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader must know of one operation. `takes` and `answer` are the types of its bodies.

    `quota` is the class that a call counts as. `scope` is None for what anybody may call and empty for what any access
    token opens; `key` says what becomes of an Idempotency-Key; `refusals` are the errors that do not follow from the
    rest, `others` further successes with the same answer; a query may hold what `query` names, or with `any_query`
    anything, which is ignored; `located` means that Location says where the new thing is; `headers` are others that it
    has. An answer with an ETag may also be 304.
    """

    summary: str
    status: int
    answer: Any
    media_types: tuple[str, ...]
    quota: QuotaClass
    scope: str | None
    takes: Any
    key: Key
    query: tuple[str, ...]
    any_query: bool
    refusals: tuple[type[RegistryError], ...]
    others: Mapping[int, str]
    located: bool
    headers: tuple[str, ...]


def answers(
    status: int,
    kind: Any,  # noqa: ANN401 - any type that msgspec can describe
    summary: str,
    *,
    quota: QuotaClass,
    scope: str | None = "",
    takes: Any = None,  # noqa: ANN401 - as `kind`
    key: Key = "none",
    query: tuple[str, ...] = (),
    any_query: bool = False,
    refusals: tuple[type[RegistryError], ...] = (),
    others: Mapping[int, str] | None = None,
    located: bool = False,
    headers: tuple[str, ...] = (),
    media_type: str = "application/json",
    or_media_types: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Keyword arguments for a route's decorator that document it."""
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
