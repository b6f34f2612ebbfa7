"""The route that unlinks a reference from the client to which it was linked."""

from consent_registry.domain.errors import NotFound
from consent_registry.operations.clients.unlinkings import UnlinkingAnswer, UnlinkingRequest, unlink_client
from consent_registry.web.commands import command_route

ROUTES = [
    command_route(
        "/unlinkings",
        unlink_client,
        name="unlink_client",
        scope="clients",
        takes=UnlinkingRequest,
        answer=UnlinkingAnswer,
        refusals=(NotFound,),
        summary="Unlink a reference",
        about="The reference becomes a client of its own and keeps the consents recorded under it. Consents recorded by"
        " others stay with them and no longer permit the caller anything. The answer is the same if the client had no"
        " other reference.",
    )
]
