"""Authenticates the caller of each request: access token, scope, quota, media types and Idempotency-Key."""

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
from consent_registry.operations.runtime.actors import ADMINISTRATION, Actor
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import IdempotencyKey
from consent_registry.web.operation import Operation
from consent_registry.web.queries import require_declared


class ApiRequest(Request[Actor, None, State]):
    """A request with its own reading of headers and body: Litestar's takes longer than decoding the question."""

    @cached_property
    def header(self) -> Mapping[bytes, bytes]:
        """The headers by lower-case name. Lines with the same name become one list (RFC 9110 section 5.3)."""
        lines = list(self.scope["headers"])
        found = dict(lines)
        if len(found) != len(lines):
            for repeated in {name for name, _ in lines}:
                found[repeated] = b", ".join(value for name, value in lines if name == repeated)
        return found

    async def body(self) -> bytes:
        """Read the body; raises RequestEntityTooLarge as soon as it is longer than the route allows."""
        state = self._connection_state
        if state.body is Empty:
            longest = self.route_handler.resolve_request_max_body_size() or math.inf
            announced = self.header.get(b"content-length", b"0")
            if announced.isdigit() and int(announced) > longest:
                raise RequestEntityTooLarge
            pieces, length, more = [], 0, True
            while more:
                # HttpMiddleware raises an exception for any other message.
                message = cast("HTTPRequestEvent", await self.receive())
                pieces.append(message["body"])
                length += len(message["body"])
                if length > longest:
                    raise RequestEntityTooLarge
                more = message["more_body"]
            state.body = b"".join(pieces)
        return state.body


class Guard(Protocol):
    """A check of a request before its body is read, used as a route's `guards` or `before_request`.

    `before_request` saves a fifth of the framework's work, because Litestar copies the route's handler for each guard.
    """

    def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler | None = None, /
    ) -> Awaitable[None]:
        """Raise an error if the request is refused."""


KEY_LENGTH = 64
IdempotencyKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 64 printable ASCII characters. The same key with the same body has one effect.",
        required=False,
    ),
]


class SharedState:
    """The objects that all handlers of one process share: runtime, quotas, tokens and one decision queue a network."""

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
        """The runtime for the searches, findings and exports of data-protection officers, with its own connections."""
        return self.runtime.for_oversight()

    def decision_queue(self, network: Network) -> DecisionQueue:
        """The decision queue of this network in this process."""
        if network.network_id not in self._deciders:
            self._deciders[network.network_id] = DecisionQueue(self.runtime, network, self._response_seconds)
        return self._deciders[network.network_id]


def shared_state(request: Request[Any, Any, Any]) -> SharedState:
    """The objects that the handlers of this process share."""
    shared: SharedState = request.app.state["shared"]  # by attribute takes ten times as long
    return shared


def requires(scope: str, *answer_types: str) -> Guard:
    """A guard that demands a valid access token with `scope`, and sets `request.user`.

    It also refuses a partner's scope for an administration, a quota that is used up, an Accept header without any of
    `answer_types` (JSON if none is given), and query parameters that the route does not declare.
    """
    kinds = answer_types or ("application/json",)
    ranges = {f"{kind.partition('/')[0]}/*" for kind in kinds}
    taken = frozenset({"", "*/*", *kinds, *ranges, "application/problem+json"})

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler | None = None, /) -> None:
        request = cast("ApiRequest", connection)
        kind, __, token = request.header.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NoToken(reason="no-token")
        # RFC 6750 section 2.1 allows several spaces before a token, and nothing after it.
        caller = await shared_state(request).tokens.verify(token.lstrip(" "))
        connection.scope["user"] = caller
        await shared_state(request).quotas.charge(caller, quota_class(request))
        require_media_types(request, taken)
        if scope and (scope not in caller.scopes or (scope in PARTNER_SCOPES and caller.partner_id == ADMINISTRATION)):
            raise NotAllowed(f"The access token does not carry the scope {scope}.", reason=f"scope-{scope}")
        require_declared(request)

    return guard


def quota_class(request: ApiRequest) -> QuotaClass:
    """The quota class of the request's route."""
    operation: Operation = request.route_handler.opt["operation"]
    return operation.quota


Body = TypeVar("Body")
BodyHandler = Callable[[ApiRequest, Body, str | None], Awaitable[Response[bytes]]]


def before_request_handler(scope: str, kind: type[Body], handler: BodyHandler[Body]) -> BeforeRequestHookHandler:
    """A `before_request` hook that checks the token, decodes the body and calls the route's `handler` itself.

    Litestar would call it with the same arguments, but resolving them takes as long as a decision.
    """
    guard = requires(scope)

    async def answer(connection: Request[Any, Any, Any]) -> Response[bytes]:
        await guard(connection)
        request = cast("ApiRequest", connection)
        key = request.header.get(b"idempotency-key")
        data = decode(await request.body(), kind)
        return await handler(request, data, None if key is None else key.decode("latin-1"))

    return answer


def require_media_types(request: ApiRequest, taken: frozenset[str]) -> None:
    """Raise 406 if the Accept header excludes the answer's types, and 415 if the body is compressed or not JSON."""
    accepted = request.header.get(b"accept", b"*/*").decode("latin-1")
    if accepted not in taken and not any(_is_taken(element, taken) for element in accepted.split(",")):
        raise HTTPException(status_code=406)
    require_plain(request)
    if request.method == "POST":
        sent = request.header.get(b"content-type", b"")
        if sent != b"application/json" and _media_type(sent.decode("latin-1")) != "application/json":
            raise HTTPException(status_code=415)


def require_plain(request: ApiRequest) -> None:
    """Raise 415 for a body with a content coding: a small compressed body could become very large."""
    codings = request.header.get(b"content-encoding", b"")
    if codings and any(coding.strip().lower() not in {b"", b"identity"} for coding in codings.split(b",")):
        raise HTTPException(status_code=415, headers={"Accept-Encoding": "identity"})


def _is_taken(accepted: str, taken: frozenset[str]) -> bool:
    """Whether an element of an Accept header allows the answer. Weight 0 forbids it (RFC 9110 section 12.4.2)."""
    return _media_type(accepted) in taken and not re.search(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)", accepted, re.IGNORECASE)


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


async def key_required(request: ApiRequest, key: str | None) -> IdempotencyKey:
    """The key that gives this request one effect only; raises Malformed without an Idempotency-Key."""
    given = await key_given(request, key)
    if given is None:
        raise Malformed(
            "The header Idempotency-Key is required here.", faults=(Fault("", "Idempotency-Key is missing"),)
        )
    return given


async def key_given(request: ApiRequest, key: str | None) -> IdempotencyKey | None:
    """The key that gives this request one effect only, or None without an Idempotency-Key."""
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise Malformed(faults=(Fault("", "Idempotency-Key must be 1 to 64 printable ASCII characters"),))
    return IdempotencyKey.of(request.user.partner_id, request.method, request.scope["path"], key, await request.body())


class _EncodedResponse(Response[bytes]):
    """A response with finished bytes and headers, which Litestar neither renders nor encodes."""

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status
        self._body = body
        self._headers = headers

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]
        """Ignore Litestar's arguments from the route: status, headers and body are complete."""
        return self._send

    async def _send(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def respond(
    value: object, status: int = 200, *, location: str | None = None, is_replayed: bool = False
) -> Response[bytes]:
    """The response with a value as JSON. `location` sets Location; `is_replayed` sets Idempotency-Replayed."""
    body = encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if location is not None:
        headers.append((b"location", location.encode("latin-1")))
    if is_replayed:
        headers.append((b"idempotency-replayed", b"true"))
    return _EncodedResponse(status, body, headers)
