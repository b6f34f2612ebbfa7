"""The folder of a demonstration: one process has its lock, and its files are private."""

import os
from pathlib import Path

import pytest

from consent_registry.process.data_folder import CannotServe, hold, write_private


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """A second process is refused with the first one's process id; later the folder is free again."""
    with hold(tmp_path / "data"), pytest.raises(CannotServe, match=f"process {os.getpid()}"), hold(tmp_path / "data"):
        pass
    with hold(tmp_path / "data"):
        pass


def test_private_files_are_replaced_whole(tmp_path: Path) -> None:
    """The new content is under the old name with mode 0600, and no draft remains."""
    path = tmp_path / "file.json"
    path.write_text("old")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
