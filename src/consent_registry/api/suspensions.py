"""The routes with which a network's administration suspends and reinstates partners, and revokes secrets."""

from functools import partial

from consent_registry.domain.errors import NotFound
from consent_registry.operations.catalogue.suspensions import (
    ReinstatementRequest,
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
        about="This applies to the partner's next request, and to every decision with the partner as recipient. Unless"
        " the reason is `security`, the partner can still get tokens and record withdrawals, and nothing else.",
    ),
    _route(
        "/reinstatements",
        reinstate_partner,
        name="reinstate_partner",
        takes=ReinstatementRequest,
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
        about="This is final. Tokens issued for the secret are refused at their next use.",
    ),
]
