"""The route that registers a partner's reference for a client."""

from litestar import Response, post
from litestar.params import JSONBody

from consent_registry.domain.errors import TooMany
from consent_registry.operations.clients import clients as operations
from consent_registry.operations.clients.clients import ClientAnswer, ClientRequest
from consent_registry.operations.consents.late_papers import withdraw_across_link
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
    """201 for a new reference, 200 for one that the caller registered before. It takes no name and no birth date.

    With a code that the client brought from another partner, both partners' references mean this client from now on.
    Consents given at either partner then apply to both, and so do withdrawals: what was given until the client withdrew
    it under either reference is withdrawn, and stays so if a reference is unlinked. The answer is 422 if the code
    cannot be redeemed, for any reason, or if the client would get more than 16 references, or more than 4 of the
    caller's own.
    """
    key = await key_given(request, idempotency_key)
    outcome = await operations.register_client(
        shared_state(request).runtime, request.user, data, key, at_link=withdraw_across_link
    )
    return respond(outcome.value, 201 if outcome.is_new else 200, is_replayed=outcome.is_replayed)


ROUTES = [register_client]
