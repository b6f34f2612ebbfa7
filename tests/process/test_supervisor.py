"""The supervisor seen from outside: it restarts what ends, and after its own end no process remains."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from consent_registry.process.postgres.account import short_hash
from consent_registry.process.postgres.processes import find

ROOT = Path(__file__).resolve().parents[2]
FolderMaker = Callable[[str], Path]
WORKER_BACK_S = 2.0
SERVER_BACK_S = 10.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Whether a process runs; an ended one that was not reaped does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(truth: Callable[[], object], seconds: float) -> float:
    """Wait until `truth` holds and return how long that took."""
    began_at = time.monotonic()
    while not truth():
        assert time.monotonic() - began_at < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began_at


@dataclass
class Supervised:
    """A supervisor around the small application."""

    process: subprocess.Popen[str]
    data: Path
    port: int

    def ask(self, path: str = "/") -> dict[str, Any]:
        """Return the answer, or nothing when there is none."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        except httpx.TransportError:
            return {}
        return dict(answer.json()) if answer.status_code == 200 else {}

    def answered_by_another(self, kind: str, pid: int) -> bool:
        """Whether there is an answer and another process gave it."""
        return bool(self.ask().get(kind, pid) != pid)

    def cluster(self) -> dict[str, Any]:
        """Return the content of cluster.json."""
        return dict(json.loads((self.data / "cluster.json").read_bytes()))

    def postgres(self) -> list[int]:
        """Return the ids of PostgreSQL's processes."""
        return find(f"consent-registry-{short_hash(self.data.resolve() / 'postgres')}")

    def family(self) -> list[int]:
        """Return every process that must end."""
        now = self.ask()
        return [self.process.pid, now["server"], now["worker"], *self.postgres()]


def launch(data: Path, port: int, workers: int = 1, factory: str = "create_app") -> "subprocess.Popen[str]":
    """Start the supervisor as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.servers.small_service", str(data), str(port), str(workers), factory],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run under nohup ignore SIGHUP, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - no thread has begun
    )


@contextlib.contextmanager
def supervised(data: Path, workers: int = 1) -> Iterator[Supervised]:
    """Run the supervisor during a block."""
    port = free_port()
    with launch(data, port, workers) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "serving\n", process.communicate()
            yield Supervised(process, data, port)
        finally:
            process.terminate()


def test_a_killed_worker_is_back_within_two_seconds(fast_folder: FolderMaker) -> None:
    """A killed worker is replaced within two seconds, three times in a row, by the same server process with the same
    environment.
    """
    with supervised(fast_folder("worker")) as small:
        server = small.ask()["server"]
        for _ in range(3):
            killed = small.ask()["worker"]
            os.kill(killed, signal.SIGKILL)
            until(partial(small.answered_by_another, "worker", killed), WORKER_BACK_S)
            time.sleep(0.3)
        assert small.ask()["server"] == server
        assert small.ask()["mark"] == "from the preparation"


def test_a_killed_server_is_back_and_its_workers_are_gone(fast_folder: FolderMaker) -> None:
    """After the main process is killed, its workers end and a new server starts."""
    with supervised(fast_folder("server"), workers=2) as small:
        before = small.ask()
        os.kill(before["server"], signal.SIGKILL)
        until(partial(small.answered_by_another, "server", before["server"]), SERVER_BACK_S)
        assert not alive(before["worker"])


@pytest.mark.parametrize("whole_tree", [False, True])
def test_a_killed_postgresql_is_back(fast_folder: FolderMaker, *, whole_tree: bool) -> None:
    """After a kill the database answers again within ten seconds, and cluster.json has the new process."""
    with supervised(fast_folder("postgres")) as small:
        first = small.cluster()
        assert small.ask("/database")["one"] == 1
        for pid in small.postgres() if whole_tree else [first["postmaster_pid"]]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: small.ask("/database"), SERVER_BACK_S)
        # The database may answer a moment before the supervisor has written down which one it is.
        until((small.data / "cluster.json").exists, SERVER_BACK_S)
        second = small.cluster()
        assert second["postmaster_pid"] != first["postmaster_pid"]
        assert {**first, "postmaster_pid": 0} == {**second, "postmaster_pid": 0}


def test_sigterm_lets_requests_end_and_leaves_nothing(fast_folder: FolderMaker) -> None:
    """SIGTERM lets a request in flight finish, ends with exit code 0, and leaves no process and no cluster.json."""
    with supervised(fast_folder("stop")) as small, concurrent.futures.ThreadPoolExecutor() as pool:
        assert (small.data / "cluster.json").stat().st_mode & 0o777 == 0o600
        family = small.family()
        slow = pool.submit(small.ask, "/slow")
        time.sleep(0.3)
        small.process.terminate()
        assert slow.result()["mark"]
        assert small.process.wait(15) == 0
        assert not [pid for pid in family if alive(pid)]
        assert not (small.data / "cluster.json").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_other_ways_to_stop_it(fast_folder: FolderMaker, how: signal.Signals) -> None:
    """Ctrl-C and a closed terminal stop it in the same orderly way."""
    with supervised(fast_folder("stop")) as small:
        family = small.family()
        small.process.send_signal(how)
        assert small.process.wait(15) == 0
        assert not [pid for pid in family if alive(pid)]


def test_a_killed_supervisor_takes_everything_with_it(fast_folder: FolderMaker) -> None:
    """If the supervisor is killed, the kernel ends its processes, and the next start succeeds."""
    data = fast_folder("supervisor")
    with supervised(data, workers=2) as small:
        family = small.family()
        small.process.kill()
        until(lambda: not [pid for pid in family if alive(pid)], 5)
    with supervised(data) as small:
        assert small.ask("/database")["one"] == 1


def test_a_second_start_is_refused_with_one_line(fast_folder: FolderMaker) -> None:
    """A second start on the same data or the same port is refused with one line, and the first continues."""
    with supervised(fast_folder("second")) as small:
        for data, port, reason in (
            (small.data, free_port(), f"in use by process {small.process.pid}"),
            (fast_folder("other"), small.port, f"cannot serve on 127.0.0.1:{small.port}"),
        ):
            with launch(data, port) as second:
                _, said = second.communicate(timeout=30)
            assert second.returncode == 1
            assert reason in said
            assert len(said.splitlines()) == 1
        assert small.ask("/database")["one"] == 1


def test_an_application_that_cannot_start_ends_it(fast_folder: FolderMaker) -> None:
    """An application that cannot start ends the supervisor with its reason, one line and exit code 1, and no process
    remains.
    """
    data = fast_folder("broken")
    with launch(data, free_port(), factory="create_broken_app") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a setting is wrong" in said
    assert said.splitlines()[-1] == "the server does not start: see the lines above"
    assert find(f"consent-registry-{short_hash(data.resolve() / 'postgres')}") == []
