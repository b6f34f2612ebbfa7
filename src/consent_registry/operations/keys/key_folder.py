"""The key files of an installation: which keys there are, a new key, and the end of an old one.

Nothing here shows a secret. Servers that read the folder follow by themselves (`operations/keys/following.py`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from consent_registry.operations.keys import key_uses
from consent_registry.operations.keys.key_uses import KeyUse
from consent_registry.storage.files import key_files
from consent_registry.storage.keys.keyring import Keys, load_keys

FILES = key_files.FILES


class KeyState(msgspec.Struct, frozen=True):
    """A key of a file: whether new values are made with it, and from when on it is or was used; None where the file
    does not say when it was made or became current.
    """

    key_file: str
    key_id: str
    is_current: bool
    is_active: bool
    active_from: datetime | None
    made_at: datetime | None


def open_keys(folder: Path) -> Keys:
    """The keys in a folder; raises Unusable for files that are missing, readable for others, or damaged."""
    return load_keys(folder)


def make_missing_keys(folder: Path, now: datetime) -> None:
    """Make the key files that are missing."""
    key_files.make_keys(folder, now)


def list_keys(folder: Path, now: datetime) -> list[KeyState]:
    """Every key, file by file, the current one first; raises Unusable as `open_keys`."""
    loaded = load_keys(folder, now)
    return [
        KeyState(name, key.id, number == 0, key.is_active(now), key.active_from, key.made_at)
        for name in FILES
        for number, key in enumerate(loaded.of(name))
    ]


def add_key(folder: Path, name: str, now: datetime, after: timedelta, overlap: timedelta) -> tuple[str, datetime]:
    """Add a key to a file; returns its id and when it becomes current. `overlap` is for how long the earlier log key
    signs checkpoints beside it.
    """
    fresh = key_files.rotate_key(folder, name, now, after, overlap)
    return fresh.id, fresh.active_from or now


def why_needed(
    folder: Path, name: str, key_id: str, uses: Sequence[KeyUse], now: datetime, *, leaked: bool = False
) -> str | None:
    """Why this earlier key must not be dropped yet; None when it may be, or is no earlier key of the file. `leaked`:
    tokens that have not expired are no reason to keep it.
    """
    loaded = load_keys(folder, now)
    if key_id not in loaded.ids(name)[1:]:
        return None
    return key_uses.still_needed(loaded, name, key_id, uses, now, leaked=leaked)


def drop_key(folder: Path, name: str, key_id: str, now: datetime) -> None:
    """Take an earlier key out of its file, for ever; raises Unusable for the current key and an unknown one."""
    key_files.drop_key(folder, name, key_id, now)
