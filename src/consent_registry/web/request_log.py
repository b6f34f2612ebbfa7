"""A line of the server's log for every refusal of a caller, and, where it is switched on, for every request.

A line names the caller by its client id and the call by its route, `/api/v1/consents/{consent_id}`: never a path as it
was sent, a query, a header or a body, which may hold a reference or a secret. It is written where every answer passes,
so no door can forget it.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from litestar import Request
from litestar.types import Message, Scope

from consent_registry.operations.running.actors import Actor
from consent_registry.process.server_log import request_id
from consent_registry.web.client_address import client_address

REFUSALS = {401: "not-authentic", 403: "not-allowed", 429: "too-many"}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REASON, _CLIENT, _BEGINNING = "refusal_reason", "token_client_id", "request_beginning"

_log = structlog.get_logger(__name__)


def note_beginning(scope: Scope) -> None:
    """Remember when a request came and with which method: a HEAD is answered by the route of its GET."""
    _members(scope)[_BEGINNING] = (str(scope.get("method")), time.monotonic())


def note_reason(scope: Scope, reason: str) -> None:
    """Remember the class of the reason for which this request is refused."""
    _members(scope)[_REASON] = reason


def note_client(scope: Scope, client_id: str | None) -> None:
    """Remember whose request this is, where no access token says so; only an id that is known here may be noted."""
    _members(scope)[_CLIENT] = client_id


def route_of(scope: Scope) -> str:
    """The route that a request took, or that there is none."""
    return str(scope.get("path_template") or "(no such path)")


def note_answers(*, every: bool) -> Callable[[Message, Scope], Awaitable[None]]:
    """What is called before anything is sent: a line for a refusal, and with `every` one for each answer."""

    async def note(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        status = message["status"]
        if status in REFUSALS:
            _log.info("refused", reason=_members(scope).get(_REASON) or REFUSALS[status], **_facts(scope, status))
        if every:
            seconds = time.monotonic() - _members(scope)[_BEGINNING][1]
            _log.info("request", milliseconds=round(1000 * seconds, 1), **_facts(scope, status))

    return note


def _facts(scope: Scope, status: int) -> dict[str, Any]:
    caller = scope.get("user")
    method, _ = _members(scope)[_BEGINNING]
    return {
        "status": status,
        "method": method if method in METHODS else "other",
        "route": route_of(scope),
        "client_id": caller.client_id if isinstance(caller, Actor) else _members(scope).get(_CLIENT),
        "client": client_address(Request(scope)),
        "request_id": request_id(scope),
    }


def _members(scope: Scope) -> MutableMapping[str, Any]:
    return scope  # type: ignore[return-value]  # ASGI lets an application add members of its own
