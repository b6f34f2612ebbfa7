"""The routes that record, show and search consents."""

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from consent_registry.domain.errors import NotFound
from consent_registry.operations.consents import record, search
from consent_registry.operations.consents.schemas import ConsentRequest, SearchRequest
from consent_registry.operations.consents.views import ConsentView
from consent_registry.operations.runtime.pagination import Page
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import ApiRequest, requires, respond, shared_state
from consent_registry.web.commands import command_route, known_id
from consent_registry.web.operation import openapi_operation
from consent_registry.web.queries import query_instant

RECORD = command_route(
    "/consents",
    record.record_consent,
    name="record_consent",
    scope="consents:write",
    takes=ConsentRequest,
    answer=ConsentView,
    location=lambda consent: f"/api/v1/consents/{consent.consent_id}",
    refusals=(NotFound,),
    summary="Record a consent",
    about="A consent is one act of a client on one text version in one language, with one or more grants. The caller is"
    " sender or recipient of every grant. A grant that its sender did not record waits for the sender's confirmation."
    " The answer is 404 if the consent in `renews` is unknown, another client's, or not visible to the caller.",
)


@post(
    "/consents/search",
    guards=[requires("consents:read")],
    dto=StrictBody,
    status_code=200,
    **openapi_operation(
        200, Page[ConsentView], "Search consents", quota="reads", scope="consents:read", takes=SearchRequest
    ),
)
async def search_consents(request: ApiRequest, data: JSONBody[SearchRequest]) -> Response[bytes]:
    """The caller's consents, newest first. This changes nothing, so an Idempotency-Key is ignored."""
    return respond(await search.search_consents(shared_state(request).runtime, request.user, data))


@get(
    "/consents/{consent_id:str}",
    guards=[requires("consents:read")],
    **openapi_operation(
        200, ConsentView, "A consent", quota="reads", scope="consents:read", query=("as_of", "as_known_at")
    ),
)
async def read_consent(
    request: ApiRequest,
    consent_id: FromPath[str],
    as_of: FromQuery[str | None] = None,
    as_known_at: FromQuery[str | None] = None,
) -> Response[bytes]:
    """The part of a consent that the caller may see: its recorder sees all, a sender or recipient sees its own grants.
    `as_of` gives the status at another time, `as_known_at` what the registry knew at that time.
    """
    moments = [query_instant(as_of, "as_of"), query_instant(as_known_at, "as_known_at")]
    shared = shared_state(request)
    return respond(await search.read_consent(shared.runtime, request.user, known_id(consent_id), *moments))


ROUTES = [RECORD, search_consents, read_consent]
