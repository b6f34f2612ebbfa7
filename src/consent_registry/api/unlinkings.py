"""Taking a reference out of a client it was linked to (api.md section 4)."""

from litestar import Response, post
from litestar.params import JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.operations import unlinkings as operations
from consent_registry.operations.unlinkings import UnlinkingAnswer, UnlinkingRequest


@post(
    "/unlinkings",
    guards=[requires("clients")],
    dto=StrictBody,
    **answers(
        201,
        UnlinkingAnswer,
        "Let a reference be a client of its own",
        scope="clients",
        takes=UnlinkingRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def unlink_client(
    request: ApiRequest, data: JSONBody[UnlinkingRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """What was recorded under the reference goes with it; what others recorded stays with them and permits the caller
    nothing any more. 409 when no other reference means this client.
    """
    once = await once_required(request, idempotency_key)
    return respond(await operations.unlink_client(doors(request).runtime, request.user, data, once))


ROUTES = [unlink_client]
