"""The folder DATA of a demonstration, which one process locks and whose files are private and written atomically."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consent_registry.domain.errors import Unusable


class CannotServe(Unusable):
    """The verb cannot run; the message is one line for the operator."""


@contextmanager
def hold(data: Path) -> Iterator[None]:
    """Lock the folder `data` for this process. The kernel releases the lock when the process ends.

    Raises CannotServe if another process has the lock, or if the folder's name is not UTF-8.
    """
    try:
        os.fspath(data.resolve()).encode()
    except UnicodeEncodeError as error:
        raise CannotServe(f"{data} is not UTF-8, as addresses and JSON are: choose another DATA") from error
    data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    with (data / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip()
            raise CannotServe(f"{data} is in use by process {holder}: stop it or choose another DATA") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically: a reader sees the old or the new content."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.rename(path)
