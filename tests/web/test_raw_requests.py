"""Requests that HTTP forbids or barely allows, for every path and method: never a 5xx, always a problem with its id."""

import base64
import json
import re
import socket
from collections.abc import Iterator

import pytest

from tests.campaigns.support.server import Server, wait_until
from tests.web.raw_http import LIBRARY, Raw, answers, chunked, exchange, parse, request
from tests.web.test_queries import DOCUMENT, PLACES, SOME_ID

MIB = 1 << 20
BUNDLE = 256
PAGES = [
    "/docs",
    "/docs/files/page.css",
    "/docs/files/nothing",
    "/openapi/openapi.json",
    "/problems",
    "/problems/x",
    "/x",
]
CALLS = sorted({(m.upper(), p) for p, methods in DOCUMENT["paths"].items() for m in methods})
TARGETS = [*CALLS, *(("GET", page) for page in PAGES)]
JSON_LINE, FORM_LINE = b"Content-Type: application/json", b"Content-Type: application/x-www-form-urlencoded"
KEY = b"Idempotency-Key: raw"


def filled(path: str) -> str:
    """Return a path with values for its parameters."""
    return re.sub(r"\{(\w+)\}", lambda found: PLACES.get(found[1], SOME_ID).replace("small", "paderborn"), path)


# Each is refused with 400 wherever it is sent: by the registry, whose answer says why.
FORBIDDEN: dict[str, tuple[bytes | None, tuple[bytes, ...]]] = {
    "no Host": (None, ()),
    "an empty Host": (b"", ()),
    "a port that is none": (b"x:abc", (KEY,)),
    "a port too large": (b"x:65536", ()),
    "a host with a blank": (b"a b", ()),
    "a host of any bytes": (b"\xff\xfe", (KEY,)),
    "half an IPv6 address": (b"[::1", ()),
    "no IPv6 address": (b"[1.2]", ()),
    "a host with a path": (b"a/b", ()),
    "user and host": (b"u@a", ()),
    "two Host lines": (b"a", (b"Host: a",)),
    "two keys": (b"a", (KEY, KEY)),
    "two tokens": (b"a", (b"Authorization: Bearer x", b"authorization: Bearer y")),
    "two content types": (b"a", (JSON_LINE, JSON_LINE)),
}
# Strange, and none of them may break anything.
STRANGE: dict[str, tuple[bytes, ...]] = {
    "a token of any bytes": (b"Authorization: Bearer \xff\xfe\x80",),
    "Basic of any bytes": (b"Authorization: Basic \xc3\xbc\xff",),
    "Basic of no base64": (b"Authorization: Basic ====",),
    "Basic without colon": (b"Authorization: Basic " + base64.b64encode(b"abc"),),
    "Basic with NUL": (b"Authorization: Basic " + base64.b64encode(b"paderborn.\0:\0"),),
    "Basic of no UTF-8": (b"Authorization: Basic " + base64.b64encode(b"\xff:\xff"),),
    "Basic of half characters": (b"Authorization: Basic " + base64.b64encode(b"%ff%ed%a0%80:x"),),
    "a scheme alone": (b"Authorization: Bearer",),
    "an empty Authorization": (b"Authorization:",),
    "a key of any bytes": (b"Idempotency-Key: \xff\xfe",),
    "a request id of any bytes": (b"X-Request-ID: \xff",),
    "two request ids": (b"X-Request-ID: a", b"X-Request-ID: b"),
    "addresses that are none": (b"X-Forwarded-For: \xff[,,", b"Forwarded: for=\xff;;="),
    "accepts of any bytes": (b"Accept: \xff/\xff;q=\xff",),
    "codings of any bytes": (b"Accept-Encoding: \xff;q=",),
    "cookies of any bytes": (b'Cookie: \xff=";;,=',),
    "conditions that are none": (b"If-None-Match: \xff", b"If-Modified-Since: never", b"Range: bytes=z"),
    "a coding": (b"Content-Encoding: gzip",),
    "a media type of any bytes": (b"Content-Type: \xff/;charset=\xff",),
    "an expectation": (b"Expect: the best",),
    "an upgrade": (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
}
PATHS = (
    *("%00", "%0a", "%7f", "%ff", "%c0%ae", "%ed%a0%80", "%e3%80%80", "a" * 300, "..%2f..", "%2e%2e", "%25", "%"),
    *("%zz", "page.css%00", "page.css/x", "%F0%9F%98%80" * 60, "a;b", "~", "|", "'", "x" * 8000),
)


def wrong_with(answer: Raw, *, head: bool = False) -> list[str]:
    """Return what is wrong with an answer of the registry itself."""
    if answer.status == 0 or answer.status >= 500:
        return [f"status {answer.status}"]
    found = [] if answer.header("x-request-id") else ["no X-Request-ID"]
    kind = answer.header("content-type") or ""
    if answer.status >= 400 and not head and "problem+json" not in kind and b'"error_description"' not in answer.body:
        found.append(f"{answer.status} is no problem: {kind} {answer.body[:60]!r}")
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_http_forbids_is_400_everywhere(server: Server, what: str) -> None:
    """A malformed Host and a repeated single header are refused for every call."""
    host, lines = FORBIDDEN[what]
    for method, path in TARGETS:
        answer = exchange(server.port, request(method, filled(path), *lines, host=host))
        assert (answer.status, wrong_with(answer)) == (400, []), (method, path, answer)
        assert json.loads(answer.body)["errors"], (method, path)


@pytest.mark.parametrize("what", STRANGE)
def test_strange_headers_break_nothing(server: Server, what: str) -> None:
    """With any bytes in its headers every call answers, with the request's id."""
    for method, path in TARGETS:
        for body in (b"", b"{}") if method == "POST" else (b"",):
            answer = exchange(server.port, request(method, filled(path), *STRANGE[what], body=body))
            assert wrong_with(answer) == [], (method, path, answer)


def test_any_bytes_in_any_place_of_a_path_are_not_found(server: Server) -> None:
    """A path with impossible bytes is 404, or 401 if a token is needed."""
    prefixes = {re.sub(r"\{\w+\}.*", "", path) for _, path in CALLS if "{" in path}
    for prefix in sorted({*prefixes, "/", "/docs/", "/docs/files/", "/problems/", "/api/v1/"}):
        for part in PATHS:
            answer = exchange(server.port, request("GET", prefix + part))
            if answer.status in LIBRARY and not answer.body:
                continue
            assert wrong_with(answer) == [], (prefix, part, answer)
            assert answer.status in {404, 401, 405}, (prefix, part, answer)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "QUERY", "get"])
def test_every_path_knows_its_methods(server: Server, method: str) -> None:
    """Allow lists every method of a path, for OPTIONS and with 405; HEAD is answered like GET, without a body."""
    methods: dict[str, set[str]] = {}
    for name, path in [*CALLS, *(("GET", page) for page in PAGES if not page.endswith("/x"))]:
        methods.setdefault(path, set()).add(name)
    for path, known in methods.items():
        allowed = known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
        answer = exchange(server.port, request(method, filled(path)))
        assert wrong_with(answer, head=method == "HEAD") == [], (path, answer)
        if method == "HEAD" and "GET" in known:
            get = exchange(server.port, request("GET", filled(path)))
            assert (answer.status, answer.body) == (get.status, b""), path
            names = [[name for name, _ in response.headers] for response in (answer, get)]
            assert sorted(names[0]) == sorted(names[1]), path
            if path not in {"/ready", "/log/{network}/checkpoint"}:  # whose contents pass
                assert answer.header("content-length") == get.header("content-length"), path
        else:
            assert answer.status == (204 if method == "OPTIONS" else 405), (path, answer)
            assert set((answer.header("allow") or "").split(", ")) == allowed, path


def bodies_that_break() -> Iterator[tuple[str, bytes, tuple[bytes, ...]]]:
    """Yield truncated or malformed bodies, with their headers."""
    coded = (b"Transfer-Encoding: chunked",)
    for size in (b"-5", b"zz", b"", b"0x5", b"5 5", b"fffffffffffffffff", b"+1", b";"):
        yield f"the chunk size {size!r}", size + b"\r\nhello\r\n0\r\n\r\n", coded
    yield "a chunk without its end", b"5\r\nhelloX\r\n0\r\n\r\n", coded
    yield "no last chunk", b"5\r\nhello\r\n", coded
    yield "half a body", b'{"a":', (b"Content-Length: 100",)


@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/decisions", "/live", "/nowhere"])
def test_broken_bodies_are_no_mistake_of_ours(server: Server, path: str) -> None:
    """A malformed chunk or a truncated body is 400 if the caller can still receive it, and logs no error."""
    kind = FORM_LINE if path == "/oauth/token" else JSON_LINE
    written = server.output_path.stat().st_size
    for what, body, lines in bodies_that_break():
        head = request("POST", path, kind, *lines)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head + body)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(1 << 16):
                received += piece
        answer = parse(received)
        if answer.status:
            assert answer.status in {400, 401, 404, 405}, (what, answer)
            assert answer.status in LIBRARY or wrong_with(answer) == [], (what, answer)
    assert "error" not in server.output_path.read_text()[written:].replace("token refused", "").replace('"error":', "")


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/oauth/token", FORM_LINE, 413),
        ("/api/v1/decisions", JSON_LINE, 401),
        ("/nowhere", JSON_LINE, 404),
        ("/live", JSON_LINE, 405),
    ],
)
@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB])
@pytest.mark.parametrize("in_chunks", [True, False])
def test_a_body_that_is_too_large_gets_an_answer(
    server: Server, path: str, kind: bytes, status: int, size: int, *, in_chunks: bool
) -> None:
    """A caller that sends its whole body before reading receives the refusal, not a reset connection."""
    content = (b" " * (1 << 16) for _ in range(size >> 16))
    if in_chunks:
        sent = request("POST", path, kind, b"Transfer-Encoding: chunked") + b"".join(chunked(content))
    else:
        sent = request("POST", path, kind, body=b"".join(content))
    answer = parse(answers(server.port, sent, 60))
    assert (answer.status, wrong_with(answer)) == (status, [])


def test_who_waits_to_be_asked_for_a_body_is_refused_at_once(server: Server) -> None:
    """With `Expect: 100-continue` a body that is too large is refused before it is sent."""
    lines = (FORM_LINE, b"Expect: 100-continue", b"Content-Length: 99999999")
    assert exchange(server.port, request("POST", "/oauth/token", *lines)).status == 413


def test_lists_on_several_lines_are_one_list(server: Server) -> None:
    """Accept and Accept-Encoding on several lines are one list (RFC 9110 section 5.3)."""
    checkpoint = request("GET", "/log/paderborn/checkpoint")
    wait_until(lambda: exchange(server.port, checkpoint).status == 200, 30, "a checkpoint")
    accepts = (b"Accept: text/html", b"Accept: application/json")
    refused = exchange(server.port, request("GET", "/log/paderborn/consistency?from=0", accepts[0]))
    assert (refused.status, wrong_with(refused)) == (406, [])
    for lines in (accepts, accepts[::-1], (accepts[0] + b", application/json;q=0.1",)):
        assert exchange(server.port, request("GET", "/log/paderborn/consistency?from=0", *lines)).status == 200
    never = exchange(
        server.port, request("GET", "/log/paderborn/consistency?from=0", b"Accept: application/json;q=0.0")
    )
    assert never.status == 406
    codings = (b"Accept-Encoding: br", b"Accept-Encoding: gzip")
    size = int(exchange(server.port, checkpoint).body.split(b"\n")[1])
    path = f"/log/paderborn/tile/entries/000{'' if size >= BUNDLE else f'.p/{size}'}"
    bundle, plain = request("GET", path, *codings), request("GET", path, codings[0])
    packed = [exchange(server.port, asked).header("content-encoding") for asked in (bundle, plain)]
    assert packed == ["gzip", None]


def test_the_library_below_answers_what_is_no_http_1_1(server: Server) -> None:
    """The server library refuses requests that are not HTTP/1.1, as docs/operating.md says, also HTTP/2."""
    for sent in (
        b"GET /live\r\n\r\n",
        b"GET /live HTTP/1.2\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        request("GET", "/live", b"A\xff: b"),
        request("GET", "/live", b"A: \x01"),
        request("POST", "/live", b"Content-Length: -5"),
        request("POST", "/live", b"Content-Length: 5", b"Content-Length: 6"),
        request("GET", "/live", *(b"X%d: a" % number for number in range(300))),
        request("GET", "/" + "a" * 70_000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        answer = exchange(server.port, sent)
        assert answer.status in LIBRARY | {0}, (sent[:40], answer)
        assert answer.body == b"", (sent[:40], answer)
    upgrade = (b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__")
    assert exchange(server.port, request("GET", "/live", *upgrade)).status == 200
    assert exchange(server.port, b"GET /live HTTP/1.0\r\n\r\n").body == b'{"status":"alive"}'


def test_a_bare_refusal_is_seen() -> None:
    """Control: a bare 500, an answer without id, a text and a missing answer are found."""
    assert wrong_with(parse(b"HTTP/1.1 500 Internal Server Error\r\nx-request-id: a\r\n\r\n")) == ["status 500"]
    assert wrong_with(parse(b"HTTP/1.1 200 OK\r\n\r\n")) == ["no X-Request-ID"]
    assert wrong_with(parse(b"HTTP/1.1 404 Not Found\r\nx-request-id: a\r\ncontent-type: text/plain\r\n\r\nno"))
    assert wrong_with(parse(b"")) == ["status 0"]
