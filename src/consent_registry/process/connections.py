"""Connections of the server: the socket it listens on, how many there may be, and what becomes of those beyond.

The server library closes a connection whose head does not come in time, and accepts no more than a bound. The rest is
here, with what the kernel offers: a reader that takes nothing is cut off (TCP_USER_TIMEOUT), a connection beyond the
bound is closed instead of waiting in the kernel's queue, and a limit of open files below the bound is refused.
"""

import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from consent_registry.settings import PREFIX, Limits, UnsafeSetting

BACKLOG = 1024
LOOK_SECONDS = 0.1
OPEN_FILES = Path("/proc/self/fd")
# Of a worker beside connections of callers and of the database: standard streams, sockets of its loop, key files.
OTHER_FILES = 100


def require_open_files(limits: Limits, found: tuple[int, int], raise_to: Callable[[tuple[int, int]], None]) -> None:
    """Raise this process's limit of open files, found soft and hard, to a worker's need; raises UnsafeSetting where
    that is forbidden.
    """
    needed = limits.connections + limits.pool_size + OTHER_FILES
    soft, hard = found
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UnsafeSetting(
            f"{needed} files may be open in a worker ({PREFIX}CONNECTIONS is {limits.connections}) and the limit is "
            f"{hard}: raise it (LimitNOFILE of the unit, ulimit -n), or set fewer connections"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise_to((needed, hard))


def bind(host: str, port: int, reader_seconds: int) -> socket.socket:
    """A socket for the server's workers to listen on, which they do once they can answer. Connections accepted from it
    inherit that data nobody takes for so long ends them.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # a server's successor starts before it is gone
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, reader_seconds * 1000)
    listener.settimeout(0)
    listener.bind(address)
    listener.set_inheritable(True)
    return listener


def close_those_beyond(listener: socket.socket, most: int) -> None:
    """From now on, in a thread: while this process has its `most` connections, close what comes beside them."""
    threading.Thread(target=_keep_closing, args=(listener, most), name="connections", daemon=True).start()


def _keep_closing(listener: socket.socket, most: int) -> None:
    """A connection that waits at two looks in a row was left there by a server library that is at its bound."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    waited = False
    while True:
        time.sleep(LOOK_SECONDS)
        waits = any(event & select.POLLIN for _, event in poll.poll(0))
        if waits and waited and sum(1 for _ in OPEN_FILES.iterdir()) >= most:
            _close_waiting(listener)
        waited = waits


def _close_waiting(listener: socket.socket) -> None:
    try:
        while True:
            listener.accept()[0].close()
    except OSError:  # none is left, or another worker took it
        return
