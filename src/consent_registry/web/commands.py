"""Routes of acts: a body, ids in the path where it is about something, and an Idempotency-Key, which makes it happen
once. An act is one operation; its value is the answer.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from consent_registry.domain.errors import NotFound, RegistryError
from consent_registry.domain.identifiers import is_uuid
from consent_registry.operations.running.idempotency import CommandResult
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import ApiRequest, IdempotencyKeyHeader, doors, key_required, requires, respond
from consent_registry.web.operation import answers

CREATED = 201

# Called with the runtime, the caller, the ids of the path in their order, the body, and what lets it happen once.
Operation = Callable[..., Awaitable[CommandResult[Any]]]


def act_route(
    path: str,
    operation: Operation,
    *,
    name: str,
    scope: str,
    takes: type,
    answer: type,
    summary: str,
    about: str,
    refusals: tuple[type[RegistryError], ...] = (),
    location: Callable[[Any], str] | None = None,
) -> HTTPRouteHandler:
    """The route of one kind of act; `about` is its description, the rest as `answers` takes it."""

    async def act(
        request: ApiRequest, data: JSONBody[Any], idempotency_key: IdempotencyKeyHeader = None
    ) -> Response[bytes]:
        key = await key_required(request, idempotency_key)
        ids = [known_id(one) for one in request.path_params.values()]
        outcome = await operation(doors(request).runtime, request.user, *ids, data, key)
        where = None if location is None else location(outcome.value)
        return respond(outcome.value, CREATED, location=where, is_replayed=outcome.is_replayed)

    act.__doc__ = about
    # Of all bodies this route takes one; the framework reads the annotation.
    act.__annotations__["data"] = JSONBody[takes]  # type: ignore[misc,valid-type]
    documented = answers(
        CREATED,
        answer,
        summary,
        quota="writes",
        scope=scope,
        takes=takes,
        key="required",
        refusals=refusals,
        located=location is not None,
    )
    return post(path, name=name, guards=[requires(scope)], dto=StrictBody, **documented)(act)


def known_id(text: str) -> str:
    """An id from a path; what cannot be one is not found, like one that does not exist."""
    if not is_uuid(text):
        raise NotFound
    return text
