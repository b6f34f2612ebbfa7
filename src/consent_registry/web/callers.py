"""Who calls: the access token of each request, the scope it needs, and what every call may rely on."""

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Protocol, TypeVar, cast

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter
from litestar.types import ASGIApp, BeforeRequestHookHandler, Empty, HTTPRequestEvent, Receive, Scope, Send
from msgspec.json import encode

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Fault, Malformed, NotAllowed, NoToken
from consent_registry.domain.json_bodies import decode
from consent_registry.domain.quotas import QuotaClass
from consent_registry.operations.access.quotas import QuotaKeeper
from consent_registry.operations.access.tokens import PARTNER_SCOPES, Tokens
from consent_registry.operations.decisions.queue import RESPONSE_SECONDS, DecisionQueue
from consent_registry.operations.running.actors import ADMINISTRATION, Actor
from consent_registry.operations.running.context import Runtime
from consent_registry.operations.running.idempotency import IdempotencyKey
from consent_registry.web.operation import Operation
from consent_registry.web.queries import require_declared


class ApiRequest(Request[Actor, None, State]):
    """A request whose headers and body are read plainly: Litestar's multi-dictionaries and generators take longer than
    reading the question.
    """

    @cached_property
    def header(self) -> Mapping[bytes, bytes]:
        """The headers by lower-case name; several lines of a name are one list (RFC 9110 section 5.3)."""
        lines = list(self.scope["headers"])
        found = dict(lines)
        if len(found) != len(lines):
            for repeated in {name for name, _ in lines}:
                found[repeated] = b", ".join(value for name, value in lines if name == repeated)
        return found

    async def body(self) -> bytes:
        """The body; raises RequestEntityTooLarge as soon as it is longer than the route allows."""
        state = self._connection_state
        if state.body is Empty:
            longest = self.route_handler.resolve_request_max_body_size() or math.inf
            announced = self.header.get(b"content-length", b"0")
            if announced.isdigit() and int(announced) > longest:
                raise RequestEntityTooLarge
            pieces, length, more = [], 0, True
            while more:
                # Whatever is no part of a body has become an exception at the edge.
                message = cast("HTTPRequestEvent", await self.receive())
                pieces.append(message["body"])
                length += len(message["body"])
                if length > longest:
                    raise RequestEntityTooLarge
                more = message["more_body"]
            state.body = b"".join(pieces)
        return state.body


class Guard(Protocol):
    """Checks a request before its body is read: as one of a route's `guards`, or as its `before_request`, which saves
    a fifth of the framework's work, because Litestar copies the route's handler for every guard it calls.
    """

    def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler | None = None, /
    ) -> Awaitable[None]:
        """Raise unless the request may go on."""


KEY_LENGTH = 64
IdempotencyKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 64 printable ASCII characters. The same key with the same body has one effect.",
        required=False,
    ),
]


class Doors:
    """What the handlers of one process share."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        log_public: bool = False,
        response_seconds: float = RESPONSE_SECONDS,
        workers: int = 1,
    ) -> None:
        self.runtime = runtime
        self.quotas = QuotaKeeper(runtime, workers)
        self.log_public = log_public
        self._response_seconds = response_seconds
        self.tokens = Tokens(runtime)
        self._deciders: dict[int, DecisionQueue] = {}

    @property
    def oversight(self) -> Runtime:
        """What the searches, findings and exports of data-protection officers run on."""
        return self.runtime.for_oversight()

    def decision_queue(self, network: Network) -> DecisionQueue:
        """The one decider of this network in this process."""
        if network.network_id not in self._deciders:
            self._deciders[network.network_id] = DecisionQueue(self.runtime, network, self._response_seconds)
        return self._deciders[network.network_id]


def doors(request: Request[Any, Any, Any]) -> Doors:
    """What the handlers share."""
    shared: Doors = request.app.state["doors"]  # by attribute takes ten times as long
    return shared


def requires(scope: str, *given: str) -> Guard:
    """A guard: a verified token with this scope, and for a partner's scope a partner; then a query of what the route
    declares. Sets `request.user`. The answer is of one of the types given, JSON unless said otherwise.
    """
    kinds = given or ("application/json",)
    whole = {f"{one.partition('/')[0]}/*" for one in kinds}
    taken = frozenset({"", "*/*", *kinds, *whole, "application/problem+json"})

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler | None = None, /) -> None:
        request = cast("ApiRequest", connection)
        kind, __, token = request.header.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NoToken(reason="no-token")
        # RFC 6750 section 2.1 lets several blanks stand before a token, and nothing after it.
        caller = await doors(request).tokens.verify(token.lstrip(" "))
        connection.scope["user"] = caller
        await doors(request).quotas.charge(caller, quota_class(request))
        require_media_types(request, taken)
        if scope and (scope not in caller.scopes or (scope in PARTNER_SCOPES and caller.partner_id == ADMINISTRATION)):
            raise NotAllowed(f"The access token does not carry the scope {scope}.", reason=f"scope-{scope}")
        require_declared(request)

    return guard


def quota_class(request: ApiRequest) -> QuotaClass:
    """The class that this call counts as, by its route."""
    operation: Operation = request.route_handler.opt["operation"]
    return operation.quota


Body = TypeVar("Body")
Ask = Callable[[ApiRequest, Body, str | None], Awaitable[Response[bytes]]]


def asked_directly(scope: str, kind: type[Body], ask: Ask[Body]) -> BeforeRequestHookHandler:
    """A `before_request` that answers the request: token, key and body go to `ask`, the route's own function, at once.

    Litestar would call it with the same arguments after taking its signature apart, which costs as much as deciding.
    """
    guard = requires(scope)

    async def answer(connection: Request[Any, Any, Any]) -> Response[bytes]:
        await guard(connection)
        request = cast("ApiRequest", connection)
        key = request.header.get(b"idempotency-key")
        data = decode(await request.body(), kind)
        return await ask(request, data, None if key is None else key.decode("latin-1"))

    return answer


def require_media_types(request: ApiRequest, taken: frozenset[str]) -> None:
    """Raise 406 for a caller that will not take this answer, 415 for a body that is compressed or does not say that it
    is JSON.
    """
    accepted = request.header.get(b"accept", b"*/*").decode("latin-1")
    if accepted not in taken and not any(_is_taken(one, taken) for one in accepted.split(",")):
        raise HTTPException(status_code=406)
    require_plain(request)
    if request.method == "POST":
        sent = request.header.get(b"content-type", b"")
        if sent != b"application/json" and _media_type(sent.decode("latin-1")) != "application/json":
            raise HTTPException(status_code=415)


def require_plain(request: ApiRequest) -> None:
    """Raise 415 for a body under any content coding: a small body must not become a large one."""
    codings = request.header.get(b"content-encoding", b"")
    if codings and any(one.strip().lower() not in {b"", b"identity"} for one in codings.split(b",")):
        raise HTTPException(status_code=415, headers={"Accept-Encoding": "identity"})


def _is_taken(accepted: str, taken: frozenset[str]) -> bool:
    """Whether one element of an Accept header takes the answer: not with the weight 0 (RFC 9110 section 12.4.2)."""
    return _media_type(accepted) in taken and not re.search(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)", accepted, re.IGNORECASE)


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


async def key_required(request: ApiRequest, key: str | None) -> IdempotencyKey:
    """What makes this request have one effect; raises Malformed without a key."""
    given = await key_given(request, key)
    if given is None:
        raise Malformed(
            "The header Idempotency-Key is required here.", faults=(Fault("", "Idempotency-Key is missing"),)
        )
    return given


async def key_given(request: ApiRequest, key: str | None) -> IdempotencyKey | None:
    """What makes this request have one effect, if it came with a key."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise Malformed(faults=(Fault("", "Idempotency-Key must be 1 to 64 printable ASCII characters"),))
    return IdempotencyKey.of(request.user.partner_id, request.method, request.scope["path"], key, await request.body())


class _Ready(Response[bytes]):
    """A response whose bytes are there: nothing is left for Litestar to render, merge or encode."""

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status
        self._body = body
        self._headers = headers

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]
        """What Litestar calls with what the route says; the response says all of it itself."""
        return self._send

    async def _send(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def respond(
    value: object, status: int = 200, *, location: str | None = None, is_replayed: bool = False
) -> Response[bytes]:
    """The response that shows a value as JSON, says where a new thing is, and that it was given before for its key."""
    body = encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if location is not None:
        headers.append((b"location", location.encode("latin-1")))
    if is_replayed:
        headers.append((b"idempotency-replayed", b"true"))
    return _Ready(status, body, headers)
