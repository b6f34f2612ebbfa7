"""The key files of an installation: listing keys, adding a new one, and dropping an old one.

No function here returns a secret, except `open_keys`. Running servers read changed files
(`operations/keys/key_follower.py`).
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
    """A key of a file: whether new values are made with it, and when it was made and became active. A time that the
    file does not have is None.
    """

    key_file: str
    key_id: str
    is_current: bool
    is_active: bool
    active_from: datetime | None
    made_at: datetime | None


def open_keys(folder: Path) -> Keys:
    """The keys in a folder; raises Unusable for files that are missing, damaged, or readable for others."""
    return load_keys(folder)


def make_missing_keys(folder: Path, now: datetime) -> None:
    """Make the key files that are missing."""
    key_files.make_keys(folder, now)


def list_keys(folder: Path, now: datetime) -> list[KeyState]:
    """All keys, file by file, the current one first; raises Unusable as `open_keys` does."""
    loaded = load_keys(folder, now)
    return [
        KeyState(name, key.id, number == 0, key.is_active(now), key.active_from, key.made_at)
        for name in FILES
        for number, key in enumerate(loaded.of(name))
    ]


def add_key(folder: Path, name: str, now: datetime, after: timedelta, overlap: timedelta) -> tuple[str, datetime]:
    """Add a key to a file; returns its id and when it becomes current. For `overlap` after that, the earlier log key
    also signs checkpoints.
    """
    fresh = key_files.rotate_key(folder, name, now, after, overlap)
    return fresh.id, fresh.active_from or now


def why_needed(
    folder: Path, name: str, key_id: str, uses: Sequence[KeyUse], now: datetime, *, leaked: bool = False
) -> str | None:
    """Why this earlier key must not be dropped yet; None when it may be dropped, or is not an earlier key of the file.
    `leaked`: valid tokens are no reason to keep it.
    """
    loaded = load_keys(folder, now)
    if key_id not in loaded.ids(name)[1:]:
        return None
    return key_uses.still_needed(loaded, name, key_id, uses, now, leaked=leaked)


def drop_key(folder: Path, name: str, key_id: str, now: datetime) -> None:
    """Remove an earlier key from its file for ever; raises Unusable for the current key and an unknown one."""
    key_files.drop_key(folder, name, key_id, now)
