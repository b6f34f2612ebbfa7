"""The server's main process: granian with its workers. `serve` becomes it, the demonstration's supervisor starts it."""

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

from consent_registry.process.connections import BACKLOG, bind, close_those_beyond
from consent_registry.process.postgres.processes import die_with
from consent_registry.process.served import Service
from consent_registry.process.server_log import configure_log
from consent_registry.settings import PREFIX, read_limits

ANNOUNCED = "announced"
"""The argument after the service's own by which the server's log says that it serves, and that it has stopped."""

DRAIN_SECONDS = 10
"""How long requests in flight may take to end after SIGTERM."""


_log = structlog.get_logger(__name__)

SHORT_LIFE_SECONDS = 1.0
SHORT_LIVES_IN_A_ROW = 5
PAUSE_SECONDS = 0.2


class _Server(MPServer):
    """Replaces a killed worker as often as it is killed.

    Granian takes two ends within 5.5 s for a crash loop and stops every worker, draining the healthy ones first. Here
    only workers that end at once, several in a row, are one.
    """

    _short_lives = 0

    def __init__(self, *arguments: Any, listener: socket.socket, **settings: Any) -> None:  # noqa: ANN401 - granian's
        super().__init__(*arguments, **settings)
        self._listener = listener

    def signal_handler_reload(self, *_: object) -> None:
        """SIGHUP ends the server like SIGTERM, as its terminal's end does; granian would only replace its workers."""
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def startup(self, spawn_target: Callable[..., Any], target_loader: Callable[..., Any]) -> None:
        """Begin as granian does; a server that was started to outlive its terminal (nohup) goes on ignoring SIGHUP."""
        at_hangup = signal.getsignal(signal.SIGHUP)
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        if at_hangup == signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _init_shared_socket(self) -> None:
        """Let every worker accept from our socket; granian would make one in each, without the kernel's deadline."""
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
    """Serve until SIGTERM, SIGINT or SIGHUP; workers that end are replaced. `is_announced`: the log says when it serves
    and when it has stopped; else the supervisor says so.
    """
    # Each worker counts its share of the quotas.
    os.environ[PREFIX + "WORKERS"] = str(service.workers)
    # Workers are forked from here: with the application imported once, a killed worker is back at once.
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
        # No detection of HTTP/2, which would wait for a first byte without a deadline.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=limits.head_seconds * 1000),
        websockets=False,
        backpressure=limits.connections,
        respawn_failed_workers=True,  # the default ends the whole server when one worker was killed
        respawn_interval=0.2,
        workers_kill_timeout=DRAIN_SECONDS,
        log_access=False,  # the application logs requests itself, without what a path or query may hold
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

    The worker dies with the main process: otherwise it would hold the port and serve on, watched by nobody. SIGKILL is
    safe here because nothing is acknowledged before it is durable; a request that is cut has an unknown outcome.
    """
    die_with(parent, signal.SIGKILL)()
    # Ctrl-C at a terminal is for the main process alone, which lets the workers end their requests.
    os.setpgid(0, 0)
    close_those_beyond(listener, connections)
    module, _, factory = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), factory)()
    # What is there now stays: without this every batch of decisions, which makes no cycles, has it all searched again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return application


if __name__ == "__main__":
    target, host, port, workers = sys.argv[1:5]
    serve(Service(host, int(port), int(workers), target), is_announced=ANNOUNCED in sys.argv[5:])
