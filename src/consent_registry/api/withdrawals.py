"""The route that withdraws a consent (Art. 7 Abs. 3 DSGVO)."""

from consent_registry.domain.errors import NotFound, TooMany
from consent_registry.operations.consents.schemas import WithdrawalRequest
from consent_registry.operations.consents.withdrawals import WithdrawalAnswer, withdraw_consent
from consent_registry.web.commands import command_route

ROUTES = [
    command_route(
        "/withdrawals",
        withdraw_consent,
        name="withdraw_consent",
        scope="consents:write",
        takes=WithdrawalRequest,
        answer=WithdrawalAnswer,
        refusals=(NotFound, TooMany),
        summary="Withdraw a consent",
        about="The consent is found by its id, by client or by the client's receipt code. It can be withdrawn whole or"
        " in part, in any form and without a reason. From this answer on no decision permits what was withdrawn. It"
        " takes back the flow: what the client gave until it was received, on whatever paper, recorded before or after"
        " it, unless it says `only_this_consent`. By client it is kept also if nothing is on record yet. With"
        " `scope: everything` it reaches every grant and release of the client in the network. The answer names what"
        " the caller may know.",
        may_be_suspended=True,
    )
]
