"""The server's main process: granian and its workers. `serve` becomes it; the demonstration's supervisor starts it."""

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import structlog
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from consent_registry.process.connections import BACKLOG, bind, close_excess_connections
from consent_registry.process.postgres.processes import die_with
from consent_registry.process.server_log import configure_log
from consent_registry.process.server_start import ANNOUNCED, Service
from consent_registry.settings import PREFIX, read_limits

DRAIN_SECONDS = 10
"""How long requests in flight may take to end after SIGTERM."""


_log = structlog.get_logger(__name__)

SHORT_LIFE_SECONDS = 1.0
SHORT_LIVES_IN_A_ROW = 5
PAUSE_SECONDS = 0.2


class _Server(MPServer):
    """A granian server that replaces killed workers without limit.

    Granian treats two ends within 5.5 s as a crash loop and stops every worker. Here only five workers in a row that
    end within a second are a crash loop.
    """

    _short_lives = 0

    def __init__(self, *arguments: Any, listener: socket.socket, **settings: Any) -> None:  # noqa: ANN401 - granian's
        super().__init__(*arguments, **settings)
        self._listener = listener

    def signal_handler_reload(self, *_: object) -> None:
        """End the server at SIGHUP, as at SIGTERM; granian would only replace its workers."""
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def startup(self, spawn_target: Callable[..., Any], target_loader: Callable[..., Any]) -> None:
        """Start as granian does, but keep ignoring SIGHUP if the server was started with nohup."""
        at_hangup = signal.getsignal(signal.SIGHUP)
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        if at_hangup == signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _init_shared_socket(self) -> None:
        """Make all workers accept from one socket. Granian would make one in each, without TCP_USER_TIMEOUT."""
        self._sso = None
        self._shd = SocketHolder(self._listener.fileno(), uds=False, backlog=BACKLOG)  # type: ignore[call-arg,assignment]

    def _respawn_workers(
        self, workers: list[int], spawn_target: Callable[..., Any], target_loader: Callable[..., Any], delay: float = 0
    ) -> None:
        lived = min(time.monotonic() - self.wrks[index].birth for index in workers)
        self._short_lives = self._short_lives + 1 if lived < SHORT_LIFE_SECONDS else 0
        if self._short_lives:
            time.sleep(PAUSE_SECONDS)
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        if self._short_lives < SHORT_LIVES_IN_A_ROW:
            self.respawned_wrks.clear()


def serve(service: Service, *, is_announced: bool) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP. Workers that end are replaced.

    With `is_announced` this process logs when it serves and when it has stopped; otherwise the supervisor does.
    """
    # Each worker counts its share of the quotas.
    os.environ[PREFIX + "WORKERS"] = str(service.workers)
    # Workers are forked from here. The application is imported once, so that a new worker starts quickly.
    import_module(service.target.partition(":")[0])
    limits = read_limits(os.environ)
    listener = bind(service.host, service.port, limits.reader_seconds)
    server = _Server(
        service.target,
        listener=listener,
        address=service.host,
        port=service.port,
        interface=Interfaces.ASGI,
        workers=service.workers,
        loop=Loops.uvloop,
        # HTTP/1 only: detecting HTTP/2 would wait for a first byte without a deadline.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=limits.head_seconds * 1000),
        websockets=False,
        backpressure=limits.connections,
        respawn_failed_workers=True,  # the default ends the whole server if a worker is killed
        respawn_interval=0.2,
        workers_kill_timeout=DRAIN_SECONDS,
        log_access=False,  # the application logs requests itself, without path and query
        log_level=LogLevels.warning,
    )
    if is_announced:
        configure_log()
        server.on_startup(partial(_log.info, "serving", **service.facts))
        server.on_shutdown(partial(_log.info, "stopped", **service.facts))
    loader = partial(_load, os.getpid(), service.target, listener, limits.connections)
    server.serve(target_loader=loader, wrap_loader=False)


def _load(parent: int, target: str, listener: socket.socket, connections: int) -> Callable[..., Any]:
    """Make the application, in the worker.

    The worker is killed when the main process ends. Otherwise it would keep the port and serve without supervision.
    SIGKILL is safe, because nothing is acknowledged before it is durable; a request that is cut has an unknown outcome.
    """
    die_with(parent, signal.SIGKILL)()
    # Ctrl-C must reach only the main process, which lets the workers finish their requests.
    os.setpgid(0, 0)
    close_excess_connections(listener, connections)
    module, _, factory = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), factory)()
    # Present objects stay, so the collector skips them. Batches of decisions make no cycles, but trigger collections.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return application


if __name__ == "__main__":
    target, host, port, workers = sys.argv[1:5]
    serve(Service(host, int(port), int(workers), target), is_announced=ANNOUNCED in sys.argv[5:])
