"""Routes that change something: `POST` with a body, ids in the path and a required Idempotency-Key.

Each route calls one operation and answers with its value.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from consent_registry.domain.errors import NotFound, RegistryError
from consent_registry.domain.identifiers import is_uuid
from consent_registry.operations.runtime.idempotency import CommandResult
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import ApiRequest, IdempotencyKeyHeader, key_required, requires, respond, shared_state
from consent_registry.web.operation import openapi_operation
from consent_registry.web.revocation import MAY_BE_SUSPENDED

CREATED = 201

# Called with the runtime, the caller, the ids in the path in their order, the body and the idempotency key.
CommandFunction = Callable[..., Awaitable[CommandResult[Any]]]


def command_route(
    path: str,
    operation: CommandFunction,
    *,
    name: str,
    scope: str,
    takes: type,
    answer: type,
    summary: str,
    about: str,
    refusals: tuple[type[RegistryError], ...] = (),
    location: Callable[[Any], str] | None = None,
    may_be_suspended: bool = False,
) -> HTTPRouteHandler:
    """The route of one command; `about` is its description, `may_be_suspended` is as in `require_standing`, the other
    arguments are those of `openapi_operation`.
    """

    async def run(
        request: ApiRequest, data: JSONBody[Any], idempotency_key: IdempotencyKeyHeader = None
    ) -> Response[bytes]:
        key = await key_required(request, idempotency_key)
        ids = [known_id(text) for text in request.path_params.values()]
        outcome = await operation(shared_state(request).runtime, request.user, *ids, data, key)
        where = None if location is None else location(outcome.value)
        return respond(outcome.value, CREATED, location=where, is_replayed=outcome.is_replayed)

    run.__doc__ = about
    # Litestar reads the body's type from the annotation.
    run.__annotations__["data"] = JSONBody[takes]  # type: ignore[misc,valid-type]
    documented = openapi_operation(
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
    documented["opt"] |= {MAY_BE_SUSPENDED: may_be_suspended}
    return post(path, name=name, guards=[requires(scope)], dto=StrictBody, **documented)(run)


def known_id(text: str) -> str:
    """An id from a path; raises NotFound for text that is not a UUID, as for an unknown id."""
    if not is_uuid(text):
        raise NotFound
    return text
