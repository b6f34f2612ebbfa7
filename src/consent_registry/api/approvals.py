"""Approvals by a data-protection officer: of an isolated partner, or of a purpose that needs one."""

from typing import Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from consent_registry.domain.errors import NotFound
from consent_registry.operations.catalogue import approvals as operations
from consent_registry.operations.catalogue.approvals import (
    ApprovalAnswer,
    ApprovalRequest,
    ApprovalRevocationAnswer,
    ApprovalRevocationRequest,
    ApprovalView,
)
from consent_registry.operations.catalogue.catalogue import show_list
from consent_registry.operations.runtime.pagination import Page
from consent_registry.web.callers import ApiRequest, requires, respond, shared_state
from consent_registry.web.commands import command_route
from consent_registry.web.operation import openapi_operation
from consent_registry.web.queries import page_limit

_SCOPE = "catalogue:write"


@get(
    "/approvals",
    guards=[requires(_SCOPE)],
    **openapi_operation(200, Page[ApprovalView], "Approvals", quota="reads", scope=_SCOPE, query=("limit", "cursor")),
)
async def list_approvals(
    request: ApiRequest,
    limit: Annotated[str, QueryParameter(description="1 to 200, 50 by default")] = "50",
    cursor: Annotated[str | None, QueryParameter(description="`next` of the page before")] = None,
) -> Response[bytes]:
    """All approvals, newest first, including revoked ones."""
    shared = shared_state(request)
    view = operations.approvals
    return respond(await show_list(shared.runtime, request.user, view, "approvals", page_limit(limit), cursor))


ROUTES = [
    command_route(
        "/approvals",
        operations.approve,
        name="approve",
        scope=_SCOPE,
        takes=ApprovalRequest,
        answer=ApprovalAnswer,
        summary="Approve a partner or a purpose",
        about="Approves transfers to or from an isolated partner, in one direction, or a purpose that needs the"
        " approval of the data-protection officer. It does not apply to consents that were given before it.",
    ),
    command_route(
        "/approvals/{approval_id:str}/revocations",
        operations.revoke,
        name="revoke_approval",
        scope=_SCOPE,
        takes=ApprovalRevocationRequest,
        answer=ApprovalRevocationAnswer,
        refusals=(NotFound,),
        summary="Revoke an approval",
        about="This is final: from the next decision on, nothing is permitted that needed the approval. A later"
        " approval does not restore it.",
    ),
    list_approvals,
]
