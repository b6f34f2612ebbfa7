"""Key files: read with their permissions checked, made, and changed so that running servers can follow.

Each of the four is `{"keys": [{"id", "made_at"?, "active_from"?, "until"?, "secret"}]}`, the newest first. A key is
known to every server as soon as its file is read, and *current* (used for new values) from `active_from` on; without
one it always was. So a value made with a new key can be read by all before the first is made. `until` ends the time for
which an earlier log key goes on signing checkpoints beside its successor.
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
# A random secret has fewer different bytes once in 10^24 times, and is printable as a whole once in 10^13.
_DISTINCT_BYTES = 16
_PRINTABLE = frozenset(range(0x20, 0x7F))

KeyId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One secret of 32 bytes, the id by which stored values name it, and from when to when it is used for new ones."""

    id: KeyId
    secret: bytes
    made_at: Instant | None = None
    active_from: Instant | None = None
    until: Instant | None = None

    def __repr__(self) -> str:
        """Its id alone: a secret must not get into a log by way of a traceback."""
        return f"Key({self.id})"

    @property
    def started_at(self) -> float:
        """The time from which it is used for new values, in seconds since 1970; 0 where it always was."""
        return 0.0 if self.active_from is None else self.active_from.timestamp()

    def is_active(self, now: datetime) -> bool:
        """Whether the time has come from which this key may be used for new values."""
        return self.active_from is None or self.active_from <= now


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[Key, ...]


KeyFiles = Mapping[str, tuple[Key, ...]]
FileMarks = tuple[tuple[int, int, int] | None, ...]


def current_key(keys: Sequence[Key], now: datetime) -> Key | None:
    """The key for new values: of those whose time has come the latest, the first where none differ."""
    active = [key for key in keys if key.is_active(now)]
    return max(active, key=lambda key: key.started_at, default=None)


def read_key_files(directory: Path) -> dict[str, tuple[Key, ...]]:
    """All key files; raises Unusable, with one line, for one that is missing, unsafe or not what it should be."""
    files = {name: read_key_file(directory, name) for name in FILES}
    secrets_seen: dict[bytes, str] = {}
    for name, keys in files.items():
        for key in keys:
            if secrets_seen.setdefault(key.secret, name) != name:
                raise Unusable(
                    f"key {key.id} in {directory} has the secret of a key in {secrets_seen[key.secret]}.json"
                )
    return files


def read_key_file(directory: Path, name: str) -> tuple[Key, ...]:
    """The keys of one file, as they stand there; raises Unusable."""
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
    """The bytes of a file that nobody else can read or replace; looked at and read through one descriptor."""
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


def _require_own_folder(directory: Path) -> None:
    """Who may write the folder may replace the files in it."""
    if not directory.is_dir():
        raise Unusable(f"key file {directory / f'{FILES[0]}.json'} is missing")
    status = directory.stat()
    if status.st_uid not in {os.geteuid(), 0}:
        raise Unusable(
            f"the folder {directory} of the key files belongs to another user: run as its owner, or chown it"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unusable(f"the folder {directory} of the key files can be written by others: chmod 700 {directory}")


def _is_guessable(secret: bytes) -> bool:
    """What an example or a habit makes: few different bytes, text, or counting."""
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    return len(set(secret)) < _DISTINCT_BYTES or set(secret) <= _PRINTABLE or len(steps) == 1


def key_file_marks(directory: Path) -> FileMarks:
    """What changes when a key file does, or its mode: inode, size and time of change; None for a missing one."""

    def mark(path: Path) -> tuple[int, int, int] | None:
        try:
            status = path.lstat()
        except OSError:
            return None
        return (status.st_ino, status.st_size, status.st_ctime_ns)

    return tuple(mark(directory / f"{name}.json") for name in FILES)


def make_keys(directory: Path, now: datetime) -> None:
    """Make the key files that are missing, readable by their owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(directory):
        for name in FILES:
            if not (directory / f"{name}.json").exists():
                _write(directory, name, (_fresh(f"{name}-1", now),))


def rotate_key(directory: Path, name: str, now: datetime, after: timedelta, overlap: timedelta) -> Key:
    """Add a new key, which becomes current `after` now, and return it; nothing is dropped.

    An earlier log key goes on signing checkpoints for the `overlap`. Raises Unusable while an earlier rotation of this
    file is still on its way: servers would learn of two keys at once.
    """
    with _alone(directory):
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
    """Take a key out of its file, for ever. Whether anything still needs it the caller has asked.

    Raises Unusable for a key that is not there, is current, or is to become so.
    """
    with _alone(directory):
        keys = read_key_file(directory, name)
        known = {key.id: key for key in keys}
        if key_id not in known:
            raise Unusable(f"there is no key {key_id} in {directory / f'{name}.json'}")
        if known[key_id] is current_key(keys, now) or not known[key_id].is_active(now):
            raise Unusable(f"key {key_id} is current or about to be: rotate first")
        _write(directory, name, tuple(key for key in keys if key.id != key_id))


def _fresh(key_id: str, now: datetime) -> Key:
    return Key(key_id, secrets.token_bytes(SECRET_LENGTH), made_at=now)


def _next_id(name: str, keys: Sequence[Key]) -> str:
    numbers = [int(found[1]) for key in keys if (found := re.fullmatch(rf"{name}-([0-9]{{1,9}})", key.id))]
    return f"{name}-{max(numbers, default=len(keys)) + 1}"


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One change of a folder's keys at a time."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Unusable(f"the keys in {directory} are being changed by another process: try again") from error
    finally:
        os.close(descriptor)


def _write(directory: Path, name: str, keys: Sequence[Key]) -> None:
    """Replace a key file whole: at every moment, also after a crash, there is the old one or the new one."""
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


def _entry(key: Key) -> dict[str, str]:
    times = {"made_at": key.made_at, "active_from": key.active_from, "until": key.until}
    known = {name: format_instant(at.astimezone(UTC)) for name, at in times.items() if at is not None}
    return {"id": key.id, **known, "secret": base64.b64encode(key.secret).decode()}
