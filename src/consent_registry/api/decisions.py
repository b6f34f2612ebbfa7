"""The routes for decisions before a transfer, and for reports after it (docs/design/decisions.md)."""

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from consent_registry.domain.errors import Fault, Malformed
from consent_registry.operations.decisions import transfers as operations
from consent_registry.operations.decisions.decisions import DecisionAnswer, DecisionRequest
from consent_registry.operations.decisions.transfers import TransferAnswer, TransferRequest, UnreportedDecision
from consent_registry.operations.runtime.pagination import Page
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import (
    ApiRequest,
    IdempotencyKeyHeader,
    before_request_handler,
    key_given,
    requires,
    respond,
    shared_state,
)
from consent_registry.web.commands import command_route, known_id
from consent_registry.web.operation import openapi_operation
from consent_registry.web.queries import page_limit

BATCH_LENGTH = 1000
BATCH_BYTES = 2 * 1024 * 1024


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1000 questions, answered in order with one durable commit. If one is malformed, all are refused."""

    decisions: Annotated[list[DecisionRequest], Meta(min_length=1, max_length=BATCH_LENGTH)]


class BatchAnswer(msgspec.Struct, frozen=True):
    """The answers to a batch, in the order of the questions."""

    decisions: list[DecisionAnswer]


async def decide(
    request: ApiRequest, data: JSONBody[DecisionRequest], idempotency_key: IdempotencyKeyHeader = None
) -> Response[bytes]:
    """The answer is sent after question and answer are durably in the log. A permit means that a valid consent is on
    file, not that the transfer is lawful: the sender stays responsible (§ 67d SGB X).
    """
    key = await key_given(request, idempotency_key)
    decided = (
        await shared_state(request).decision_queue(request.user.network).ask(request.user, [data], idempotency_key=key)
    )
    return respond(decided.value[0], is_replayed=decided.is_replayed)


DECISION = post(
    "/decisions",
    before_request=before_request_handler("decisions", DecisionRequest, decide),
    dto=StrictBody,
    status_code=200,
    **openapi_operation(
        200,
        DecisionAnswer,
        "May I send this, now?",
        quota="decisions",
        scope="decisions",
        takes=DecisionRequest,
        key="optional",
    ),
)(decide)


async def decide_batch(
    request: ApiRequest, data: JSONBody[BatchRequest], idempotency_key: IdempotencyKeyHeader = None
) -> Response[bytes]:
    """Up to 1000 decisions with one durable commit, in the order of the questions."""
    # The first question was charged before the body was read.
    await shared_state(request).quotas.charge(request.user, "batch_items", len(data.decisions) - 1)
    key = await key_given(request, idempotency_key)
    decision_queue = shared_state(request).decision_queue(request.user.network)
    decided = await decision_queue.ask(request.user, data.decisions, is_batch=True, idempotency_key=key)
    return respond(BatchAnswer(decided.value), is_replayed=decided.is_replayed)


BATCH = post(
    "/decisions/batch",
    before_request=before_request_handler("decisions", BatchRequest, decide_batch),
    dto=StrictBody,
    status_code=200,
    request_max_body_size=BATCH_BYTES,
    **openapi_operation(
        200,
        BatchAnswer,
        "May I send all this, now?",
        quota="batch_items",
        scope="decisions",
        takes=BatchRequest,
        key="optional",
    ),
)(decide_batch)


@get(
    "/decisions",
    guards=[requires("decisions")],
    **openapi_operation(
        200,
        Page[UnreportedDecision],
        "Permits whose transfer was not reported",
        quota="reads",
        scope="decisions",
        query=("transfer", "limit", "cursor"),
    ),
)
async def list_unreported(
    request: ApiRequest,
    transfer: Annotated[str, QueryParameter(description="`missing`")] = "",
    limit: Annotated[str, QueryParameter(description="1 to 200, 50 by default")] = "50",
    cursor: Annotated[str | None, QueryParameter(description="`next` of the page before")] = None,
) -> Response[bytes]:
    """The caller's permits without a transfer report, newest first."""
    if transfer != "missing":
        raise Malformed(faults=[Fault.of_query("transfer", "must be missing: the query says transfer=missing")])
    shared = shared_state(request)
    return respond(await operations.list_unreported(shared.runtime, request.user, page_limit(limit), cursor))


@get(
    "/decisions/{decision_id:str}",
    guards=[requires("decisions")],
    **openapi_operation(200, DecisionAnswer, "A decision again", quota="reads", scope="decisions"),
)
async def read_decision(request: ApiRequest, decision_id: FromPath[str]) -> Response[bytes]:
    """The same bytes as the first answer, for the decision's sender only."""
    return respond(await operations.read_decision(shared_state(request).runtime, request.user, known_id(decision_id)))


TRANSFER = command_route(
    "/decisions/{decision_id:str}/transfers",
    operations.report_transfer,
    name="report_transfer",
    scope="decisions",
    takes=TransferRequest,
    answer=TransferAnswer,
    summary="Report what was sent",
    about="Records what the sender did after a decision. A transfer that is broader than permitted is recorded too, and"
    " becomes a finding.",
)
ROUTES = [DECISION, BATCH, list_unreported, read_decision, TRANSFER]
