"""The route that issues a code with which a client's references at two partners are linked."""

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
        about="The client takes the code to another partner, which redeems it with `POST /clients`, once and within"
        " seven days. With `partner` only that partner can redeem it.",
    )
]
