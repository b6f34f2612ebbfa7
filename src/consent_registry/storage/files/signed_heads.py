"""The signer's record, outside the database, of the last head that it signed or is about to sign for each log.

Each head is a file `<network>.<number>.head` with the three lines of an unsigned checkpoint (C2SP tlog-checkpoint:
origin, size, root); the highest number counts. The file is on disk before the signature. So a database that was
restored, truncated or rewritten cannot make the signer sign a second history. Keep the folder on a local disk of the
signer's machine, never with the database's files or in its backup.

`advance` compares and swaps without a lock, because a stopped process that held a lock would block all others. The next
number is taken by link(2), which fails if the name exists. A name can also be free because its file was deleted long
ago. Then a higher number exists, which is never deleted, and the process that sees it has lost.
"""

import base64
import binascii
import os
import re
from pathlib import Path

import msgspec

from consent_registry.domain.errors import CannotRecord, Conflict, Unusable

# Earlier heads to keep, for an operator who investigates.
KEPT = 3


class SignedHead(msgspec.Struct, frozen=True):
    """The head of a log: number of leaves and root (32 bytes)."""

    size: int
    root: bytes


class HeadMoved(Conflict):
    """Another sealer has signed this log since."""


class HeadNotKept(CannotRecord):
    """The signer's own disk took no new head. Nothing is signed without it."""


class SignedHeads:
    """The heads in one existing folder, which several processes of one machine may share."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise Unusable(f"the sealer's folder {folder} is not there: make it, on a disk of the sealer's own machine")
        self._folder = self.folder = folder

    def read(self, slug: str, origin: str) -> SignedHead | None:
        """The last head of a log, or None if it was never signed. Raises Unusable for a file that is no head."""
        numbers = self._numbers(slug)
        while numbers:
            try:
                return _parse(self._path(slug, numbers[-1]), origin)
            except FileNotFoundError:  # another process added newer heads and deleted this file
                numbers = self._numbers(slug)
        return None

    def advance(self, slug: str, origin: str, old: SignedHead | None, new: SignedHead) -> None:
        """Replace the head `old` by `new` (compare and swap); `new` is on disk when this returns. Raises HeadMoved
        unless the head was `old`, and HeadNotKept, with the head unchanged, if the disk does not accept it.
        """
        numbers = self._numbers(slug)
        if self.read(slug, origin) != old or self._numbers(slug) != numbers:
            raise HeadMoved
        number = numbers[-1] + 1 if numbers else 1
        draft = self._folder / f"{slug}.draft-{os.getpid()}"
        try:
            self._write_draft(draft, f"{origin}\n{new.size}\n{base64.b64encode(new.root).decode()}\n".encode())
            os.link(draft, self._path(slug, number))
        except FileExistsError as error:
            raise HeadMoved from error
        except OSError as error:
            raise HeadNotKept(f"the sealer's own disk took no new head: {self._folder}: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)
        self._sync_folder()
        if self._numbers(slug)[-1] != number:
            raise HeadMoved
        for earlier in numbers[:-KEPT]:
            self._path(slug, earlier).unlink(missing_ok=True)

    def _write_draft(self, draft: Path, content: bytes) -> None:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # makes the new name durable
        finally:
            os.close(folder)

    def _numbers(self, slug: str) -> list[int]:
        names = re.compile(rf"{re.escape(slug)}\.([0-9]+)\.head")
        return sorted(int(match[1]) for file in self._folder.iterdir() if (match := names.fullmatch(file.name)))

    def _path(self, slug: str, number: int) -> Path:
        return self._folder / f"{slug}.{number:09d}.head"


def _parse(path: Path, origin: str) -> SignedHead:
    try:
        found_origin, size, root, end = path.read_text(encoding="utf-8").split("\n")
        head = SignedHead(int(size), base64.b64decode(root, validate=True))
    except (ValueError, binascii.Error) as error:
        raise Unusable(f"{path} is not a signed head: put it back, or adopt a checkpoint you trust") from error
    if found_origin != origin or end or len(head.root) != 32 or head.size < 0:  # noqa: PLR2004 - SHA-256
        raise Unusable(f"{path} is not a signed head of {origin}")
    return head
