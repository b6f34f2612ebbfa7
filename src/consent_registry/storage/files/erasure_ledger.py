"""The erasure ledger: a file outside the database that lists the erased clients (docs/design/erasure.md).

A line is on disk before the erasing transaction commits. So after a restore from any backup the ledger shows who must
be erased again. It holds random client numbers and no other personal data. Lines are only added.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from consent_registry.domain.errors import Unusable

LedgerState = Literal["intent", "done", "abandoned"]


class LedgerLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the ledger. An `intent` names network (slug), clients and ground; a later line names its outcome."""

    erasure: str
    state: LedgerState
    at: str
    network: str = ""
    clients: tuple[str, ...] = ()
    ground: str = ""


class ErasureLedger:
    """The ledger in one file, which is created with the first line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def intend(self, erasure_id: str, at: str, network: str, client_ids: tuple[str, ...], ground: str) -> None:
        """Record that these clients are about to be erased. The line is on disk when this returns."""
        self._add(LedgerLine(erasure_id, "intent", at, network, client_ids, ground))

    def settle(self, erasure_id: str, state: LedgerState, at: str) -> None:
        """Record the outcome of an intent: `done`, or `abandoned` if nothing was erased."""
        self._add(LedgerLine(erasure_id, state, at))

    def entries(self) -> list[LedgerLine]:
        """The intents that were not abandoned, in order. The clients that they name must not be in the database.

        Raises Unusable for a file that is no ledger. A line that a crash cut off is skipped: it was not durable, so its
        transaction did not commit.
        """
        if not self._path.exists():
            return []
        content = self._path.read_bytes()
        intents: dict[str, LedgerLine] = {}
        for number, raw in enumerate(content.split(b"\n")[:-1], start=1):
            if not raw:
                continue
            try:
                line = msgspec.json.decode(raw, type=LedgerLine)
            except msgspec.MsgspecError as error:
                if b"\0" not in raw and raw.startswith(b"{") and not raw.endswith(b"}"):
                    continue  # cut off by a crash; `_add` began a new line
                raise Unusable(f"{self._path} line {number} is no line of an erasure ledger") from error
            if line.state == "intent":
                intents[line.erasure] = line
            elif line.state == "abandoned":
                intents.pop(line.erasure, None)
        return list(intents.values())

    def _add(self, line: LedgerLine) -> None:
        with self._held() as handle:
            # A crash may have cut off the last line, so the new line begins with a line feed.
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + msgspec.json.encode(line) + b"\n")
            os.fsync(handle)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # makes the file's name durable, needed once
        finally:
            os.close(folder)

    @contextmanager
    def _held(self) -> Iterator[int]:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)
