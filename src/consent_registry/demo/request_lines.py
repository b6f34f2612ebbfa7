"""Shows each request of the demonstration in a short line: method, path, status, milliseconds.

The path is the route's template, like `/api/v1/consents/{consent_id}`, so a line has no id, reference, query or other
content from the caller. Lines are written five times a second; beyond 40 lines at a time they are only counted.
"""

import asyncio
import time
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from consent_registry.process.standard_streams import show

EVERY_SECONDS = 0.2
LINES = 40
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLines:
    """An ASGI middleware that shows a line for each request."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._waiting: list[str] = []
        self._more = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request with the inner application, then store its line."""
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._inner(scope, receive, note)
        finally:
            self._remember(scope, status, (time.perf_counter() - began) * 1000)

    def _remember(self, scope: Any, status: int, ms: float) -> None:  # noqa: ANN401 - an ASGI scope
        if not self._waiting:
            asyncio.get_running_loop().call_later(EVERY_SECONDS, self._show)
        if len(self._waiting) < LINES:
            method = scope["method"] if scope["method"] in METHODS else "?"
            path = scope.get("path_template") or "(no such path)"
            self._waiting.append(f"{method:<7} {path:<48} {status or '-':>3} {ms:7.1f} ms")
        else:
            self._more += 1

    def _show(self) -> None:
        if self._more:
            self._waiting.append(f"        … and {self._more} more requests at the same time")
        show("\n".join(self._waiting))
        self._waiting, self._more = [], 0
