"""Codes by which two partners' references come to mean one client (api.md section 4)."""

from litestar import Response, post
from litestar.params import JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.operations import link_codes as operations
from consent_registry.operations.link_codes import LinkCodeAnswer, LinkCodeRequest


@post(
    "/link-codes",
    guards=[requires("clients")],
    dto=StrictBody,
    **answers(
        201,
        LinkCodeAnswer,
        "Give a client a code for another partner",
        scope="clients",
        takes=LinkCodeRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def issue_link_code(
    request: ApiRequest, data: JSONBody[LinkCodeRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """The client carries it to another partner, which redeems it with `POST /clients`: once, within seven days, and
    with `partner` nobody but that one.
    """
    once = await once_required(request, idempotency_key)
    return respond(await operations.issue_link_code(doors(request).runtime, request.user, data, once))


ROUTES = [issue_link_code]
