"""A server that says who answers and, when asked, takes its time or reads the database: for tests of the supervisor."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


def create_app() -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """Return an ASGI application: `/` answers at once, `/slow` after a second, `/database` after one statement."""
    return _answer


def create_broken_app() -> None:
    """Fail, as an application with a bad setting does."""
    raise SystemExit("a setting is wrong")


async def _answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, body = 200, {"worker": os.getpid(), "server": os.getppid(), "mark": os.environ.get("MARK")}
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    if scope["path"] == "/database":
        try:
            body["one"] = await _ask(os.environ["CONSENT_REGISTRY_DATABASE_URL"])
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            status = 503
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def _ask(dsn: str) -> int:
    connection = await asyncpg.connect(dsn, timeout=1)
    try:
        return int(await connection.fetchval("select 1"))
    finally:
        await connection.close()
