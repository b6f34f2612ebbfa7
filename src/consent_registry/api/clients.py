"""Registering a partner's reference for a client."""

from litestar import Response, post
from litestar.params import JSONBody

from consent_registry.domain.errors import TooMany
from consent_registry.operations.clients import clients as operations
from consent_registry.operations.clients.clients import ClientAnswer, ClientRequest
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import ApiRequest, IdempotencyKeyHeader, key_given, requires, respond, shared_state
from consent_registry.web.operation import openapi_operation


@post(
    "/clients",
    guards=[requires("clients")],
    dto=StrictBody,
    **openapi_operation(
        201,
        ClientAnswer,
        "Register a client",
        quota="writes",
        scope="clients",
        takes=ClientRequest,
        key="optional",
        others={200: "Registered before"},
        refusals=(TooMany,),
    ),
)
async def register_client(
    request: ApiRequest, data: JSONBody[ClientRequest], idempotency_key: IdempotencyKeyHeader = None
) -> Response[bytes]:
    """201 for a new reference, 200 for one the caller registered before. No name, no birth date: the reference only.

    With the code that the client brought from another partner, both partners' references mean this client from now on,
    and what it agreed to at either holds for both. A code that cannot be redeemed, for whatever reason, is 422, and so
    is one that would make more than 16 references one client. At most 4 of the caller's own can mean one client.
    """
    key = await key_given(request, idempotency_key)
    outcome = await operations.register_client(shared_state(request).runtime, request.user, data, key)
    return respond(outcome.value, 201 if outcome.is_new else 200, is_replayed=outcome.is_replayed)


ROUTES = [register_client]
