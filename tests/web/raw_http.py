"""HTTP as bytes over a socket, for hostile requests, and the parsed answer."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

# What the server library below the application answers by itself, without a body: docs/operating.md lists it.
LIBRARY = frozenset({400, 413, 414, 431, 505})


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer; its status is 0 if the connection was closed without one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        return next((value for key, value in self.headers if key == name), None)


def answers(port: int, request: bytes, seconds: float = 10.0) -> bytes:
    """Send bytes on a new connection and return everything until its end."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # what was answered before is still to be read
            connection.sendall(request)
        while piece := connection.recv(1 << 16):
            received += piece
    return bytes(received)


def exchange(port: int, request: bytes, seconds: float = 10.0) -> Raw:
    """Send bytes and return the answer."""
    return parse(answers(port, request, seconds))


def parse(received: bytes) -> Raw:
    """Parse an answer and skip interim ones."""
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith(("HTTP/1.1 ", "HTTP/1.0 ")):
        return Raw(0, (), received)
    status = int(lines[0].split()[1])
    if 100 <= status < 200:
        return parse(body)
    pairs = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
    return Raw(status, pairs, body)


def request(method: str, path: str, *lines: bytes, body: bytes = b"", host: bytes | None = b"a") -> bytes:
    """Write a request with these header lines unchanged; Content-Length is added if there is a body."""
    head = [f"{method} {path} HTTP/1.1".encode("latin-1")]
    head += [] if host is None else [b"Host: " + host]
    head += [b"Content-Length: %d" % len(body)] if body else []
    return b"\r\n".join([*head, b"Connection: close", *lines, b"", b""]) + body


def chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Write a body with chunked transfer coding."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
