"""Connections of the server: each phase of a request has a deadline, and the number of connections has a limit."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent_registry.process.connections import OTHER_FILES, require_open_files
from consent_registry.settings import ConnectionLimits, UnsafeSetting, read_limits
from tests.process.test_supervisor import free_port, until
from tests.support.servers.edge_app import MUCH
from tests.web.raw_http import exchange, request

ROOT = Path(__file__).resolve().parents[2]
MOST = 60
DEADLINES = {"HEAD_SECONDS": "1", "BODY_SECONDS": "1", "READER_SECONDS": "1", "CONNECTIONS": str(MOST)}
PATIENCE_S = 15.0


@contextlib.contextmanager
def serving(**settings: str) -> Iterator[int]:
    """Run the server's main process with the small application; yields its port."""
    port = free_port()
    environment = {**os.environ, **{f"CONSENT_REGISTRY_{name}": value for name, value in settings.items()}}
    command = [sys.executable, "-m", "consent_registry.process.server", "tests.support.servers.edge_app:create_app"]
    process = subprocess.Popen([*command, "127.0.0.1", str(port), "1"], cwd=ROOT, env=environment)
    try:
        until(lambda: answers_now(port), PATIENCE_S)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with deadlines of a second and room for sixty connections."""
    with serving(**DEADLINES) as served:
        yield served


def answers_now(port: int) -> bool:
    """Whether a request is answered."""
    try:
        return exchange(port, request("GET", "/"), 5).status == 200
    except OSError:
        return False


def connect(port: int, *, window: int | None = None) -> socket.socket:
    """Open a connection, with a small receive window if the caller is to read nothing."""
    connection = socket.socket()
    if window is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.settimeout(PATIENCE_S)
    connection.connect(("127.0.0.1", port))
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed this connection; earlier data are read and dropped."""
    connection.settimeout(0)
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


PHASES = {
    "says nothing": b"",
    "stops within the head": b"GET / HTTP/1.1\r\nHo",
    "asks once and stays": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "stops within the body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    "stops within a chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "stops before the body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
}


@pytest.mark.parametrize("phase", PHASES)
def test_no_phase_of_a_request_lasts(port: int, phase: str) -> None:
    """A caller that stops in any phase of its request is cut off."""
    with connect(port) as connection:
        connection.sendall(PHASES[phase])
        until(lambda: is_closed(connection), PATIENCE_S)


@pytest.mark.parametrize(
    "beginning", [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n"]
)
def test_a_byte_now_and_then_buys_no_time(port: int, beginning: bytes) -> None:
    """The deadline is for the whole head and the whole body, not for the next byte."""
    with connect(port) as connection:
        connection.sendall(beginning)
        began_at = time.monotonic()
        while not is_closed(connection):
            assert time.monotonic() - began_at < PATIENCE_S
            with contextlib.suppress(OSError):
                connection.send(b"x")
            time.sleep(0.2)


def test_who_takes_nothing_of_its_answer_is_cut_off(port: int) -> None:
    """The kernel ends a connection whose caller reads nothing; a later read gets only a part of the answer."""
    with connect(port, window=4096) as connection:
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(6)
        received = 0
        with contextlib.suppress(OSError):
            while piece := connection.recv(1 << 20):
                received += len(piece)
        assert received < MUCH


def test_who_reads_slowly_gets_all_of_a_long_answer(port: int) -> None:
    """Control: a caller that reads slowly but steadily is not cut off, even after the deadline."""
    with connect(port, window=1 << 16) as connection:
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received, began_at = 0, time.monotonic()
        while piece := connection.recv(1 << 16):
            received += len(piece)
            if time.monotonic() - began_at < 3:
                time.sleep(0.1)
        assert received > MUCH


def test_beyond_the_bound_the_newest_is_closed_and_then_all_is_as_before(port: int) -> None:
    """Silent connections occupy a worker until their deadline at most, and further connections are closed meanwhile."""
    until(lambda: answers_now(port), PATIENCE_S)
    many = [connect(port) for _ in range(3 * MOST)]
    try:
        until(lambda: is_closed(many[-1]), PATIENCE_S)
        until(lambda: answers_now(port), PATIENCE_S)
        until(lambda: all(map(is_closed, many)), PATIENCE_S)
    finally:
        for connection in many:
            connection.close()


def test_with_the_deadline_of_before_they_stay() -> None:
    """Control: with long deadlines the same connections stay open for the same time."""
    long = {"HEAD_SECONDS": "600", "BODY_SECONDS": "600", "READER_SECONDS": "600", "CONNECTIONS": "500"}
    with serving(**long) as port, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in PHASES]
        for connection, sent in zip(connections, PHASES.values(), strict=True):
            connection.sendall(sent)
        time.sleep(3)
        assert [is_closed(connection) for connection in connections] == [False] * len(PHASES)


def test_a_limit_of_open_files_below_the_bound_is_refused() -> None:
    """A line names setting and limit; a limit that may be raised is raised, and a sufficient one is not changed."""
    limits, needed = ConnectionLimits(connections=3000), 3000 + 10 + OTHER_FILES
    raised: list[tuple[int, int]] = []
    for soft, hard in ((1024, needed), (1024, resource.RLIM_INFINITY), (needed, needed)):
        require_open_files(limits, (soft, hard), raised.append)
    assert raised == [(needed, needed), (needed, resource.RLIM_INFINITY)]
    with pytest.raises(UnsafeSetting, match=r"CONNECTIONS is 3000.* the limit is 3109: raise it"):
        require_open_files(limits, (1024, needed - 1), raised.append)


def test_limits_have_the_contracts_defaults() -> None:
    """The defaults are 20 s for a head, 30 s for a reader and more than 2,500 connections; each is a setting."""
    assert read_limits({}) == ConnectionLimits(head_seconds=20, reader_seconds=30, connections=3000, pool_size=10)
    assert read_limits({"CONSENT_REGISTRY_CONNECTIONS": "20000"}).connections == 20_000
    for name, value in {"HEAD_SECONDS": "0", "READER_SECONDS": "x", "CONNECTIONS": "9", "BODY_SECONDS": ""}.items():
        if name != "BODY_SECONDS":
            with pytest.raises(UnsafeSetting, match=name):
                read_limits({f"CONSENT_REGISTRY_{name}": value})
