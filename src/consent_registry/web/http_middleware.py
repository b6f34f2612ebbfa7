"""The ASGI middleware around the framework and all routes, which enforces HTTP rules on every request and answer.

It refuses requests that HTTP forbids (RFC 9110, RFC 9112), gives each body a deadline, answers HEAD wherever GET is
allowed, sends an answer only when the caller can read it, and turns every exception into a problem.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ipaddress import IPv6Address
from typing import cast

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

from consent_registry.domain.errors import Fault
from consent_registry.process.server_log import request_id
from consent_registry.web.problems import (
    HTTP_TITLES,
    INTERNAL,
    MALFORMED,
    Problem,
    encode_problem,
    log_internal_error,
)
from consent_registry.web.request_log import note_beginning

Headers = Iterable[tuple[bytes, bytes]]
Note = Callable[[Message, Scope], Awaitable[None]]

# These headers may occur once (RFC 9110 section 5.3): a proxy and the registry could read two lines differently.
SINGLE = frozenset({b"host", b"authorization", b"idempotency-key", b"content-type", b"content-length"})
# RFC 9110 section 7.2: host and port. A host of an http URI is not empty (section 4.2.1).
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::([0-9]{0,5}))?")
LARGEST_PORT = 65_535
# No path of the registry has a longer segment, and no file system allows a longer name.
LONGEST_PART = 255
DRAINED_BYTES = 32 * 1024 * 1024
"""How much of an unread body is read and dropped, so that a caller that sends first and reads then gets the answer."""
TOO_SLOW, NOT_FOUND = 408, 404


class HttpMiddleware:
    """Wraps an ASGI application. `always` are default headers of every answer; `note` is called before each answer."""

    def __init__(self, always: Headers, note: Note, body_seconds: float) -> None:
        self._always = always
        self.note = note
        self._body_seconds = body_seconds
        self._allowed: dict[str, bytes] = {}

    def learn(self, methods: Mapping[str, Iterable[str]]) -> None:
        """Set the methods of each path template, from which the header Allow is made (RFC 9110 section 10.2.1)."""
        for path, path_methods in methods.items():
            self._allowed[path] = allowed(path_methods)

    async def serve(self, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request: with the application's answer, or with a problem."""
        exchange = _Exchange(self, scope, receive, send)
        try:
            if (problem := refusal_of(scope)) is None:
                await app(scope, exchange.receive, exchange.send)
            else:
                await exchange.answer(problem)
        except HTTPException as error:
            await exchange.answer(_problem(error.status_code))
        except Exception as error:  # noqa: BLE001 - the server would print the message of any exception
            log_internal_error(scope, error)
            if exchange.is_answered:
                raise CutOff from None
            await exchange.answer(INTERNAL)

    def finish(self, message: HTTPResponseStartEvent, scope: Scope) -> None:
        """Complete an answer's headers."""
        headers = [*message["headers"], (b"x-request-id", request_id(scope).encode("latin-1"))]
        present = [name for name, _ in headers]  # in lower case, as ASGI demands
        headers += [header for header in self._always if header[0] not in present]
        if b"allow" in present:
            # Litestar's own Allow lacks HEAD and, in an answer to OPTIONS, the path's other routes.
            known = self._allowed.get(scope.get("path_template", ""))
            headers = [
                (name, (known or allowed(value.decode().split(", "))) if name == b"allow" else value)
                for name, value in headers
            ]
        message["headers"] = headers

    def deadline(self) -> float:
        """The loop time by which the body of a request that arrives now must be complete."""
        return asyncio.get_running_loop().time() + self._body_seconds


def allowed(methods: Iterable[str]) -> bytes:
    """The header Allow of a path with these methods: HEAD is added to GET, and OPTIONS to all."""
    given = set(methods)
    return ", ".join(sorted(given | {"OPTIONS"} | ({"HEAD"} if "GET" in given else set()))).encode()


class CutOff(Exception):
    """An answer could not be completed; the log has the reason. The server closes the connection without an end."""


class _Exchange:
    """One request and its answer."""

    def __init__(self, middleware: HttpMiddleware, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._middleware = middleware
        self._scope = scope
        self._receive = receive
        self._send = send
        self._has_body, self._waits_for_100 = _announced(scope["headers"])
        self._until = middleware.deadline() if self._has_body else 0.0
        note_beginning(scope)
        self._is_head = str(scope["method"]) == "HEAD"
        self.is_answered = False
        if self._is_head:
            scope["method"] = "GET"

    async def receive(self) -> HTTPReceiveMessage:
        """The next part of the body; raises HTTPException 408 if it comes too late, 400 if the body is cut off."""
        if not self._has_body:
            return cast("HTTPReceiveMessage", await self._receive())
        try:
            async with asyncio.timeout_at(self._until):
                message = cast("HTTPReceiveMessage", await self._receive())
        except TimeoutError as error:
            self._has_body = False
            raise HTTPException(status_code=TOO_SLOW) from error
        self._waits_for_100 = False
        if message["type"] != "http.request":
            self._has_body = False
            raise HTTPException(status_code=MALFORMED)  # cut off, or malformed chunks: nothing more can be read
        self._has_body = message["more_body"]
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer. Its head is sent after the request's body was read or given up."""
        if message["type"] == "http.response.start":
            self._middleware.finish(message, self._scope)
            if self._has_body:
                await self._drain()
            if self._has_body or message["status"] in {MALFORMED, TOO_SLOW}:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await self._middleware.note(message, self._scope)
            self.is_answered = True
        elif self._is_head and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)

    async def _drain(self) -> None:
        """Read and drop the rest of the body. A caller that waits for 100 Continue has sent none."""
        left = 0 if self._waits_for_100 else DRAINED_BYTES
        try:
            while self._has_body and left > 0:
                message = await self.receive()
                left -= len(message["body"]) if message["type"] == "http.request" else 0
        except HTTPException:
            self._has_body = True

    async def answer(self, problem: Problem) -> None:
        """Send a problem as the whole answer."""
        body, headers = encode_problem(problem)
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


def _announced(headers: Headers) -> tuple[bool, bool]:
    """Whether a request has a body, and whether its caller waits for 100 Continue before sending it."""
    has_body = waits = False
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
        elif name == b"expect":
            waits = value.lower() == b"100-continue"
    return has_body, has_body and waits


def refusal_of(scope: HTTPScope) -> Problem | None:
    """The problem of a request that HTTP forbids, or None."""
    path = scope["path"]
    if not path.isprintable() or any(len(part) > LONGEST_PART for part in path.split("/")):
        return _problem(NOT_FOUND)
    names = [name for name, _ in scope["headers"]]
    faults = []
    if len(set(names)) != len(names):
        repeated = sorted(name for name in SINGLE if names.count(name) > 1)
        faults = [Fault("", f"the header {name.decode().title()} must have one line") for name in repeated]
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    if not is_host(host) and (host or scope["http_version"] == "1.1"):
        faults.append(Fault("", "the header Host must name a host, and a port up to 65535 where it names one"))
    return _problem(MALFORMED, faults) if faults else None


def _problem(status: int, faults: Iterable[Fault] = ()) -> Problem:
    slug, title = HTTP_TITLES[status]
    return Problem(f"/problems/{slug}", title, status, f"{title}.", list(faults))


def is_host(value: bytes) -> bool:
    """Whether a Host header is well formed (RFC 9110 section 7.2)."""
    found = _HOST.fullmatch(value)
    if found is None or int(found[2] or 0) > LARGEST_PORT:
        return False
    if value.startswith(b"["):
        try:
            IPv6Address(found[1][1:-1].decode())
        except ValueError:
            return False
    return True
