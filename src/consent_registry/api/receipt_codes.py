"""The route that issues a new receipt code for a client that lost it."""

from consent_registry.domain.errors import NotFound
from consent_registry.operations.consents.receipt_codes import (
    ReceiptCodeAnswer,
    ReceiptCodeRequest,
    reissue_receipt_code,
)
from consent_registry.web.commands import command_route

ROUTES = [
    command_route(
        "/consents/{consent_id:str}/receipt-codes",
        reissue_receipt_code,
        name="reissue_receipt_code",
        scope="consents:write",
        takes=ReceiptCodeRequest,
        answer=ReceiptCodeAnswer,
        refusals=(NotFound,),
        summary="Issue a new receipt code",
        about="For the partner that recorded the consent. From this answer on the previous code is invalid. The new"
        " code is shown once.",
    )
]
