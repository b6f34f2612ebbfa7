"""Health checks: `/live` says that the process runs, `/ready` that a decision could be recorded now."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from consent_registry.domain.errors import CannotRecord
from consent_registry.web.operation import openapi_operation
from consent_registry.web.problems import Problem, problem_response


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The status `alive` or `ready`, and warnings for the operator, if there are any."""

    status: str
    warnings: list[str] = []


@get("/live", **openapi_operation(200, Health, "Is the process alive?", quota="free", scope=None, any_query=True))
async def live() -> Response[bytes]:
    """Uses no dependency."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@get(
    "/ready",
    **openapi_operation(
        200,
        Health,
        "Could a decision be recorded now?",
        quota="free",
        scope=None,
        any_query=True,
        refusals=(CannotRecord,),
    ),
)
async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
    """200 while every network's log can be written; 503 with Retry-After otherwise."""
    reason = await request.app.state.readiness.why_not_ready()
    if reason is None:
        return Response(
            msgspec.json.encode(Health("ready", request.app.state.warnings.current)), media_type="application/json"
        )
    problem = Problem("/problems/cannot-record", "This cannot be recorded now", 503, reason)
    return problem_response(problem, {"Retry-After": "1"})


ROUTES = [live, ready]
