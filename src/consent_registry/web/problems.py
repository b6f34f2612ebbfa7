"""Errors as RFC 9457 problems, from one table. An exception that is not in the table becomes a 500 without details."""

from contextlib import suppress
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import Scope

from consent_registry.domain.errors import (
    CannotRecord,
    Conflict,
    Fault,
    KeyInUse,
    Malformed,
    NotAllowed,
    NotAuthentic,
    NotFound,
    NoToken,
    OutcomeUnknown,
    OverQuota,
    Refused,
    RegistryError,
    TooMany,
)
from consent_registry.process.server_log import request_id
from consent_registry.web.client_address import client_address
from consent_registry.web.request_log import note_reason, route_of

PROBLEM_TYPE = "application/problem+json"

_log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem of RFC 9457. `errors` has every fault: pointer (RFC 6901), detail, and for a refusal rule and norm."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


# The table from the registry's errors to status, slug of the problem type, and title.
TABLE: dict[type[RegistryError], tuple[int, str, str]] = {
    Malformed: (400, "malformed", "The request is not well formed"),
    NotAuthentic: (401, "not-authentic", "A valid access token is needed"),
    NoToken: (401, "not-authentic", "A valid access token is needed"),
    NotAllowed: (403, "not-allowed", "The scope is missing"),
    NotFound: (404, "not-found", "Nothing here"),
    KeyInUse: (409, "key-in-use", "The Idempotency-Key is in use"),
    Conflict: (409, "conflict", "The present state does not allow this"),
    Refused: (422, "refused", "A rule refuses this"),
    TooMany: (429, "too-many", "Too many attempts"),
    OverQuota: (429, "over-quota", "The quota is used up"),
    CannotRecord: (503, "cannot-record", "This cannot be recorded now"),
    OutcomeUnknown: (503, "outcome-unknown", "Whether this was recorded is not known"),
}
# Problems that the framework or the middleware finds before a handler runs.
HTTP_TITLES = {
    400: ("malformed", "The request is not well formed"),
    404: ("not-found", "Nothing here"),
    408: ("too-slow", "The request came too slowly"),
    405: ("method-not-allowed", "This method is not for this resource"),
    406: ("not-acceptable", "JSON is the only answer there is"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "The body must be application/json"),
}
INTERNAL = Problem("/problems/internal", "Something went wrong here", 500, "It was logged with this request's id.")
PROBLEM_SLUGS = sorted(
    {slug for _, slug, _ in TABLE.values()} | {slug for slug, _ in HTTP_TITLES.values()} | {"internal"}
)


def encode_problem(problem: Problem) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A problem's body and headers, for an answer outside the framework."""
    return msgspec.json.encode(problem), [(b"content-type", PROBLEM_TYPE.encode())]


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The response that carries a problem."""
    return Response(
        msgspec.json.encode(problem), status_code=problem.status, media_type=PROBLEM_TYPE, headers=headers or {}
    )


def registry_error(request: Request[Any, Any, Any], error: RegistryError) -> Response[bytes]:
    """The response to an error of the registry, from the table."""
    kind = next((base for base in type(error).__mro__ if base in TABLE), None)
    if kind is None:
        _log.error("unusable installation", request_id=request_id(request.scope), detail=error.detail)
        return problem_response(INTERNAL)
    status, slug, title = TABLE[kind]
    note_reason(request.scope, error.reason or slug)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if status == NOT_AUTHENTIC:
        # RFC 6750 section 3.1: the answer to a request without a token has no error code.
        headers["WWW-Authenticate"] = CHALLENGE if kind is NoToken else f'{CHALLENGE}, error="invalid_token"'
    if status == NOT_ALLOWED:
        headers["WWW-Authenticate"] = f'{CHALLENGE}, error="insufficient_scope"'
    return problem_response(Problem(f"/problems/{slug}", title, status, error.detail, list(error.faults)), headers)


def http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The response to an error of the framework: not found, wrong method, too large, wrong media type."""
    if error.status_code not in HTTP_TITLES:
        return internal_error(request, error)
    slug, title = HTTP_TITLES[error.status_code]
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() in _KEPT}
    detail = title if error.status_code != MALFORMED else "The request is not well formed. Nothing was changed."
    return problem_response(Problem(f"/problems/{slug}", title, error.status_code, f"{detail.rstrip('.')}."), headers)


def internal_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response to an unexpected exception, which is logged; the response has no details."""
    log_internal_error(request.scope, error)
    return problem_response(INTERNAL)


def log_internal_error(scope: Scope, error: Exception) -> None:
    """Log an unexpected exception with route and client address, and without anything from the request's content."""
    client = ""
    with suppress(Exception):  # a malformed request must not prevent the log line
        client = client_address(Request(scope))
    _log.error(
        "internal error",
        request_id=request_id(scope),
        path=route_of(scope),
        client=client,
        exc_info=error,
    )


CHALLENGE = 'Bearer realm="consent registry"'
# The framework's headers that are kept: allowed methods, and allowed codings (RFC 9110 section 15.5.16).
_KEPT = frozenset({"allow", "accept-encoding"})
MALFORMED = 400
NOT_AUTHENTIC = 401
NOT_ALLOWED = 403
