"""The route that lists findings for a data-protection officer (docs/reconciliation.md)."""

from datetime import timedelta
from typing import Annotated

from litestar import Response, get
from litestar.params import FromQuery, QueryParameter

from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.findings import EVIDENCE_AFTER, KINDS, REPORT_AFTER
from consent_registry.domain.lookups import QUESTIONS_WITHOUT_TRANSFER, REFUSED_REFERENCES
from consent_registry.operations.oversight import findings as operations
from consent_registry.operations.oversight.findings import FindingsRequest, FindingsView
from consent_registry.operations.oversight.reconciliation import FindingLimits
from consent_registry.web.callers import ApiRequest, requires, respond, shared_state
from consent_registry.web.operation import openapi_operation
from consent_registry.web.queries import page_limit, query_instant, query_number

Begin = Annotated[str | None, QueryParameter(name="from")]
End = Annotated[str | None, QueryParameter(name="until")]
_NUMBERS = ("report_days", "evidence_days", "refused_references", "questions_without_transfer")


@get(
    "/findings",
    guards=[requires("audit:read")],
    **openapi_operation(
        200,
        FindingsView,
        "What is to be looked at",
        quota="reads",
        scope="audit:read",
        query=("kind", "begin", "end", *_NUMBERS, "limit", "cursor"),
    ),
)
async def list_findings(
    request: ApiRequest,
    kind: FromQuery[str | None] = None,
    begin: Begin = None,
    end: End = None,
    report_days: FromQuery[str | None] = None,
    evidence_days: FromQuery[str | None] = None,
    refused_references: FromQuery[str | None] = None,
    questions_without_transfer: FromQuery[str | None] = None,
    limit: FromQuery[str] = "50",
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Findings about the caller's own partner: transfers without a permit, after a withdrawal or an ending, on a void
    or restricted grant, or broader than permitted; permits without a report; unusual look-ups. They are computed now
    from log and tables, for a period of at most 366 days. The most urgent come first, then the latest. `checked` lists
    the kinds that were searched for, so that "nothing found" differs from "not searched".
    """
    if kind is not None and kind not in KINDS:
        raise Malformed(faults=[Fault.of_query("kind", f"must be one of {', '.join(KINDS)}")])
    limits = FindingLimits(
        timedelta(days=_number("report_days", report_days, REPORT_AFTER.days, (0, 365))),
        timedelta(days=_number("evidence_days", evidence_days, EVIDENCE_AFTER.days, (0, 365))),
        _number("refused_references", refused_references, REFUSED_REFERENCES, (1, 9999)),
        _number("questions_without_transfer", questions_without_transfer, QUESTIONS_WITHOUT_TRANSFER, (1, 9999)),
    )
    asked = FindingsRequest(
        kind,
        query_instant(begin, "from"),
        query_instant(end, "until"),
        limits,
        page_limit(limit),
        cursor,
    )
    return respond(await operations.list_findings(shared_state(request).oversight, request.user, asked))


def _number(name: str, text: str | None, default: int, bounds: tuple[int, int]) -> int:
    """A limit in a query, or its default; raises Malformed outside its bounds."""
    return default if text is None else query_number(text, name, bounds)


ROUTES = [list_findings]
