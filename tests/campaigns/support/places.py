"""Folders and ports of this machine for the time of a campaign, so that two at once never meet."""

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

PORTS = range(18200, 18300)


def free_port() -> int:
    """Return a port of `PORTS` that is the caller's until this process ends.

    It is claimed beyond a glance at who listens, because servers share a port, even with a stranger (SO_REUSEPORT).
    """
    for port in PORTS:
        claim = os.open(Path(tempfile.gettempdir()) / f"consent-registry-port-{port}", os.O_CREAT | os.O_RDWR, 0o666)
        with socket.socket() as probe, contextlib.suppress(OSError):
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
        os.close(claim)
    raise RuntimeError(f"no free port in {PORTS}")


def _scratch_parent() -> Path:
    place = os.environ.get("CAMPAIGN_SCRATCH", tempfile.gettempdir())
    parent = Path(place, f"consent-registry-campaigns-{os.getuid()}")
    parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    return parent


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Give an empty directory that PostgreSQL's own user can reach; it goes afterwards, unless CAMPAIGN_KEEP is set."""
    path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_scratch_parent()))
    path.chmod(0o755)
    try:
        yield path
    finally:
        if "CAMPAIGN_KEEP" not in os.environ:
            shutil.rmtree(path, ignore_errors=True)
