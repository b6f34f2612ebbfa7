"""Approvals by a data-protection officer: of an isolated partner, or of a purpose that needs one."""

from typing import Annotated

from litestar import Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from consent_registry.api.bodies import StrictBody
from consent_registry.api.callers import ApiRequest, IdempotencyKey, doors, once_required, requires, respond
from consent_registry.api.decisions import known_id, page_limit
from consent_registry.api.documentation import answers
from consent_registry.domain.errors import NotFound
from consent_registry.operations import approvals as operations
from consent_registry.operations.approvals import (
    ApprovalAnswer,
    ApprovalRequest,
    ApprovalRevocationAnswer,
    ApprovalRevocationRequest,
    ApprovalView,
)
from consent_registry.operations.catalogue import show_list
from consent_registry.operations.pages import Page

_SCOPE = "catalogue:write"
_GUARDS = [requires(_SCOPE)]


@post(
    "/approvals",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        ApprovalAnswer,
        "Approve a partner or a purpose",
        scope=_SCOPE,
        takes=ApprovalRequest,
        key="required",
    ),
)
async def approve(
    request: ApiRequest, data: JSONBody[ApprovalRequest], idempotency_key: IdempotencyKey = None
) -> Response[bytes]:
    """Opens the wall of an isolated partner in one direction, or a purpose that needs the data-protection officer's
    word. It looks forward only: consents given before it are not permitted by it.
    """
    once = await once_required(request, idempotency_key)
    return respond(await operations.approve(doors(request).runtime, request.user, data, once))


@post(
    "/approvals/{approval_id:str}/revocations",
    guards=_GUARDS,
    dto=StrictBody,
    **answers(
        201,
        ApprovalRevocationAnswer,
        "Revoke an approval",
        scope=_SCOPE,
        takes=ApprovalRevocationRequest,
        key="required",
        refusals=(NotFound,),
    ),
)
async def revoke_approval(
    request: ApiRequest,
    approval_id: FromPath[str],
    data: JSONBody[ApprovalRevocationRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[bytes]:
    """For good: at the next decision nothing is permitted that needed it. A later approval does not bring it back."""
    once = await once_required(request, idempotency_key)
    return respond(await operations.revoke(doors(request).runtime, request.user, known_id(approval_id), data, once))


@get(
    "/approvals",
    guards=_GUARDS,
    **answers(200, Page[ApprovalView], "Approvals", scope=_SCOPE, query=("limit", "cursor")),
)
async def list_approvals(
    request: ApiRequest,
    limit: Annotated[str, QueryParameter(description="1 to 200, 50 by default")] = "50",
    cursor: Annotated[str | None, QueryParameter(description="`next` of the page before")] = None,
) -> Response[bytes]:
    """All of them, newest first, the revoked ones as well."""
    shared = doors(request)
    view = operations.approvals
    return respond(await show_list(shared.runtime, request.user, view, "approvals", page_limit(limit), cursor))


ROUTES = [approve, revoke_approval, list_approvals]
