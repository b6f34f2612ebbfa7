"""What a network's administration may do: suspend and reinstate partners, revoke secrets."""

from litestar import Response, post
from litestar.params import JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.operations import administration as operations
from consent_registry.operations.administration import (
    RevocationAnswer,
    RevocationRequest,
    SuspensionAnswer,
    SuspensionRequest,
)

_GUARDS = [requires("catalogue:write")]


@post(
    "/suspensions",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        SuspensionAnswer,
        "Suspend a partner",
        scope="catalogue:write",
        takes=SuspensionRequest,
        key="required",
    ),
)
async def suspend_partner(
    request: ApiRequest, data: JSONBody[SuspensionRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """Counts at the partner's next request, and for every decision that names it as recipient."""
    once = await once_required(request, idempotency_key)
    return respond(await operations.suspend_partner(doors(request).runtime, request.user, data, once))


@post(
    "/reinstatements",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        SuspensionAnswer,
        "Reinstate a partner",
        scope="catalogue:write",
        takes=SuspensionRequest,
        key="required",
    ),
)
async def reinstate_partner(
    request: ApiRequest, data: JSONBody[SuspensionRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """Ends a partner's suspension."""
    once = await once_required(request, idempotency_key)
    return respond(await operations.reinstate_partner(doors(request).runtime, request.user, data, once))


@post(
    "/credential-revocations",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        RevocationAnswer,
        "Revoke a client's secret",
        scope="catalogue:write",
        takes=RevocationRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def revoke_secret(
    request: ApiRequest, data: JSONBody[RevocationRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """For good: tokens issued for it end at their next use."""
    once = await once_required(request, idempotency_key)
    return respond(await operations.revoke_secret(doors(request).runtime, request.user, data, once))


ROUTES = [suspend_partner, reinstate_partner, revoke_secret]
