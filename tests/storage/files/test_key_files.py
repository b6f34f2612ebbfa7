"""Key files are readable by their owner only, refused if unsafe or malformed, and replaced atomically."""

import base64
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consent_registry.domain.errors import Unusable
from consent_registry.storage.files.key_files import (
    FILES,
    _require_own_folder,
    drop_key,
    key_file_marks,
    make_keys,
    read_key_file,
    rotate_key,
)
from consent_registry.storage.keys.keyring import load_keys

SECRET = hashlib.sha256(b"one").digest()
OTHER = hashlib.sha256(b"other").digest()
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AFTER = timedelta(seconds=15)
OVERLAP = timedelta(days=7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with new key files."""
    make_keys(tmp_path / "keys", NOW)
    return tmp_path / "keys"


def test_key_files_are_their_owners_alone(folder: Path) -> None:
    """The folder has mode 0700 and each file 0600, for any umask."""
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        f"{name}.json": 0o600 for name in FILES
    }
    before = os.umask(0)
    try:
        make_keys(folder.parent / "open", NOW)
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder.parent / "open").iterdir())


def test_key_files_are_made_once(folder: Path) -> None:
    """A second run keeps existing key files byte for byte and creates a missing one."""
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.name != "log.json"}
    (folder / "log.json").unlink()
    make_keys(folder, NOW)
    assert {path: path.read_bytes() for path in kept} == kept
    assert (folder / "log.json").exists()


def _keys(*keys: tuple[str, bytes], **members: str) -> bytes:
    entries = [{"id": key_id, "secret": base64.b64encode(secret).decode(), **members} for key_id, secret in keys]
    return json.dumps({"keys": entries}).encode()


def _key(secret: bytes) -> bytes:
    return _keys(("a", secret))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        (b"", "is not a list of keys"),
        (b"\xff\x00garbage", "is not a list of keys"),
        (b"[]", "is not a list of keys"),
        (b'{"keys": [{"id": "a"}]}', "is not a list of keys"),
        (b'{"keys": [{"id": "a", "secret": "no base64!"}]}', "is not a list of keys"),
        (b'{"keys": []}', "needs at least one key"),
        (_key(SECRET[:31]), "needs at least one key of 32 bytes"),
        (_key(SECRET + b"x"), "needs at least one key of 32 bytes"),
        (_key(bytes(32)), "not all zero"),
        (_key(b"\x2a" * 32), "is no random one"),
        (_key(bytes(range(32))), "is no random one"),
        (_key(b"change-me-change-me-change-me-32"), "is no random one"),
        (_keys(("a", SECRET), ("a", OTHER)), "names an id or a secret twice"),
        (_keys(("a", SECRET), ("b", SECRET)), "names an id or a secret twice"),
        (_keys(("", SECRET)), "is not a list of keys"),
        (_keys(("x" * 65, SECRET)), "is not a list of keys"),
        (_keys(("ä", SECRET)), "is not a list of keys"),
        (_keys(("a", SECRET), active_from="2999-01-01T00:00:00.000000Z"), "is active yet"),
        (_keys(("a", SECRET), active_from="2020-01-01T00:00:00"), "is not a list of keys"),
        (_keys(("a", SECRET), active_form="2020-01-01T00:00:00Z"), "is not a list of keys"),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_an_unusable_key_file_is_named_in_one_line(folder: Path, name: str, content: bytes | None, said: str) -> None:
    """A missing, short, zero or malformed file is refused in one line with its name and none of its content."""
    path = folder / f"{name}.json"
    path.unlink()
    if content is not None:
        path.touch(0o600)
        path.write_bytes(content)
    with pytest.raises(Unusable) as refusal:
        load_keys(folder)
    line = str(refusal.value)
    assert path.name in line
    assert said in line
    assert "\n" not in line
    assert base64.b64encode(SECRET).decode() not in line


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_file_open_to_others_is_refused(folder: Path, mode: int) -> None:
    """A file readable by its group or by anybody is refused, with the command that repairs it."""
    (folder / "token.json").chmod(mode)
    with pytest.raises(Unusable, match=r"chmod 600 .*token\.json"):
        load_keys(folder)


def test_a_symbolic_link_is_no_key_file(folder: Path) -> None:
    """A symbolic link is refused, because the target's owner may change it."""
    path = folder / "digest.json"
    path.rename(folder / "elsewhere.json")
    path.symlink_to(folder / "elsewhere.json")
    with pytest.raises(Unusable, match=r"digest\.json is a symbolic link"):
        load_keys(folder)
    (folder / "elsewhere.json").unlink()
    with pytest.raises(Unusable, match=r"digest\.json is a symbolic link"):
        load_keys(folder)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_is_no_key_file(folder: Path, make: Callable[[Path], None]) -> None:
    """A folder or a pipe with a key file's name is refused at once, without a wait for a writer."""
    path = folder / "sealing.json"
    path.unlink()
    make(path)
    with pytest.raises(Unusable, match=r"sealing\.json"):
        load_keys(folder)


def test_another_users_key_file_is_refused(folder: Path) -> None:
    """A key file or folder of another user is refused, because its owner may open it to others."""
    owner = folder.stat().st_uid
    if os.geteuid() == 0:
        os.chown(folder / "log.json", 65534, -1)
        with pytest.raises(Unusable, match=r"log\.json belongs to another user"):
            load_keys(folder)
        os.chown(folder / "log.json", owner, -1)
        os.chown(folder, 65534, -1)
        with pytest.raises(Unusable, match=r"folder .* belongs to another user"):
            load_keys(folder)
    else:
        with pytest.raises(Unusable, match=r"folder .* belongs to another user"):
            _require_own_folder(folder, owner + 1)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o722])
def test_a_folder_others_may_write_is_refused(folder: Path, mode: int) -> None:
    """A folder that others may write to is refused, because they could replace a key file."""
    folder.chmod(mode)
    with pytest.raises(Unusable, match="chmod 700"):
        load_keys(folder)


def test_one_secret_serves_one_purpose(folder: Path) -> None:
    """The same secret in two files is refused, because a leak of one key would open the other's values."""
    (folder / "token.json").write_bytes((folder / "log.json").read_bytes().replace(b"log-1", b"token-1"))
    with pytest.raises(Unusable, match=r"key log-1 .* has the secret of a key in token\.json"):
        load_keys(folder)


def test_the_format_of_the_first_release_is_read(folder: Path) -> None:
    """Without active_from the first key of a file is current, and the others can be used for existing values."""
    (folder / "digest.json").write_bytes(_keys(("new", SECRET), ("old", OTHER)))
    assert load_keys(folder).ids("digest") == ["new", "old"]


def test_the_newest_active_key_is_current_wherever_it_stands(folder: Path) -> None:
    """The active key with the latest active_from is current; the file's order decides between equals only."""
    entries = [("a", "2020-01-01T00:00:00Z"), ("b", "2999-01-01T00:00:00Z"), ("c", "2021-01-01T01:00:00+01:00")]
    content = {
        "keys": [
            {
                "id": entry,
                "secret": base64.b64encode(hashlib.sha256(entry.encode()).digest()).decode(),
                "active_from": at,
            }
            for entry, at in entries
        ]
    }
    (folder / "digest.json").write_text(json.dumps(content))
    assert load_keys(folder).ids("digest") == ["c", "a", "b"]


def test_a_rotation_drops_nothing(folder: Path) -> None:
    """Five rotations leave six keys, the newest first, in a private file and no other file."""
    at = NOW
    before = read_key_file(folder, "digest")
    for number in range(2, 7):
        at += timedelta(minutes=1)
        fresh = rotate_key(folder, "digest", at, AFTER, OVERLAP)
        assert (fresh.id, fresh.active_from) == (f"digest-{number}", at + AFTER)
        assert read_key_file(folder, "digest")[0] == fresh
    keys = read_key_file(folder, "digest")
    assert [key.id for key in keys] == [f"digest-{number}" for number in (6, 5, 4, 3, 2, 1)]
    assert keys[-1:] == before
    assert len({key.secret for key in keys}) == len(keys)
    assert {path.name for path in folder.iterdir()} == {f"{name}.json" for name in FILES}
    assert stat.S_IMODE((folder / "digest.json").stat().st_mode) == 0o600


def test_one_rotation_at_a_time(folder: Path) -> None:
    """While a rotation is pending the next one of this file is refused; other files may be rotated."""
    rotate_key(folder, "token", NOW, AFTER, OVERLAP)
    before = (folder / "token.json").read_bytes()
    with pytest.raises(Unusable, match="token-2 is on its way"):
        rotate_key(folder, "token", NOW + AFTER - timedelta(microseconds=1), AFTER, OVERLAP)
    assert (folder / "token.json").read_bytes() == before
    rotate_key(folder, "log", NOW, AFTER, OVERLAP)
    rotate_key(folder, "token", NOW + AFTER, AFTER, OVERLAP)


def test_a_secret_is_not_shown(folder: Path) -> None:
    """A traceback shows a key's id, not its secret."""
    (key,) = read_key_file(folder, "token")
    assert repr(key) == str(key) == "SecretKey(token-1)"


def test_two_who_change_the_keys_at_once(folder: Path) -> None:
    """While one process changes a folder's keys another one is refused and changes nothing."""
    before = (folder / "token.json").read_bytes()
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(Unusable, match="another process"):
            rotate_key(folder, "token", NOW, AFTER, OVERLAP)
        with pytest.raises(Unusable, match="another process"):
            drop_key(folder, "token", "token-1", NOW)
    finally:
        os.close(descriptor)
    assert (folder / "token.json").read_bytes() == before


def test_a_rotation_that_fails_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If any step of a rotation fails, the old key file stays byte for byte, and the next rotation succeeds."""
    before = (folder / "digest.json").read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for target, step in ((os, "fsync"), (json, "dump"), (Path, "rename")):
        with monkeypatch.context() as patched:
            patched.setattr(target, step, fail)
            with pytest.raises(OSError, match="No space"):
                rotate_key(folder, "digest", NOW, AFTER, OVERLAP)
        assert (folder / "digest.json").read_bytes() == before
    assert rotate_key(folder, "digest", NOW, AFTER, OVERLAP).id == "digest-2"


def test_what_is_not_needed_is_dropped_and_its_id_not_given_again(folder: Path) -> None:
    """An earlier key can be dropped and its id is never reused; a current, pending or unknown key is refused."""
    rotate_key(folder, "token", NOW, AFTER, OVERLAP)
    for key_id, at, said in (
        ("token-1", NOW, "is current"),
        ("token-2", NOW, "about to be"),
        ("token-2", NOW + AFTER, "is current"),
        ("token-9", NOW + AFTER, "no key token-9"),
    ):
        with pytest.raises(Unusable, match=said):
            drop_key(folder, "token", key_id, at)
    drop_key(folder, "token", "token-1", NOW + AFTER)
    assert [key.id for key in read_key_file(folder, "token")] == ["token-2"]
    assert rotate_key(folder, "token", NOW + AFTER, AFTER, OVERLAP).id == "token-3"


def test_a_change_of_a_file_changes_its_mark(folder: Path) -> None:
    """A replaced, rewritten or removed file is noticed, and an unchanged one is not."""
    first = key_file_marks(folder)
    assert key_file_marks(folder) == first
    rotate_key(folder, "log", NOW, AFTER, OVERLAP)
    second = key_file_marks(folder)
    assert [before == after for before, after in zip(first, second, strict=True)] == [True, True, True, False]
    (folder / "digest.json").unlink()
    assert key_file_marks(folder)[0] is None
