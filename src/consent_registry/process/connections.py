"""The server's listening socket and its limits on connections.

The server library closes a connection whose head comes too late, and accepts connections up to a limit. This module
does the rest: the kernel ends a connection whose reader takes no data (TCP_USER_TIMEOUT), a connection beyond the limit
is closed instead of waiting in the kernel's queue, and too low a limit of open files is refused.
"""

import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from consent_registry.settings import PREFIX, ConnectionLimits, UnsafeSetting

BACKLOG = 1024
LOOK_SECONDS = 0.1
OPEN_FILES = Path("/proc/self/fd")
# A worker's open files besides its connections: standard streams, sockets of its event loop, key files.
OTHER_FILES = 100


def require_open_files(
    limits: ConnectionLimits, found: tuple[int, int], raise_to: Callable[[tuple[int, int]], None]
) -> None:
    """Raise the limit of open files of this process to what a worker needs; `found` are the present limits (soft,
    hard).

    Raises UnsafeSetting if that is forbidden.
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
    """A bound socket on which the server's workers listen when they are ready.

    Its connections end when their reader takes no data for `reader_seconds`.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # a new server may start before the old one ends
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, reader_seconds * 1000)
    listener.settimeout(0)
    listener.bind(address)
    listener.set_inheritable(True)
    return listener


def close_excess_connections(listener: socket.socket, most: int) -> None:
    """Start a thread that closes new connections while this process has `most` connections."""
    threading.Thread(target=_keep_closing, args=(listener, most), name="connections", daemon=True).start()


def _keep_closing(listener: socket.socket, most: int) -> None:
    """Close waiting connections. If one waits in two checks in a row, the server library has reached its limit."""
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
    except OSError:  # no connection waits any more, or another worker accepted it
        return
