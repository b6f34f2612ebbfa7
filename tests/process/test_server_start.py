"""A server in production from outside: the verb becomes it, and every way to stop it lets requests end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process.test_supervisor import ROOT, alive, free_port, until

ERASER_URL = "CONSENT_REGISTRY_ERASER_DATABASE_URL"


@dataclass
class Serving:
    """A server of the small application, and what it is asked."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, path: str = "/") -> dict[str, Any]:
        """The answer, or nothing when there is none."""
        try:
            return dict(httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5).json())
        except httpx.TransportError:
            return {}


def launch(port: int, factory: str = "create_app", at_hangup: signal.Handlers = signal.SIG_DFL) -> Any:  # noqa: ANN401
    """Start it as a process in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.servers.small_production", str(port), "1", factory],
        cwd=ROOT,
        env={**os.environ, ERASER_URL: "postgresql://eraser@nowhere/"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, at_hangup),  # noqa: PLW1509 - no thread has begun
    )


@contextlib.contextmanager
def serving(at_hangup: signal.Handlers = signal.SIG_DFL) -> Iterator[Serving]:
    """Run it for the length of a block."""
    with launch(port := free_port(), at_hangup=at_hangup) as process:
        running = Serving(process, port)
        try:
            until(running.ask, 20)
            yield running
        finally:
            process.kill()


def test_the_verb_becomes_the_server() -> None:
    """The process that was started is the server: no other one stands between the init system and it. It has what the
    check returned, and no login that may erase.
    """
    with serving() as running:
        answer = running.ask()
        assert answer["server"] == running.process.pid
        assert answer["mark"] == "from the check"
        assert "consent_registry.process.server" in Path(f"/proc/{running.process.pid}/cmdline").read_text()
        assert ERASER_URL not in Path(f"/proc/{running.process.pid}/environ").read_text()
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
        assert answer["worker"] in map(int, children)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_way_to_stop_it_lets_requests_end(how: signal.Signals) -> None:
    """SIGTERM to the server, and Ctrl-C or a closed terminal to its whole group: a request in flight is answered, the
    exit code is 0, no process is left, and the log says when it served and when it stopped.
    """
    with serving() as running, socket.create_connection(("127.0.0.1", running.port), 10) as slow:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        # Connections are accepted in their order: when this one is answered, the slow request has begun.
        worker = running.ask()["worker"]
        if how == signal.SIGTERM:
            running.process.send_signal(how)
        else:
            os.killpg(running.process.pid, how)
        assert b"from the check" in b"".join(iter(partial(slow.recv, 4096), b""))
        assert running.process.wait(15) == 0
        assert not alive(worker)
        assert running.process.stdout is not None
        lines = running.process.stdout.read().splitlines()
    assert ["serving" in lines[0], "stopped" in lines[-1]] == [True, True], lines


def test_a_server_under_nohup_outlives_its_terminal() -> None:
    """SIGHUP is ignored where it was ignored at the start."""
    with serving(at_hangup=signal.SIG_IGN) as running:
        running.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert running.ask()["mark"]


def test_a_killed_worker_is_replaced_and_a_killed_server_takes_its_workers_along() -> None:
    """The server starts a worker in the place of a killed one; when it is killed itself, the port is free at once."""
    with serving() as running:
        worker = running.ask()["worker"]
        os.kill(worker, signal.SIGKILL)
        until(lambda: running.ask().get("worker", worker) != worker, 5)
        worker = running.ask()["worker"]
        running.process.kill()
        until(lambda: not alive(worker), 5)


def test_what_the_check_refuses_is_never_served() -> None:
    """One line and exit code 1; a taken port and a broken application also end it."""
    with launch(free_port(), "refused") as refused:
        assert (refused.communicate(timeout=30)[0], refused.returncode) == ("the check refuses\n", 1)
    with serving() as running, launch(running.port) as second:
        said, _ = second.communicate(timeout=30)
        assert (f"cannot serve on 127.0.0.1:{running.port}" in said, said.count("\n"), second.returncode) == (
            True,
            1,
            1,
        )
        assert running.ask()["mark"]
    with launch(free_port(), "create_broken_app") as broken:
        assert "a setting is wrong" in broken.communicate(timeout=60)[0]
        assert broken.returncode == 1
