"""Evidence that follows a recorded consent (api.md section 5)."""

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.decisions import known_id
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import Conflict, NotFound
from consent_registry.operations.evidence import EvidenceAnswer, add_following_evidence
from consent_registry.operations.requests import EvidenceRequest


@post(
    "/consents/{consent_id:str}/evidence",
    guards=[requires("consents:write")],
    dto=StrictBody,
    **answers(
        201,
        EvidenceAnswer,
        "Add evidence that followed",
        scope="consents:write",
        takes=EvidenceRequest,
        key="required",
        refusals=(NotFound, Conflict),
    ),
)
async def add_evidence(
    request: ApiRequest,
    consent_id: FromPath[str],
    data: JSONBody[EvidenceRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Once, by who recorded the consent, in networks that let evidence follow. Until then the consent counts, and its
    recorder finds it by searching for `{"evidence": "missing"}`.
    """
    once = await once_required(request, idempotency_key)
    shared = doors(request)
    return respond(await add_following_evidence(shared.runtime, request.user, known_id(consent_id), data, once))


ROUTES = [add_evidence]
