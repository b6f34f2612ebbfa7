"""Registries whose answer to `GET /api/v1/network` deviates in one point from their OpenAPI document."""

from litestar import Litestar
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from consent_registry import app


def undescribed_status() -> ASGIApp:
    """Answers 206 where 200 is described."""
    return _Changed(app.create_app(), status=206)


def undescribed_member() -> ASGIApp:
    """Leaves out what every answer is said to have."""
    return _Changed(app.create_app(), body=b"{}")


def failing() -> ASGIApp:
    """Answers 500."""
    return _Changed(app.create_app(), status=500)


def lenient() -> ASGIApp:
    """Answers every request, also with an unknown parameter or without a token."""
    return _Changed(app.create_app(), status=200)


class _Changed:
    """Passes everything on; at one path another status or another body is sent."""

    def __init__(self, inner: Litestar, *, status: int | None = None, body: bytes | None = None) -> None:
        self._inner, self._status, self._body = inner, status, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["status"] = self._status or message["status"]
                if self._body is not None:
                    kept = [header for header in message["headers"] if header[0] != b"content-length"]
                    message["headers"] = kept
            elif message["type"] == "http.response.body" and self._body is not None:
                message["body"] = self._body
            await send(message)

        is_here = scope.get("path") == "/api/v1/network"  # which the lifespan has none of
        await self._inner(scope, receive, changed if is_here else send)
