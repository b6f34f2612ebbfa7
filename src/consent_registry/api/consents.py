"""Recording, showing and searching consents."""

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from consent_registry.domain.errors import NotFound
from consent_registry.operations.consents import record, search
from consent_registry.operations.consents.schemas import ConsentRequest, SearchRequest
from consent_registry.operations.consents.views import ConsentView
from consent_registry.operations.running.pagination import Page
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
    about="One act of a client, one text version and language, one or more grants. The caller is sender or recipient of"
    " every grant; a grant its sender did not record waits for the sender's confirmation. A `renews` that is unknown, "
    "another client's or not the caller's to see is 404.",
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
    """The caller's consents, newest first. A search, not a change: an Idempotency-Key is ignored."""
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
    """The caller's own slice: its recorder sees all, a sender or recipient the grants it is part of. `as_of` asks for
    the status at another time, `as_known_at` for what the registry knew then.
    """
    moments = [query_instant(as_of, "as_of"), query_instant(as_known_at, "as_known_at")]
    shared = shared_state(request)
    return respond(await search.read_consent(shared.runtime, request.user, known_id(consent_id), *moments))


ROUTES = [RECORD, search_consents, read_consent]
