"""The route that adds evidence to a consent that was recorded without it."""

from consent_registry.domain.errors import Conflict, NotFound
from consent_registry.operations.consents.evidence import EvidenceAnswer, add_following_evidence
from consent_registry.operations.consents.schemas import EvidenceRequest
from consent_registry.web.commands import command_route

ROUTES = [
    command_route(
        "/consents/{consent_id:str}/evidence",
        add_following_evidence,
        name="add_evidence",
        scope="consents:write",
        takes=EvidenceRequest,
        answer=EvidenceAnswer,
        refusals=(NotFound, Conflict),
        summary="Add evidence that followed",
        about="The partner that recorded the consent can do this once, in networks that let evidence follow. The"
        " consent"
        ' is valid before that, and its recorder finds it by searching for `{"evidence": "missing"}`.',
    )
]
