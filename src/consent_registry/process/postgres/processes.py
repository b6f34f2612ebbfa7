"""The processes of an embedded server seen from outside: tied to ours, found again when we were killed."""

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

LEAVE_SECONDS = 10.0
POLL_SECONDS = 0.02


def die_with(parent: int, how: signal.Signals) -> Callable[[], None]:
    """Return what a child runs before exec so that it gets `how` when the parent's *thread* that made it ends.

    To be called after the change of user, which clears the setting (prctl(2)); Popen does it in that order. Elsewhere
    than on Linux it does nothing.
    """

    def ask_the_kernel() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(how))
            if os.getppid() != parent:  # it ended before we asked
                os.kill(os.getpid(), signal.SIGKILL)

    return ask_the_kernel


def adopt_orphans() -> None:
    """From now on processes whose parent was killed become children of ours: not every container has an init."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def collect_orphans(ours: Collection[int]) -> None:
    """Collect ended children that are not among `ours`, whose ends their owners want to learn themselves."""
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)


def find(cluster: str) -> list[int]:
    """Return the ids of the server processes of the cluster with this `cluster_name`, the oldest first.

    PostgreSQL writes the name into the title of each of its processes, and titles are readable where the working
    directory of another user's process is not (a container without SYS_PTRACE).
    """
    wanted = cluster.encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*") if _LINUX else ():
        with suppress(OSError):
            # A zombie has an empty command line: it is over, only nobody collected it.
            if (entry / "comm").read_bytes().strip() == b"postgres" and wanted in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def end_leftovers(cluster: str) -> None:
    """End what is left of the cluster's server when its supervisor was killed; the caller holds the cluster's lock.

    A postmaster without its parent is shutting down already and is given time. Backends without a postmaster are
    worthless: what they had committed is in the write-ahead log.
    """
    for how, seconds in ((signal.SIGINT, LEAVE_SECONDS), (signal.SIGKILL, LEAVE_SECONDS)):
        left = find(cluster)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if _postmaster_is_gone(pid, left) else how)
        deadline = time.monotonic() + seconds
        while find(cluster) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _postmaster_is_gone(pid: int, family: list[int]) -> bool:
    """Tell whether `pid` is a backend whose postmaster is not in the family any more."""
    with suppress(OSError):
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
        if not title.startswith(b"postgres: "):
            return False  # the postmaster itself: it keeps the command line it was started with
        parent = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        return int(parent) not in family
    return False
