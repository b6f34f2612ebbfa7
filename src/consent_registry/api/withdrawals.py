"""Withdrawing a consent (api.md section 5; Art. 7 Abs. 3 DSGVO)."""

from litestar import Response, post
from litestar.params import JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound, TooMany
from consent_registry.operations import withdrawals as operations
from consent_registry.operations.requests import WithdrawalRequest
from consent_registry.operations.withdrawals import WithdrawalAnswer


@post(
    "/withdrawals",
    guards=[requires("consents:write")],
    dto=StrictBody,
    **answers(
        201,
        WithdrawalAnswer,
        "Withdraw a consent",
        scope="consents:write",
        takes=WithdrawalRequest,
        key="required",
        refusals=(NotFound, TooMany),
    ),
)
async def withdraw_consent(
    request: ApiRequest, data: JSONBody[WithdrawalRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """By consent, by client or by the code the client carries; whole or in part; in any form and without a reason.
    From this answer on no decision permits what was withdrawn.
    """
    once = await once_required(request, idempotency_key)
    return respond(await operations.withdraw_consent(doors(request).runtime, request.user, data, once))


ROUTES = [withdraw_consent]
