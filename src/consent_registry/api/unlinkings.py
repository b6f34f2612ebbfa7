"""Taking a reference out of a client it was linked to."""

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
        summary="Let a reference be a client of its own",
        about="What was recorded under the reference goes with it; what others recorded stays with them and permits the"
        " caller nothing any more. The answer is the same when no other reference meant this client.",
    )
]
