"""Writes a line of the server's log for every refused caller and, if CONSENT_REGISTRY_ACCESS_LOG is set, every request.

A line has the caller's client id and the route, like `/api/v1/consents/{consent_id}`. It never has the sent path,
query, headers or body, which may contain a reference or a secret. The middleware writes it, so every answer counts.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from litestar import Request
from litestar.types import Message, Scope

from consent_registry.operations.runtime.actors import Actor
from consent_registry.process.server_log import request_id
from consent_registry.web.client_address import client_address

REFUSALS = {401: "not-authentic", 403: "not-allowed", 429: "too-many"}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REASON, _CLIENT, _BEGINNING = "refusal_reason", "token_client_id", "request_beginning"

_log = structlog.get_logger(__name__)


def note_beginning(scope: Scope) -> None:
    """Store a request's start time and method in its scope, because HEAD is then handled as GET."""
    _members(scope)[_BEGINNING] = (str(scope.get("method")), time.monotonic())


def note_reason(scope: Scope, reason: str) -> None:
    """Store why this request is refused, for its log line."""
    _members(scope)[_REASON] = reason


def note_client(scope: Scope, client_id: str | None) -> None:
    """Store the client id of a request without access token. It must be the id of a registered client."""
    _members(scope)[_CLIENT] = client_id


def route_of(scope: Scope) -> str:
    """The template of a request's route, or `(no such path)`."""
    return str(scope.get("path_template") or "(no such path)")


def note_answers(*, every: bool) -> Callable[[Message, Scope], Awaitable[None]]:
    """Make the callback that the middleware calls before it sends an answer. It logs refusals, and with `every` each
    answer.
    """

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
