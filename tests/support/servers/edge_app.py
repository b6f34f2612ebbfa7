"""An application behind the HTTP middleware that reads its body or sends 24 MiB, for tests of connections."""

import os
from typing import Any

from consent_registry.web.http_middleware import HttpMiddleware

MUCH = 24 * 1024 * 1024


async def no_note(_: object, __: object) -> None:
    """Write no log."""


def create_app() -> Any:  # noqa: ANN401 - ASGI
    """Return an ASGI application: `/much` answers with 24 MiB, everything else with the length of its body."""
    middleware = HttpMiddleware((), no_note, float(os.environ["CONSENT_REGISTRY_BODY_SECONDS"]))

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await middleware.serve(_answer, scope, receive, send)

    return answer


async def _answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message.get("more_body", False)
    body = b"x" * MUCH if scope["path"] == "/much" else str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
