"""The HTTP middleware: bodies have a deadline, answers are complete, and no exception reaches the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from consent_registry.process.server_log import configure_log
from consent_registry.web.http_middleware import DRAINED_BYTES, CutOff, HttpMiddleware, is_host
from tests.support.servers.edge_app import no_note

Application = Callable[[Any, Any, Any], Awaitable[None]]
ALWAYS = ((b"cache-control", b"no-store"),)


class Behind:
    """A small application behind the middleware, with a body deadline of a fifth of a second."""

    def __init__(self, application: Application, *, middleware: bool = True) -> None:
        self._application = application
        self._middleware = HttpMiddleware(ALWAYS, no_note, 0.2) if middleware else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Serve one request."""
        if self._middleware is None:
            await self._application(scope, receive, send)
        else:
            await self._middleware.serve(self._application, scope, receive, send)

    async def ask(self, method: str = "POST", **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx takes any
        """Send a request."""
        transport = httpx.ASGITransport(app=self)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
            return await http.request(method, "/", **request)


async def reading(_: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """Read the whole body and answer with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message["more_body"]
    await saying(str(length).encode(), send)


async def at_once(_: Any, __: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """Answer without reading the body."""
    await saying(b"no", send, 401)


async def saying(body: bytes, send: Any, status: int = 200) -> None:  # noqa: ANN401 - ASGI
    """Send an answer."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def failing(_: Any, __: Any, ___: Any) -> None:  # noqa: ANN401 - ASGI
    """Raise an exception with words from the request."""
    raise ValueError("a client's name")


async def failing_midway(_: Any, __: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """Raise an exception in the middle of the answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("a client's name")


async def slowly(pieces: int = 100) -> AsyncIterator[bytes]:
    """Send a body byte by byte, each within the deadline."""
    for _ in range(pieces):
        await asyncio.sleep(0.01)
        yield b"x"


async def test_a_body_has_a_deadline_however_often_a_byte_comes() -> None:
    """A body that is incomplete at its deadline is 408, whether the application reads it or not, and the connection is
    closed.
    """
    assert (await Behind(reading).ask(content=slowly(5))).text == "5"
    late = await Behind(reading).ask(content=slowly())
    assert (late.status_code, late.headers["connection"]) == (408, "close")
    unread = await Behind(at_once).ask(content=slowly())
    assert (unread.status_code, unread.headers["connection"]) == (401, "close")


async def test_without_the_middleware_a_body_takes_as_long_as_it_likes() -> None:
    """Control: without the middleware the same body is read to its end."""
    assert (await Behind(reading, middleware=False).ask(content=slowly(60))).text == "60"


@pytest.mark.parametrize("application", [at_once, failing])
async def test_no_answer_leaves_before_the_body_is_read(application: Application) -> None:
    """An unread body is read and dropped up to a limit, so that no connection reset destroys the answer."""
    for length, is_whole in ((1 << 20, True), (DRAINED_BYTES + (1 << 20), False)):
        taken = 0

        async def content(size: int = length) -> AsyncIterator[bytes]:
            nonlocal taken
            for _ in range(size >> 16):
                yield b" " * (1 << 16)
                taken += 1 << 16

        answer = await Behind(application).ask(content=content())
        assert answer.status_code in {401, 500}
        assert (taken == length, "connection" not in answer.headers) == (is_whole, is_whole)


async def test_an_exception_becomes_a_problem_and_its_words_stay_here(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception becomes a 500 problem with its id; the log has its position, not its message."""
    configure_log()
    answer = await Behind(failing).ask("GET", headers={"X-Request-ID": "here"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "here")
    assert (answer.json()["type"], answer.headers["cache-control"]) == ("/problems/internal", "no-store")
    with pytest.raises(CutOff) as cut:
        await Behind(failing_midway).ask("GET")
    assert (str(cut.value), cut.value.__cause__, cut.value.__suppress_context__) == ("", None, True)
    said = capsys.readouterr().out
    assert said.count("internal error") == 2
    assert "client's name" not in said


async def test_without_the_middleware_an_exception_gets_past() -> None:
    """Control: without the middleware an exception reaches the server library, which prints its message."""
    with pytest.raises(ValueError, match="name"):
        await Behind(failing, middleware=False).ask("GET")


async def test_head_is_get_without_its_body() -> None:
    """HEAD is passed to the application as GET, and only the head of its answer is sent."""
    seen: list[str] = []

    async def telling(scope: Any, _: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        seen.append(scope["method"])
        await saying(b"hello", send)

    answer = await Behind(telling).ask("HEAD")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "5", b"")
    assert seen == ["GET"]


@pytest.mark.parametrize("host", ["a", "a:", "a:65535", "127.0.0.1:80", "[::1]", "[2001:db8::1]:443", "a_b.c-d"])
def test_hosts(host: str) -> None:
    """A Host is a name or an address, optionally with a port (RFC 9110 section 7.2)."""
    assert is_host(host.encode())
