"""The supervisor: owns the embedded PostgreSQL, the server and the sealer, restarts each, and leaves nothing behind.

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
from consent_registry.process.served import Service, require_room, without_powerful_logins
from consent_registry.process.server import DRAIN_SECONDS
from consent_registry.process.server_log import configure_log
from consent_registry.process.standard_streams import say, survive_without_output

SHORT_LIFE_SECONDS = 2.0
SEALER_DATABASE_URL = "CONSENT_REGISTRY_SEALER_DATABASE_URL"
SEALER_STOP_SECONDS = 5

_log = structlog.get_logger(__name__)

Preparation = Callable[[Cluster | None], Coroutine[None, None, Mapping[str, str]]]
"""Makes the database ready and returns the environment of the server; gets the embedded cluster, if there is one."""


def supervise(
    service: Service,
    cluster: Cluster | None,
    before_serving: Preparation,
    *,
    record: Path | None = None,
    when_serving: Callable[[], None] = lambda: None,
    sealing: bool = False,
) -> None:
    """Run `cluster` (if any) and the server until SIGTERM, SIGINT or SIGHUP, then let requests end and stop all.

    With `sealing` a sealer runs beside them, if the environment says where its database is.

    `before_serving` runs once, with the cluster up, and returns the environment of the server; `when_serving` is called
    when the port answers for the first time. `record` is where the cluster's whereabouts are written while it runs.
    Must be called from the main thread. Raises CannotServe or EmbeddedError when it cannot come up.
    """
    survive_without_output()
    require_room(service)
    adopt_orphans()
    _on_stop_signal(signal.default_int_handler)
    configure_log()
    keeper = _Keeper(service, cluster, record, sealing=sealing)
    try:
        keeper.start_cluster()
        keeper.environment = asyncio.run(before_serving(cluster))
        with _Bell() as bell:
            keeper.watch(bell, when_serving)
    except KeyboardInterrupt:
        pass  # asked to stop before it served
    finally:
        _on_stop_signal(signal.SIG_IGN)  # impatience must not leave a process behind; every wait below has an end
        keeper.stop()
        if keeper.has_served:
            _log.info("stopped", **service.facts)


def _on_stop_signal(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup asked to outlive the terminal
            signal.signal(number, handler)


class _Bell:
    """Wakes the main thread when a signal arrives and remembers whether it asked us to stop."""

    def __init__(self) -> None:
        self.stop = False
        self._ear, self._hammer = socket.socketpair()

    def __enter__(self) -> Self:
        self._ear.settimeout(0)
        self._hammer.settimeout(0)
        signal.set_wakeup_fd(self._hammer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # ignored by default: it would not wake us
        _on_stop_signal(self._ring)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._ear.close()
        self._hammer.close()

    def wait(self, seconds: float | None) -> None:
        """Sleep until a signal arrives, at most `seconds`."""
        if not self.stop:
            select.select([self._ear], [], [], seconds)
        with suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True


@dataclass(slots=True)
class _Keeper:
    """The processes and what is needed to start them again."""

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
        """Start PostgreSQL and write down where it is."""
        if self.record is not None:
            self.record.unlink(missing_ok=True)
        if self.cluster is None:
            return
        self._postgres = self.cluster.start()
        if self.record is not None:
            try:
                write_private(self.record, _whereabouts(self.cluster, self._postgres.pid))
            except OSError as error:  # a full disk must not end a server that could go on
                say(f"cannot write {self.record}: {error.strerror}")

    def watch(self, bell: _Bell, when_serving: Callable[[], None]) -> None:
        """Serve until the bell says stop; whichever ends is started again."""
        self._start_server()
        while not bell.stop:
            bell.wait(self._sealer_rests() if self.has_served else 0.05)
            collect_orphans(self._ours())
            if (code := _ended(self._postgres)) is not None and not bell.stop:
                self._restart_cluster(bell, code)
            if (code := _ended(self._server)) is not None and not bell.stop:
                self._restart_server(bell, code, reached=self.has_served)
            if not self.has_served and answers(self.service.host, self.service.port):
                self.has_served = True
                when_serving()
                _log.info("serving", **self.service.facts)
            if self.has_served and not bell.stop:
                self._keep_sealer()

    def stop(self) -> None:
        """Let the requests in flight end, then stop PostgreSQL, which they need until the last moment."""
        if self._server is not None:
            _end(self._server, DRAIN_SECONDS + 5)  # its workers die with it
        if self._sealer is not None:  # last, so that it can seal what was decided last
            _end(self._sealer, SEALER_STOP_SECONDS)
        if self.cluster is not None:
            self.cluster.stop()
        if self.record is not None:
            self.record.unlink(missing_ok=True)
        collect_orphans(())

    def _ours(self) -> tuple[int, ...]:
        return tuple(one.pid for one in (self._postgres, self._server, self._sealer) if one is not None)

    def _start_server(self) -> None:
        self._server_started = time.monotonic()
        self._server = self._start(self.service.command)

    def _keep_sealer(self) -> None:
        """Start the sealer, if there is to be one and it does not run, not more often than every two seconds."""
        if (code := _ended(self._sealer)) is not None:
            say(f"the sealer ended ({_reason(code)}); starting it again")
            self._sealer = None
        wanted = self.sealing and SEALER_DATABASE_URL in self._full_environment()
        if wanted and self._sealer is None and not self._sealer_rests():
            self._sealer_started = time.monotonic()
            self._sealer = self._start([sys.executable, "-P", "-m", "consent_registry", "seal"])

    def _sealer_rests(self) -> float | None:
        """For how many seconds the sealer that ended is not started again; None when nothing is to be waited for."""
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
            start_new_session=True,  # Ctrl-C reaches us alone; we let it drain
            preexec_fn=die_with(os.getpid(), signal.SIGKILL),  # noqa: PLW1509 (this process has no threads)
        )

    def _restart_server(self, bell: _Bell, code: int, *, reached: bool) -> None:
        if not reached and code >= 0:
            raise CannotServe("the server does not start: see the lines above")
        say(f"the server ended ({_reason(code)}); starting it again")
        self._short_lives = self._short_lives + 1 if time.monotonic() - self._server_started < SHORT_LIFE_SECONDS else 0
        if self._short_lives > 1:
            bell.wait(1)  # a server that ends at once must not keep a processor busy
        self._start_server()

    def _restart_cluster(self, bell: _Bell, code: int) -> None:
        say(f"PostgreSQL ended ({_reason(code)}); starting it again")
        while not bell.stop:
            try:
                self.start_cluster()
            except (EmbeddedError, OSError) as error:  # a full disk, for instance: it may be over in a moment
                say(str(error))
                bell.wait(1)
            else:
                return


def _whereabouts(cluster: Cluster, postmaster: int) -> bytes:
    facts = {
        "pgdata": str(cluster.pgdata),
        "socket": str(cluster.socket),
        "superuser": "postgres",
        "database": "consent_registry",
        "postmaster_pid": postmaster,
    }
    return msgspec.json.format(msgspec.json.encode(facts)) + b"\n"


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask a process to end, and make it end when it takes longer than this."""
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
