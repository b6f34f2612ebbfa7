"""The server's main process: granian with its workers. The supervisor runs this module."""

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

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from consent_registry.process.connections import BACKLOG, bind, close_those_beyond
from consent_registry.process.postgres.processes import die_with
from consent_registry.settings import PREFIX, read_limits

DRAIN_SECONDS = 10
"""How long requests in flight may take to end after SIGTERM."""


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


def serve(target: str, host: str, port: int, workers: int) -> None:
    """Serve the ASGI factory `target` ("module:function") until SIGTERM or SIGINT; workers that end are replaced."""
    # Each worker counts its share of the quotas.
    os.environ[PREFIX + "WORKERS"] = str(workers)
    # Workers are forked from here: with the application imported once, a killed worker is back at once.
    import_module(target.partition(":")[0])
    limits = read_limits(os.environ)
    listener = bind(host, port, limits.reader_seconds)
    _Server(
        target,
        listener=listener,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
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
    ).serve(target_loader=partial(_load, os.getpid(), target, listener, limits.connections), wrap_loader=False)


def _load(parent: int, target: str, listener: socket.socket, connections: int) -> Callable[..., Any]:
    """Make the application, in the worker.

    The worker dies with the main process: otherwise it would hold the port and serve on, watched by nobody. SIGKILL is
    safe here because nothing is acknowledged before it is durable; a request that is cut has an unknown outcome.
    """
    die_with(parent, signal.SIGKILL)()
    close_those_beyond(listener, connections)
    module, _, factory = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), factory)()
    # What is there now stays: without this every batch of decisions, which makes no cycles, has it all searched again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return application


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
