"""The signer's memory, outside the database: the last head it has signed, or is about to sign, for each log.

One file a network, with the three lines of an unsigned checkpoint (C2SP tlog-checkpoint: origin, size, root). It is on
the disk before anything is signed, so that a database which was put back, cut short or rewritten meets a signer that
knows better. Keep it on a local disk of the signer's machine, never among the database's files or in its backup.
"""

import base64
import binascii
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from consent_registry.domain.errors import Conflict, Unusable

_LOCK = "lock"
_SUFFIX = ".head"


class Head(msgspec.Struct, frozen=True):
    """A log at one size: number of leaves and root (32 bytes)."""

    size: int
    root: bytes


class HeadMoved(Conflict):
    """Another sealer has signed this log since."""


class SignedHeads:
    """The heads in one folder, which must be there. Several processes of one machine may share it."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise Unusable(f"the sealer's folder {folder} is not there: make it, on a disk of the sealer's own machine")
        self._folder = folder

    def read(self, slug: str, origin: str) -> Head | None:
        """The last head, or None when this log was never signed; raises Unusable for a file that is not one."""
        path = self._folder / f"{slug}{_SUFFIX}"
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return None
        try:
            said, size, root, end = lines
            head = Head(int(size), base64.b64decode(root, validate=True))
        except (ValueError, binascii.Error) as error:
            raise Unusable(f"{path} is not a signed head: restore it, or adopt a checkpoint you trust") from error
        if said != origin or end or len(head.root) != 32 or head.size < 0:  # noqa: PLR2004 - SHA-256
            raise Unusable(f"{path} is not a signed head of {origin}")
        return head

    def advance(self, slug: str, origin: str, old: Head | None, new: Head) -> None:
        """Compare and swap: `new` is on the disk when this returns. Raises HeadMoved unless the head was `old`."""
        with self._locked():
            if self.read(slug, origin) != old:
                raise HeadMoved
            self._write(slug, f"{origin}\n{new.size}\n{base64.b64encode(new.root).decode()}\n".encode())

    def _write(self, slug: str, content: bytes) -> None:
        draft = self._folder / f"{slug}.new"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / f"{slug}{_SUFFIX}")
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # the name too
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given free when the file is closed, also by a kill
            yield
