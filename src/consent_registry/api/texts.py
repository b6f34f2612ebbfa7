"""The routes with which a network's administration publishes texts, marks translations stale and voids texts."""

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
        about="The bytes never change: a new wording is a new version. The German text is the reference, and every"
        " other language is a translation of exactly these German bytes.",
    ),
    _route(
        "/texts/{text_id:str}/stale-translations",
        mark_stale,
        name="mark_stale",
        takes=StalingRequest,
        answer=StalingAnswer,
        refusals=(NotFound,),
        summary="Mark a translation as stale",
        about="From now on no new consents are recorded in this language. Other languages, and consents given in this"
        " language, are not affected.",
    ),
    _route(
        "/text-invalidations",
        invalidate_text,
        name="invalidate_text",
        takes=TextInvalidationRequest,
        answer=TextInvalidationAnswer,
        summary="Void a text and every consent on it",
        about="The consents are void from the time when each was given. No new consents are recorded on the text."
        " Recipients may not use data that they received because of these consents, and are notified.",
    ),
]
