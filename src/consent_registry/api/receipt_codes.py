"""A new receipt code for a client that lost it (api.md section 5)."""

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.decisions import known_id
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.operations import receipt_codes as operations
from consent_registry.operations.receipt_codes import ReceiptCodeAnswer, ReceiptCodeRequest


@post(
    "/consents/{consent_id:str}/receipt-codes",
    guards=[requires("consents:write")],
    dto=StrictBody,
    **answers(
        201,
        ReceiptCodeAnswer,
        "Issue a new receipt code",
        scope="consents:write",
        takes=ReceiptCodeRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def reissue_receipt_code(
    request: ApiRequest,
    consent_id: FromPath[str],
    data: JSONBody[ReceiptCodeRequest],  # noqa: ARG001 - an empty object, read strictly
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """For whoever recorded the consent. The code before it is dead from this answer on; the new one is told once."""
    once = await once_required(request, idempotency_key)
    consent = known_id(consent_id)
    return respond(await operations.reissue_receipt_code(doors(request).runtime, request.user, consent, once))


ROUTES = [reissue_receipt_code]
