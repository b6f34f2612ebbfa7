"""Texts, for the network's administration: publish a version, mark a translation stale, void a text."""

from functools import partial

from consent_registry.domain.errors import NotFound
from consent_registry.operations.catalogue.texts import (
    PublicationRequest,
    PublishedText,
    StalingAnswer,
    StalingRequest,
    mark_stale,
    publish_text,
)
from consent_registry.operations.consents.text_invalidations import (
    TextInvalidationAnswer,
    TextInvalidationRequest,
    invalidate_text,
)
from consent_registry.web.commands import command_route

_route = partial(command_route, scope="catalogue:write")

ROUTES = [
    _route(
        "/texts",
        publish_text,
        name="publish_text",
        takes=PublicationRequest,
        answer=PublishedText,
        location=lambda published: f"/api/v1/texts/{published.text.id}",
        summary="Publish a text",
        about="Byte for byte and for ever: a new wording is a new version. The German text is the reference; every"
        " other language is a translation of exactly these German bytes.",
    ),
    _route(
        "/texts/{text_id:str}/stale-translations",
        mark_stale,
        name="mark_stale",
        takes=StalingRequest,
        answer=StalingAnswer,
        refusals=(NotFound,),
        summary="Say that a translation is stale",
        about="Takes no new consents in this language from now on; other languages do, and consents given in it stand.",
    ),
    _route(
        "/text-invalidations",
        invalidate_text,
        name="invalidate_text",
        takes=TextInvalidationRequest,
        answer=TextInvalidationAnswer,
        summary="Void a text and every consent on it",
        about="Back to when each consent was given. The text takes no new consents; recipients may not use what was"
        " passed on by these consents, and are told so.",
    ),
]
