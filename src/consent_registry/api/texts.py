"""Texts, for the network's administration: publish a version, mark a translation stale, void a text."""

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.decisions import known_id
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.operations import text_invalidations
from consent_registry.operations import texts as operations
from consent_registry.operations.text_invalidations import TextInvalidationAnswer, TextInvalidationRequest
from consent_registry.operations.texts import (
    PublicationRequest,
    PublishedText,
    StalingAnswer,
    StalingRequest,
)

_SCOPE = "catalogue:write"
_GUARDS = [requires(_SCOPE)]


@post(
    "/texts",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201, PublishedText, "Publish a text", scope=_SCOPE, takes=PublicationRequest, key="required", located=True
    ),
)
async def publish_text(
    request: ApiRequest, data: JSONBody[PublicationRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """Byte for byte and for ever: a new wording is a new version. The German text is the reference; every other
    language is a translation of exactly these German bytes.
    """
    once = await once_required(request, idempotency_key)
    return respond(await operations.publish_text(doors(request).runtime, request.user, data, once))


@post(
    "/texts/{text_id:str}/stale-translations",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        StalingAnswer,
        "Say that a translation is stale",
        scope=_SCOPE,
        takes=StalingRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def mark_stale(
    request: ApiRequest,
    text_id: FromPath[str],
    data: JSONBody[StalingRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """Takes no new consents in this language from now on; other languages do, and consents given in it stand."""
    once = await once_required(request, idempotency_key)
    return respond(await operations.mark_stale(doors(request).runtime, request.user, known_id(text_id), data, once))


@post(
    "/text-invalidations",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        TextInvalidationAnswer,
        "Void a text and every consent on it",
        scope=_SCOPE,
        takes=TextInvalidationRequest,
        key="required",
    ),
)
async def invalidate_text(
    request: ApiRequest, data: JSONBody[TextInvalidationRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """Back to when each consent was given. The text takes no new consents; recipients may not use what was passed on by
    these consents, and are told so.
    """
    once = await once_required(request, idempotency_key)
    return respond(await text_invalidations.invalidate_text(doors(request).runtime, request.user, data, once))


ROUTES = [publish_text, mark_stale, invalidate_text]
