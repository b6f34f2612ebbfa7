"""Controls the processes of an embedded PostgreSQL: they end with this process, or are found and ended later."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None

END_SECONDS = 10.0
POLL_SECONDS = 0.02


def die_with(parent: int, how: signal.Signals) -> Callable[[], None]:
    """Return a function that Popen runs in the child, so that the child gets the signal `how` when its parent ends.
    "Parent" is the thread that started the child.

    It must run after the change of user, which clears the setting (prctl(2)); Popen uses this order. It works only on
    Linux and does nothing on other systems.
    """

    def ask_the_kernel() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(how))
            if os.getppid() != parent:  # the parent ended before the call
                os.kill(os.getpid(), signal.SIGKILL)

    return ask_the_kernel


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants, because not every container has an init."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def collect_orphans(ours: Collection[int]) -> None:
    """Reap ended children except those in `ours`, whose exit codes are read elsewhere."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)


def find(cluster: str) -> list[int]:
    """Return the ids of the server processes of the cluster with this `cluster_name`, the oldest first.

    PostgreSQL writes the name into each process's title. Titles of other users' processes are readable even in a
    container without SYS_PTRACE, unlike their working directories.
    """
    wanted = cluster.encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*") if _LINUX else ():
        with suppress(OSError):
            # A zombie has an empty command line: it has ended and was not reaped.
            if (entry / "comm").read_bytes().strip() == b"postgres" and wanted in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def end_leftovers(cluster: str) -> None:
    """End the remaining processes of the cluster's server after its supervisor was killed. The caller has the lock.

    A postmaster without its parent is shutting down already and gets time. Backends without a postmaster are killed at
    once: what they committed is in the write-ahead log.
    """
    for how, seconds in ((signal.SIGINT, END_SECONDS), (signal.SIGKILL, END_SECONDS)):
        left = find(cluster)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if _postmaster_is_gone(pid, left) else how)
        deadline = time.monotonic() + seconds
        while find(cluster) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _postmaster_is_gone(pid: int, family: list[int]) -> bool:
    """Whether `pid` is a backend whose postmaster is no longer in `family`."""
    with suppress(OSError):
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
        if not title.startswith(b"postgres: "):
            return False  # the postmaster itself, which keeps its original command line
        parent = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        return int(parent) not in family
    return False
