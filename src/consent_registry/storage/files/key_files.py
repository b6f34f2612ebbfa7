"""Key files: reads them with a check of their permissions, creates them, and rotates keys while servers run.

Each of the four files is `{"keys": [{"id", "made_at"?, "active_from"?, "until"?, "secret"}]}`, the newest key first. A
server can use a key for existing values as soon as it has read the file. The key is *current* (used for new values)
from `active_from`, or always without it. So every server can read a new key's values before the first is made. An
earlier log key signs checkpoints beside its successor until `until`.
"""

import base64
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

from consent_registry.domain.errors import Unusable
from consent_registry.domain.instants import format_instant

FILES = ("digest", "sealing", "token", "log")
SECRET_LENGTH = 32
# A random secret has fewer distinct bytes with probability 10^-24, and is all printable with 10^-13.
_DISTINCT_BYTES = 16
_PRINTABLE = frozenset(range(0x20, 0x7F))

KeyId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
AwareInstant = Annotated[datetime, msgspec.Meta(tz=True)]


class SecretKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A secret of 32 bytes, the id by which stored values name it, and the times of its use."""

    id: KeyId
    secret: bytes
    made_at: AwareInstant | None = None
    active_from: AwareInstant | None = None
    until: AwareInstant | None = None

    def __repr__(self) -> str:
        """The key's id only, so that a traceback in a log shows no secret."""
        return f"SecretKey({self.id})"

    @property
    def started_at(self) -> float:
        """When the key's use for new values begins, in seconds since 1970; 0 without `active_from`."""
        return 0.0 if self.active_from is None else self.active_from.timestamp()

    def is_active(self, now: datetime) -> bool:
        """Whether the key may be used for new values: `active_from` has passed."""
        return self.active_from is None or self.active_from <= now


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[SecretKey, ...]


KeyFiles = Mapping[str, tuple[SecretKey, ...]]
FileMarks = tuple[tuple[int, int, int] | None, ...]


def current_key(keys: Sequence[SecretKey], now: datetime) -> SecretKey | None:
    """The key for new values: of the active keys the one with the latest `active_from`, the first of equals."""
    active = [key for key in keys if key.is_active(now)]
    return max(active, key=lambda key: key.started_at, default=None)


def read_key_files(directory: Path) -> dict[str, tuple[SecretKey, ...]]:
    """Read all key files. Raises Unusable, with one line, for a file that is missing, unsafe or malformed."""
    files = {name: read_key_file(directory, name) for name in FILES}
    secrets_seen: dict[bytes, str] = {}
    for name, keys in files.items():
        for key in keys:
            if secrets_seen.setdefault(key.secret, name) != name:
                raise Unusable(
                    f"key {key.id} in {directory} has the secret of a key in {secrets_seen[key.secret]}.json"
                )
    return files


def read_key_file(directory: Path, name: str) -> tuple[SecretKey, ...]:
    """Read the keys of one file, in the file's order. Raises Unusable."""
    _require_own_folder(directory)
    path = directory / f"{name}.json"
    try:
        keys = msgspec.json.decode(_read_own(path), type=_Content).keys
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unusable(f"key file {path} is not a list of keys with id and secret") from error
    if not keys or any(len(key.secret) != SECRET_LENGTH or not any(key.secret) for key in keys):
        raise Unusable(f"key file {path} needs at least one key of {SECRET_LENGTH} bytes that is not all zero")
    if guessable := [key.id for key in keys if _is_guessable(key.secret)]:
        raise Unusable(f"key file {path}: the secret of {guessable[0]} is no random one; let `keys --make` make it")
    if len({key.id for key in keys}) != len(keys) or len({key.secret for key in keys}) != len(keys):
        raise Unusable(f"key file {path} names an id or a secret twice")
    return keys


def _read_own(path: Path) -> bytes:
    """Read a file that only its owner may read. The check and the read use one descriptor, so that nobody can replace
    the file in between.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Unusable(f"key file {path} is missing") from error
    except OSError as error:
        reason = "is a symbolic link: put the file itself there" if path.is_symlink() else "cannot be opened"
        raise Unusable(f"key file {path} {reason}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(f"key file {path} is missing: there is something else by that name")
        if status.st_uid not in {os.geteuid(), 0}:
            raise Unusable(f"key file {path} belongs to another user: run as its owner, or chown it")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Unusable(f"key file {path} is readable by others than its owner: chmod 600 {path}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _require_own_folder(directory: Path, user: int | None = None) -> None:
    """Raise Unusable unless only the owner may write to the folder: a writer could replace the files in it."""
    if not directory.is_dir():
        raise Unusable(f"key file {directory / f'{FILES[0]}.json'} is missing")
    status = directory.stat()
    if status.st_uid not in {os.geteuid() if user is None else user, 0}:
        raise Unusable(
            f"the folder {directory} of the key files belongs to another user: run as its owner, or chown it"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unusable(f"the folder {directory} of the key files can be written by others: chmod 700 {directory}")


def _is_guessable(secret: bytes) -> bool:
    """Whether a secret looks typed instead of random: few distinct bytes, text, or a sequence."""
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    return len(set(secret)) < _DISTINCT_BYTES or set(secret) <= _PRINTABLE or len(steps) == 1


def key_file_marks(directory: Path) -> FileMarks:
    """Each key file's inode, size and time of change, which differ after a change of its content or mode; None for a
    missing file.
    """

    def mark(path: Path) -> tuple[int, int, int] | None:
        try:
            status = path.lstat()
        except OSError:
            return None
        return (status.st_ino, status.st_size, status.st_ctime_ns)

    return tuple(mark(directory / f"{name}.json") for name in FILES)


def make_keys(directory: Path, now: datetime) -> None:
    """Create the missing key files, readable by their owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock_folder(directory):
        for name in FILES:
            if not (directory / f"{name}.json").exists():
                _write(directory, name, (_fresh(f"{name}-1", now),))


def rotate_key(directory: Path, name: str, now: datetime, after: timedelta, overlap: timedelta) -> SecretKey:
    """Add a new key, which becomes current at `now + after`, and return it. Earlier keys stay.

    An earlier log key signs checkpoints for `overlap` longer. Raises Unusable while an earlier rotation of this file is
    pending: the servers would get two new keys at once.
    """
    with _lock_folder(directory):
        keys = read_key_file(directory, name)
        for key in keys:
            if not key.is_active(now) and key.active_from is not None:
                raise Unusable(f"key {key.id} is on its way: it becomes current at {key.active_from}")
        fresh = msgspec.structs.replace(_fresh(_next_id(name, keys), now), active_from=now + after)
        if name == "log":
            end = now + after + overlap
            keys = tuple(key if key.until else msgspec.structs.replace(key, until=end) for key in keys)
        _write(directory, name, (fresh, *keys))
        return fresh


def drop_key(directory: Path, name: str, key_id: str, now: datetime) -> None:
    """Delete a key from its file. The caller has checked that no stored value needs it.

    Raises Unusable for a key that is missing, current, or about to become current.
    """
    with _lock_folder(directory):
        keys = read_key_file(directory, name)
        known = {key.id: key for key in keys}
        if key_id not in known:
            raise Unusable(f"there is no key {key_id} in {directory / f'{name}.json'}")
        if known[key_id] is current_key(keys, now) or not known[key_id].is_active(now):
            raise Unusable(f"key {key_id} is current or about to be: rotate first")
        _write(directory, name, tuple(key for key in keys if key.id != key_id))


def _fresh(key_id: str, now: datetime) -> SecretKey:
    return SecretKey(key_id, secrets.token_bytes(SECRET_LENGTH), made_at=now)


def _next_id(name: str, keys: Sequence[SecretKey]) -> str:
    numbers = [int(found[1]) for key in keys if (found := re.fullmatch(rf"{name}-([0-9]{{1,9}})", key.id))]
    return f"{name}-{max(numbers, default=len(keys)) + 1}"


@contextmanager
def _lock_folder(directory: Path) -> Iterator[None]:
    """Hold the folder's lock, so that only one process changes its keys. Raises Unusable if another one does."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Unusable(f"the keys in {directory} are being changed by another process: try again") from error
    finally:
        os.close(descriptor)


def _write(directory: Path, name: str, keys: Sequence[SecretKey]) -> None:
    """Replace a key file atomically: at any moment, also after a crash, the old file or the new one is complete."""
    temporary = directory / f"{name}.json.new"
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"keys": [_entry(key) for key in keys]}, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(descriptor)
    temporary.rename(directory / f"{name}.json")
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _entry(key: SecretKey) -> dict[str, str]:
    times = {"made_at": key.made_at, "active_from": key.active_from, "until": key.until}
    known = {name: format_instant(at.astimezone(UTC)) for name, at in times.items() if at is not None}
    return {"id": key.id, **known, "secret": base64.b64encode(key.secret).decode()}
