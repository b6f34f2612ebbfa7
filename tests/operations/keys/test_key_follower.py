"""Running servers follow their key files in time, and refuse files with which stored values could not be read."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import structlog

from consent_registry.domain.errors import CannotRecord
from consent_registry.domain.instants import format_instant
from consent_registry.operations.keys.key_follower import KeyFollower
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.key_files import FILES, drop_key, make_keys, rotate_key
from consent_registry.storage.keys.keyring import load_keys
from tests.support.installation import ISSUER, Installation

AFTER = timedelta(seconds=15)
OVERLAP = timedelta(days=7)


class Following:
    """A process with a copy of the installation's keys, and its follower."""

    def __init__(self, runtime: Runtime, folder: Path, database: str) -> None:
        self.runtime = runtime
        self.folder = folder
        self.database = database
        self.now = datetime.now(UTC)
        self.follower = KeyFollower(runtime, folder)

    def ids(self, name: str) -> list[str]:
        """The ids of the process's keys, the current one first."""
        return self.runtime.keys.ids(name)


@pytest_asyncio.fixture(loop_scope="session")
async def following(installation: Installation, tmp_path: Path) -> AsyncIterator[Following]:
    """A process that has read its key files once."""
    folder = shutil.copytree(installation.keys, tmp_path / "keys")
    folder.chmod(0o700)
    async with installation.copy() as database:
        pool = await open_pool(installation.dsn(database), 4)
        process = Following(Runtime(pool, load_keys(folder), ISSUER), folder, database)
        process.follower.refresh(process.now)
        yield process
        await pool.close()


@pytest.fixture
def said() -> Iterator[list[Any]]:
    """The lines that the process wrote to its log."""
    with structlog.testing.capture_logs() as lines:
        yield lines


async def test_a_rotation_is_followed_in_two_steps(following: Following) -> None:
    """A new key is known after the next refresh, and current after the first refresh from its time on."""
    for name in FILES:
        rotate_key(following.folder, name, following.now, AFTER, OVERLAP)
    following.follower.refresh(following.now + AFTER / 2)
    assert [following.ids(name)[0] for name in FILES] == [f"{name}-1" for name in FILES]
    assert [following.ids(name)[1] for name in FILES] == [f"{name}-2" for name in FILES]
    following.follower.refresh(following.now + AFTER)
    assert [following.ids(name)[0] for name in FILES] == [f"{name}-2" for name in FILES]
    assert len(following.runtime.keys.log_keys("o")) == 2
    following.follower.refresh(following.now + AFTER + OVERLAP)
    assert len(following.runtime.keys.log_keys("o")) == 1


async def test_unchanged_files_leave_the_keys_alone(following: Following) -> None:
    """Without a change, and without a key whose time has come, the keys stay the same object."""
    keys = following.runtime.keys
    following.follower.refresh(following.now + timedelta(days=1))
    assert following.runtime.keys is keys


def make_other_keys(path: Path) -> None:
    """Replace the file by that of another installation."""
    make_keys(path.parent / "other", datetime.now(UTC))
    (path.parent / "other" / path.name).replace(path)


def rename_key(path: Path) -> None:
    """Give the only key another id."""
    path.write_bytes(path.read_bytes().replace(b"digest-1", b"digest-7"))


@pytest.mark.parametrize(
    ("change", "said_why"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.chmod(0o640), "chmod 600"),
        (lambda path: path.write_text('{"keys": ['), "is not a list of keys"),
        (make_other_keys, "key digest-1 has another secret"),
        (rename_key, "key digest-1 is in use and missing"),
    ],
    ids=["gone", "open to others", "half a file", "another secret", "without the key in use"],
)
async def test_a_bad_key_file_changes_nothing(
    following: Following, said: list[Any], change: Callable[[Path], object], said_why: str
) -> None:
    """A bad key file is logged as an error once, and the loaded keys stay; a repaired file is read again."""
    path = following.folder / "digest.json"
    good, keys = path.read_bytes(), following.runtime.keys
    change(path)
    for _ in range(3):
        following.follower.refresh(following.now)
    assert following.runtime.keys is keys
    (line,) = [line for line in said if line["log_level"] == "error"]
    assert said_why in line["reason"]
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(good)
    rotate_key(following.folder, "digest", following.now, AFTER, OVERLAP)
    following.follower.refresh(following.now)
    assert following.ids("digest") == ["digest-1", "digest-2"]


async def test_a_dropped_key_is_followed(following: Following) -> None:
    """A key that was dropped from its file is no longer a key of the process."""
    sealed = following.runtime.keys.encrypt(b"x", "c")
    rotate_key(following.folder, "sealing", following.now, AFTER, OVERLAP)
    following.follower.refresh(following.now + AFTER)
    assert following.runtime.keys.decrypt(sealed, "c") == b"x"
    drop_key(following.folder, "sealing", "sealing-1", following.now + AFTER)
    following.follower.refresh(following.now + AFTER)
    assert following.ids("sealing") == ["sealing-2"]


async def _events(installation: Installation, following: Following) -> list[tuple[int, dict[str, Any]]]:
    sql = await asyncpg.connect(installation.dsn(following.database, "postgres"))
    rows = await sql.fetch("select network_id, event from registry.events where kind = 26 order by log_index")
    await sql.close()
    return [(row["network_id"], json.loads(row["event"])) for row in rows]


async def test_every_log_is_told_once(installation: Installation, following: Following) -> None:
    """Each network's log names a new key and its predecessor, a log key with both verifier keys. It does so once,
    although several processes announce it several times. The first keys are not announced.
    """
    second = KeyFollower(Runtime(following.runtime.pool, following.runtime.keys, ISSUER), following.folder)
    await following.follower.announce()
    assert await _events(installation, following) == []
    for name in FILES:
        rotate_key(following.folder, name, following.now, AFTER, OVERLAP)
    for follower in (following.follower, second):
        follower.refresh(following.now)
    await asyncio.gather(*(follower.announce() for _ in range(3) for follower in (following.follower, second)))
    await KeyFollower(following.runtime, following.folder).announce()
    events = await _events(installation, following)
    networks = await following.runtime.networks()
    assert len(events) == len(networks) * len(FILES)
    for network in networks:
        logged = {event["file"]: event for network_id, event in events if network_id == network.network_id}
        assert {name: (event["former_key"], event["key"]) for name, event in logged.items()} == {
            name: (f"{name}-1", f"{name}-2") for name in FILES
        }
        pair = [logged["log"]["former_vkey"], logged["log"]["vkey"]]
        assert pair == following.runtime.keys.log_vkeys(network.log_origin)
        assert {event["active_from"] for event in logged.values()} == {format_instant(following.now + AFTER)}
        assert {event["client"] for event in logged.values()} == {None}
        assert not any("secret" in event or "vkey" in event for name, event in logged.items() if name != "log")


class Broken(KeyFollower):
    """A follower whose announcing always fails."""

    rounds = 0

    async def announce(self) -> None:
        """Fail."""
        self.rounds += 1
        raise RuntimeError("a defect")


async def test_no_defect_ends_the_following(following: Following) -> None:
    """If reading or announcing new keys fails, the follower goes on and takes in the next rotation."""
    follower = Broken(following.runtime, following.folder)
    running = asyncio.create_task(follower.run(0.01))
    rotate_key(following.folder, "token", following.now, AFTER, OVERLAP)
    while follower.rounds < 3 or following.ids("token") == ["token-1"]:
        await asyncio.sleep(0.01)
        assert not running.done()
    running.cancel()


async def test_what_could_not_be_logged_is_logged_later(installation: Installation, following: Following) -> None:
    """Without its database a process still follows its keys; they are logged when the database is back."""
    away = await open_pool("postgresql://nobody@/none?host=/nowhere", 1)
    process = Runtime(away, following.runtime.keys, ISSUER)
    follower = KeyFollower(process, following.folder)
    rotate_key(following.folder, "token", following.now, AFTER, OVERLAP)
    follower.refresh(following.now)
    with pytest.raises(CannotRecord):
        await follower.announce()
    assert process.keys.ids("token") == ["token-1", "token-2"]
    process.pool = following.runtime.pool
    await follower.announce()
    assert len(await _events(installation, following)) == len(await process.networks())
    await away.close()
