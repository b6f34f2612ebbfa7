"""Partners' acts on recorded consents: confirm, end, invalidate, restrict (api.md section 5; Art. 18 DSGVO)."""

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.decisions import known_id
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.domain.grant_acts import CONFIRMATION, ENDING, INVALIDATION, LIFTING, RESTRICTION, GrantAct
from consent_registry.operations.acts import Once
from consent_registry.operations.grant_changes import (
    ChosenGrants,
    EndingRequest,
    GrantChangeAnswer,
    InvalidationRequest,
    act_on_grants,
)

_SCOPE = "consents:write"
_GUARDS = [requires(_SCOPE)]


async def _act(
    request: ApiRequest,
    kind: GrantAct,
    consent_id: str,
    data: ChosenGrants | EndingRequest | InvalidationRequest,
    once: Once,
) -> Response[bytes]:
    return respond(await act_on_grants(doors(request).runtime, request.user, kind, known_id(consent_id), data, once))


@post(
    "/consents/{consent_id:str}/confirmations",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        GrantChangeAnswer,
        "Confirm what another partner recorded",
        scope=_SCOPE,
        takes=ChosenGrants,
        key="required",
        refusals=(NotFound,),
    ),
)
async def confirm(
    request: ApiRequest, consent_id: FromPath[str], data: JSONBody[ChosenGrants], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """A grant that its sender did not record is `requested` until the sender confirms it: the sender answers for the
    transfer, so no recipient can make it liable.
    """
    once = await once_required(request, idempotency_key)
    return await _act(request, CONFIRMATION, consent_id, data, once)


@post(
    "/consents/{consent_id:str}/endings",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        GrantChangeAnswer,
        "End grants without the client's doing",
        scope=_SCOPE,
        takes=EndingRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def end(
    request: ApiRequest,
    consent_id: FromPath[str],
    data: JSONBody[EndingRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """The case is closed, the purpose reached, or a partner left: from now on nothing is permitted by these grants."""
    once = await once_required(request, idempotency_key)
    return await _act(request, ENDING, consent_id, data, once)


@post(
    "/consents/{consent_id:str}/invalidations",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        GrantChangeAnswer,
        "Say that grants were void from the start",
        scope=_SCOPE,
        takes=InvalidationRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def invalidate(
    request: ApiRequest,
    consent_id: FromPath[str],
    data: JSONBody[InvalidationRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Back to when the consent was given. Recipients may not use what was passed on by it, and are told so."""
    once = await once_required(request, idempotency_key)
    return await _act(request, INVALIDATION, consent_id, data, once)


@post(
    "/consents/{consent_id:str}/restrictions",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        GrantChangeAnswer,
        "Restrict processing (Art. 18 DSGVO)",
        scope=_SCOPE,
        takes=ChosenGrants,
        key="required",
        refusals=(NotFound,),
    ),
)
async def restrict(
    request: ApiRequest, consent_id: FromPath[str], data: JSONBody[ChosenGrants], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """While processing is restricted nothing is permitted by these grants; their status stays what it is."""
    once = await once_required(request, idempotency_key)
    return await _act(request, RESTRICTION, consent_id, data, once)


@post(
    "/consents/{consent_id:str}/restriction-liftings",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        GrantChangeAnswer,
        "Lift a restriction",
        scope=_SCOPE,
        takes=ChosenGrants,
        key="required",
        refusals=(NotFound,),
    ),
)
async def lift_restriction(
    request: ApiRequest, consent_id: FromPath[str], data: JSONBody[ChosenGrants], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """The grants permit again what they permitted before."""
    once = await once_required(request, idempotency_key)
    return await _act(request, LIFTING, consent_id, data, once)


ROUTES = [confirm, end, invalidate, restrict, lift_restriction]
