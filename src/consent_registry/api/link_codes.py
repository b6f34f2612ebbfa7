"""Codes by which two partners' references come to mean one client."""

from consent_registry.domain.errors import NotFound
from consent_registry.operations.clients.link_codes import LinkCodeAnswer, LinkCodeRequest, issue_link_code
from consent_registry.web.commands import command_route

ROUTES = [
    command_route(
        "/link-codes",
        issue_link_code,
        name="issue_link_code",
        scope="clients",
        takes=LinkCodeRequest,
        answer=LinkCodeAnswer,
        refusals=(NotFound,),
        summary="Give a client a code for another partner",
        about="The client carries it to another partner, which redeems it with `POST /clients`: once, within seven"
        " days, and with `partner` nobody but that one.",
    )
]
