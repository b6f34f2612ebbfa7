"""The supervisor: it starts the embedded PostgreSQL, the server and the sealer, restarts them, and ends them all.

Its main thread starts them, because the kernel ends them with the *thread* that started them (prctl(2), PDEATHSIG).
"""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

import msgspec
import structlog

from consent_registry.process.data_folder import CannotServe, write_private
from consent_registry.process.ports import answers
from consent_registry.process.postgres.cluster import Cluster, EmbeddedError
from consent_registry.process.postgres.processes import adopt_orphans, collect_orphans, die_with
from consent_registry.process.server import DRAIN_SECONDS
from consent_registry.process.server_log import configure_log
from consent_registry.process.server_start import Service, require_room, without_powerful_logins
from consent_registry.process.standard_streams import say, survive_without_output

SHORT_LIFE_SECONDS = 2.0
SEALER_DATABASE_URL = "CONSENT_REGISTRY_SEALER_DATABASE_URL"
SEALER_STOP_SECONDS = 5

_log = structlog.get_logger(__name__)

Preparation = Callable[[Cluster | None], Coroutine[None, None, Mapping[str, str]]]
"""Prepares the database and returns the environment of the server. Its argument is the embedded cluster or None."""


def supervise(
    service: Service,
    cluster: Cluster | None,
    before_serving: Preparation,
    *,
    record: Path | None = None,
    when_serving: Callable[[], None] = lambda: None,
    sealing: bool = False,
) -> None:
    """Run the server and, if given, `cluster` until SIGTERM, SIGINT or SIGHUP; then finish requests and stop all.

    `before_serving` runs once, after the cluster's start, and returns the environment of the server. `when_serving` is
    called when the port answers for the first time. While the cluster runs, the file `record` describes it. With
    `sealing` a sealer runs too, if the environment has SEALER_DATABASE_URL.

    Must be called from the main thread. Raises CannotServe or EmbeddedError if the start fails.
    """
    survive_without_output()
    require_room(service)
    adopt_orphans()
    _on_stop_signal(signal.default_int_handler)
    configure_log()
    processes = _Processes(service, cluster, record, sealing=sealing)
    try:
        processes.start_cluster()
        processes.environment = asyncio.run(before_serving(cluster))
        with _SignalWaiter() as signals:
            processes.watch(signals, when_serving)
    except KeyboardInterrupt:
        pass  # stopped before the port answered
    finally:
        _on_stop_signal(signal.SIG_IGN)  # a second signal must not leave a process running; every wait below is limited
        processes.stop()
        if processes.has_served:
            _log.info("stopped", **service.facts)


def _on_stop_signal(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP: keep that
            signal.signal(number, handler)


class _SignalWaiter:
    """Wakes the main thread when a signal arrives. `stop` is set by SIGTERM, SIGINT or SIGHUP."""

    def __init__(self) -> None:
        self.stop = False
        self._reader, self._writer = socket.socketpair()

    def __enter__(self) -> Self:
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # by default it is ignored and would not wake
        _on_stop_signal(self._request_stop)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float | None) -> None:
        """Sleep until a signal arrives, at most `seconds`."""
        if not self.stop:
            select.select([self._reader], [], [], seconds)
        with suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True


@dataclass(slots=True)
class _Processes:
    """The supervised processes, and everything needed to start them again."""

    service: Service
    cluster: Cluster | None
    record: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)
    sealing: bool = False
    _postgres: subprocess.Popen[bytes] | None = None
    _server: subprocess.Popen[bytes] | None = None
    _server_started: float = 0.0
    _short_lives: int = 0
    has_served: bool = False
    _sealer: subprocess.Popen[bytes] | None = None
    _sealer_started: float = float("-inf")

    def start_cluster(self) -> None:
        """Start PostgreSQL and write its record."""
        if self.record is not None:
            self.record.unlink(missing_ok=True)
        if self.cluster is None:
            return
        self._postgres = self.cluster.start()
        if self.record is not None:
            try:
                write_private(self.record, _description(self.cluster, self._postgres.pid))
            except OSError as error:  # a full disk must not end a server that works
                say(f"cannot write {self.record}: {error.strerror}")

    def watch(self, signals: _SignalWaiter, when_serving: Callable[[], None]) -> None:
        """Serve until the signals says stop; whichever ends is started again."""
        self._start_server()
        while not signals.stop:
            signals.wait(self._sealer_pause() if self.has_served else 0.05)
            collect_orphans(self._ours())
            if (code := _ended(self._postgres)) is not None and not signals.stop:
                self._restart_cluster(signals, code)
            if (code := _ended(self._server)) is not None and not signals.stop:
                self._restart_server(signals, code, reached=self.has_served)
            if not self.has_served and answers(self.service.host, self.service.port):
                self.has_served = True
                when_serving()
                _log.info("serving", **self.service.facts)
            if self.has_served and not signals.stop:
                self._keep_sealer()

    def stop(self) -> None:
        """Let requests in flight end, then stop PostgreSQL, which they need."""
        if self._server is not None:
            _end(self._server, DRAIN_SECONDS + 5)  # its workers end with it
        if self._sealer is not None:  # after the server, so that it can seal the last decisions
            _end(self._sealer, SEALER_STOP_SECONDS)
        if self.cluster is not None:
            self.cluster.stop()
        if self.record is not None:
            self.record.unlink(missing_ok=True)
        collect_orphans(())

    def _ours(self) -> tuple[int, ...]:
        running = (self._postgres, self._server, self._sealer)
        return tuple(process.pid for process in running if process is not None)

    def _start_server(self) -> None:
        self._server_started = time.monotonic()
        self._server = self._start(self.service.command)

    def _keep_sealer(self) -> None:
        """Start the sealer if it is wanted and does not run, at most every two seconds."""
        if (code := _ended(self._sealer)) is not None:
            say(f"the sealer ended ({_reason(code)}); starting it again")
            self._sealer = None
        wanted = self.sealing and SEALER_DATABASE_URL in self._full_environment()
        if wanted and self._sealer is None and not self._sealer_pause():
            self._sealer_started = time.monotonic()
            self._sealer = self._start([sys.executable, "-P", "-m", "consent_registry", "seal"])

    def _sealer_pause(self) -> float | None:
        """Seconds until an ended sealer may be started again; None if there is nothing to wait for."""
        if self._sealer is not None or self._sealer_started == float("-inf"):
            return None
        return max(0.0, self._sealer_started + SHORT_LIFE_SECONDS - time.monotonic()) or None

    def _full_environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.environment}

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=without_powerful_logins(self._full_environment()),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches only the supervisor, which lets the server drain
            preexec_fn=die_with(os.getpid(), signal.SIGKILL),  # noqa: PLW1509 (this process has no threads)
        )

    def _restart_server(self, signals: _SignalWaiter, code: int, *, reached: bool) -> None:
        if not reached and code >= 0:
            raise CannotServe("the server does not start: see the lines above")
        say(f"the server ended ({_reason(code)}); starting it again")
        self._short_lives = self._short_lives + 1 if time.monotonic() - self._server_started < SHORT_LIFE_SECONDS else 0
        if self._short_lives > 1:
            signals.wait(1)  # a server that ends at once must not keep a processor busy
        self._start_server()

    def _restart_cluster(self, signals: _SignalWaiter, code: int) -> None:
        say(f"PostgreSQL ended ({_reason(code)}); starting it again")
        while not signals.stop:
            try:
                self.start_cluster()
            except (EmbeddedError, OSError) as error:  # for instance a full disk, which may be temporary
                say(str(error))
                signals.wait(1)
            else:
                return


def _description(cluster: Cluster, postmaster: int) -> bytes:
    facts = {
        "pgdata": str(cluster.pgdata),
        "socket": str(cluster.socket),
        "superuser": "postgres",
        "database": "consent_registry",
        "postmaster_pid": postmaster,
    }
    return msgspec.json.format(msgspec.json.encode(facts)) + b"\n"


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Terminate a process, and kill it if it takes longer than `seconds`."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ended(process: subprocess.Popen[bytes] | None) -> int | None:
    return None if process is None else process.poll()


def _reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
