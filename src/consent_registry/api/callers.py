"""Who calls: the access token of each request, the scope it needs, and what every call may rely on."""

from collections.abc import Awaitable
from typing import Annotated, Any, Protocol

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Fault, Malformed, NotAllowed, NotAuthentic
from consent_registry.operations.acts import Once, Reply
from consent_registry.operations.decider import Decider
from consent_registry.operations.runtime import ADMINISTRATION, Caller, Runtime
from consent_registry.operations.tokens import PARTNER_SCOPES, Tokens

ApiRequest = Request[Caller, None, State]


class Guard(Protocol):
    """Checks a request before its body is read: as one of a route's `guards`, or as its `before_request`, which saves
    a fifth of the framework's work, because Litestar copies the route's handler for every guard it calls.
    """

    def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler | None = None, /
    ) -> Awaitable[None]:
        """Raise unless the request may go on."""


KEY_LENGTH = 64
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 64 printable ASCII characters. The same key with the same body has one effect.",
        required=False,
    ),
]


class Doors:
    """What the handlers of one process share."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.tokens = Tokens(runtime)
        self._deciders: dict[int, Decider] = {}

    def decider(self, network: Network) -> Decider:
        """The one decider of this network in this process."""
        if network.network_id not in self._deciders:
            self._deciders[network.network_id] = Decider(self.runtime, network)
        return self._deciders[network.network_id]


def doors(request: Request[Any, Any, Any]) -> Doors:
    """What the handlers share."""
    shared: Doors = request.app.state.doors
    return shared


def requires(scope: str, answer: str = "application/json") -> Guard:
    """A guard: a verified token with this scope, and for a partner's scope a partner. Sets `request.user`."""
    taken = frozenset({"", "*/*", answer, f"{answer.partition('/')[0]}/*", "application/problem+json"})

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler | None = None, /) -> None:
        require_media_types(connection, taken)
        shared: Doors = connection.app.state.doors
        kind, __, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NotAuthentic
        caller = await shared.tokens.verify(token.strip())
        if scope and (scope not in caller.scopes or (scope in PARTNER_SCOPES and caller.partner_id == ADMINISTRATION)):
            raise NotAllowed(f"The access token does not carry the scope {scope}.")
        connection.scope["user"] = caller

    return guard


def require_media_types(connection: ASGIConnection[Any, Any, Any, Any], taken: frozenset[str]) -> None:
    """Raise 406 for a caller that will not take this answer, 415 for a body that does not say that it is JSON."""
    accepted = connection.headers.get("accept", "*/*")
    if accepted not in taken and not any(_media_type(one) in taken for one in accepted.split(",")):
        raise HTTPException(status_code=406)
    if connection.scope.get("method") == "POST":
        sent = connection.headers.get("content-type", "")
        if sent != "application/json" and _media_type(sent) != "application/json":
            raise HTTPException(status_code=415)


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


async def once_required(request: ApiRequest, key: str | None) -> Once:
    """What makes this request have one effect; raises Malformed without a key."""
    once = await once_given(request, key)
    if once is None:
        raise Malformed(
            "The header Idempotency-Key is required here.", faults=(Fault("", "Idempotency-Key is missing"),)
        )
    return once


async def once_given(request: ApiRequest, key: str | None) -> Once | None:
    """What makes this request have one effect, if it came with a key."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise Malformed(faults=(Fault("", "Idempotency-Key must be 1 to 64 printable ASCII characters"),))
    return Once.of(request.user.partner_id, request.method, request.url.path, key, await request.body())


class _Ready(Response[bytes]):
    """A response whose bytes are there: nothing is left for Litestar to render, merge or encode."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]
        """What Litestar calls with what the route says; a reply says all of it itself."""
        return self._send

    async def _send(self, _: Scope, __: Receive, send: Send) -> None:
        reply = self._reply
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply.body))]
        if reply.location is not None:
            headers.append((b"location", reply.location.encode("latin-1")))
        if reply.replayed:
            headers.append((b"idempotency-replayed", b"true"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def respond(reply: Reply) -> Response[bytes]:
    """The response that carries a reply."""
    return _Ready(reply)
