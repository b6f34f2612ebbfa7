"""Writes a log as a folder of files that any web server can serve (C2SP tlog-tiles). Files are added, never changed.

Each file is complete on disk before it gets its name, and the checkpoint is written last. So every tile and entry below
a checkpoint exists, also after a crash.
"""

import os
import shutil
from pathlib import Path

from consent_registry.domain.errors import Unusable
from consent_registry.tlog.checkpoint import Checkpoint
from consent_registry.tlog.note import NoteRefused, SignedNote
from consent_registry.tlog.tile import TILE_WIDTH, Bundle, Tile


class StaticLog:
    """The files of one log below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint in the folder, or None. Raises Unusable for a file that is no checkpoint."""
        path = self._folder / "checkpoint"
        try:
            return Checkpoint.parse(SignedNote.parse(path.read_bytes()).text)
        except FileNotFoundError:
            return None
        except NoteRefused as error:
            raise Unusable(f"{path} is not a checkpoint: {error}") from error

    def add(self, place: Tile | Bundle, content: bytes) -> None:
        """Add a tile or an entry bundle. Raises Unusable if the file exists with other content."""
        path = self._folder / place.path()
        if path.exists():
            if path.read_bytes() != content:
                raise Unusable(f"{path} is another: what was published before has changed")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        if place.width == TILE_WIDTH:
            shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)  # deletes its partial tiles

    def publish(self, note: bytes, vkeys: list[str]) -> None:
        """Write the checkpoint and the log's verifier keys. Every file below the checkpoint must have been added."""
        _write(self._folder / "vkeys", "".join(f"{vkey}\n" for vkey in vkeys).encode())
        _write(self._folder / "checkpoint", note)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
