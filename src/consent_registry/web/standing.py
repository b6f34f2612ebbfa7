"""A caller that may no longer be heard hears 401 and nothing else (docs/wire.md).

Operations ask for the caller's standing in the transaction they need anyway. A refusal before that, because of the
body, the query, the path or a scope, would tell a suspended caller about its request. So the standing is asked for
before such a refusal leaves. A call that succeeds pays nothing for this.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from consent_registry.domain.errors import NotAuthentic, OverQuota, RegistryError
from consent_registry.operations.running.actors import Actor, require_standing
from consent_registry.web.callers import doors
from consent_registry.web.problems import registry_error

E = TypeVar("E", bound=Exception)
ErrorHandler = Callable[[Request[Any, Any, Any], E], Response[bytes]]


def after_standing(handler: ErrorHandler[E]) -> ErrorHandler[E]:
    """The handler's answer to an error, unless the caller is suspended or its secret was revoked: then 401."""

    def answer(request: Request[Any, Any, Any], error: E) -> Response[bytes]:
        caller = request.scope.get("user")
        if not isinstance(caller, Actor) or isinstance(error, NotAuthentic):
            return handler(request, error)
        return _Later(request, caller, error, handler)

    return answer


class _Later(Response[bytes]):
    """A response that is made when it is sent: error handlers cannot wait for a database."""

    def __init__(self, request: Request[Any, Any, Any], caller: Actor, error: E, handler: ErrorHandler[E]) -> None:
        self._request = request
        self._caller = caller
        self._refuse = partial(handler, request, error)
        # A quota is checked without asking the database for anything, also for who is suspended.
        self._fresh = not isinstance(error, OverQuota)

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # type: ignore[override]
        """What Litestar calls with what the route says, which is nothing to an error."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            picture = await doors(self._request).runtime.picture(self._caller.network, fresh=self._fresh)
            require_standing(self._caller, picture)
        except RegistryError as error:
            response = registry_error(self._request, error)
        else:
            response = self._refuse()
        await response.to_asgi_response(app=None, request=self._request)(scope, receive, send)
