"""Answers every request of a suspended partner or revoked secret with 401 and nothing else (docs/wire.md).

Operations check this in their own transaction. A refusal before the operation, because of body, query, path or scope,
would give a suspended caller information about its request. So the check runs before such a refusal is sent. A call
that succeeds has no extra cost. Only a partner that is suspended for other reasons than its security gets the refusals
of the one call that it may still make.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from consent_registry.domain.errors import NotAuthentic, OverQuota, RegistryError
from consent_registry.operations.runtime.actors import Actor, require_standing
from consent_registry.web.callers import shared_state
from consent_registry.web.problems import registry_error

E = TypeVar("E", bound=Exception)
# The option of a route that a partner may call that is suspended for other reasons than security.
MAY_BE_SUSPENDED = "may_be_suspended"
ErrorHandler = Callable[[Request[Any, Any, Any], E], Response[bytes]]


def after_revocation_check(handler: ErrorHandler[E]) -> ErrorHandler[E]:
    """Wrap an error handler: if the caller is suspended or its secret was revoked, the answer is 401 instead."""

    def answer(request: Request[Any, Any, Any], error: E) -> Response[bytes]:
        caller = request.scope.get("user")
        if not isinstance(caller, Actor) or isinstance(error, NotAuthentic):
            return handler(request, error)
        return _DeferredResponse(request, caller, error, handler)

    return answer


class _DeferredResponse(Response[bytes]):
    """A response that queries the database when it is sent, because Litestar's error handlers are not async."""

    def __init__(self, request: Request[Any, Any, Any], caller: Actor, error: E, handler: ErrorHandler[E]) -> None:
        self._request = request
        self._caller = caller
        self._refuse = partial(handler, request, error)
        # A quota is checked without the database, so a refusal for it may use the cached state.
        self._fresh = not isinstance(error, OverQuota)

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]
        """Ignore Litestar's arguments from the route, which do not matter for an error."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            picture = await shared_state(self._request).runtime.picture(self._caller.network, fresh=self._fresh)
            # A request that was refused before its route was found has none.
            options = getattr(self._request.scope.get("route_handler"), "opt", {})
            may_be_suspended = options.get(MAY_BE_SUSPENDED, False)
            require_standing(self._caller, picture, may_be_suspended=may_be_suspended)
        except RegistryError as error:
            response = registry_error(self._request, error)
        else:
            response = self._refuse()
        await response.to_asgi_response(app=None, request=self._request)(scope, receive, send)
