"""What a network's administration may do: suspend and reinstate partners, revoke secrets."""

from functools import partial

from consent_registry.domain.errors import NotFound
from consent_registry.operations.catalogue.suspensions import (
    RevocationAnswer,
    RevocationRequest,
    SuspensionAnswer,
    SuspensionRequest,
    reinstate_partner,
    revoke_secret,
    suspend_partner,
)
from consent_registry.web.commands import command_route

_route = partial(command_route, scope="catalogue:write")

ROUTES = [
    _route(
        "/suspensions",
        suspend_partner,
        name="suspend_partner",
        takes=SuspensionRequest,
        answer=SuspensionAnswer,
        summary="Suspend a partner",
        about="Counts at the partner's next request, and for every decision that names it as recipient.",
    ),
    _route(
        "/reinstatements",
        reinstate_partner,
        name="reinstate_partner",
        takes=SuspensionRequest,
        answer=SuspensionAnswer,
        summary="Reinstate a partner",
        about="Ends a partner's suspension.",
    ),
    _route(
        "/credential-revocations",
        revoke_secret,
        name="revoke_secret",
        takes=RevocationRequest,
        answer=RevocationAnswer,
        refusals=(NotFound,),
        summary="Revoke a client's secret",
        about="For good: tokens issued for it end at their next use.",
    ),
]
