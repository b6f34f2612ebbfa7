"""An exported log is at every moment complete under its checkpoint; files are added and never changed."""

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import NotFound, Unusable
from consent_registry.operations.log.export import export_log
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.static_log import StaticLog
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.tlog.checkpoint import open_checkpoint
from consent_registry.tlog.note import VerifierKey
from consent_registry.tlog.tile import Bundle, Tile, decode_bundle, new_tiles, split_hashes
from tests.campaigns.support.places import free_port
from tests.support.installation import ISSUER, Installation
from tests.support.sealing import NETWORK, Office, office, tree_root

Read = Callable[[str], bytes]


@pytest_asyncio.fixture(loop_scope="session")
async def desk(installation: Installation, tmp_path: Path) -> AsyncIterator[Office]:
    """A sealed log of 300 leaves."""
    async with installation.copy() as database, office(installation, database, tmp_path / "heads") as sealer:
        sealer.database = database
        await grow(sealer, 300)
        yield sealer


@pytest_asyncio.fixture(loop_scope="session")
async def runtime(installation: Installation, desk: Office) -> AsyncIterator[Runtime]:
    """The runtime of the command line."""
    pool = await open_pool(installation.dsn(desk.database), 2)
    yield Runtime(pool, load_keys(installation.keys), ISSUER)
    await pool.close()


async def grow(desk: Office, size: int) -> None:
    """Add leaves until the log has this size, and seal them."""
    await desk.add_leaves(size - len(await desk.leaves()))
    await desk.seal()


async def export(
    runtime: Runtime, folder: Path, slug: str = NETWORK, open_log: Callable[[Path], StaticLog] = StaticLog
) -> int:
    """Export a network's log."""
    network = await runtime.network(slug)
    assert isinstance(network, Network)
    return await export_log(runtime, network, folder, open_log)


def verify(read: Read, leaves: list[bytes]) -> int:
    """Verify a whole log with its public key; assert that it holds the first of these leaves, and return its size."""
    keys = [VerifierKey.parse(line) for line in read("vkeys").decode().splitlines()]
    checkpoint = open_checkpoint(read("checkpoint"), keys).checkpoint
    assert checkpoint.root == tree_root(leaves[: checkpoint.size])
    for tile in new_tiles(0, checkpoint.size):
        span = 256**tile.level
        starts = [(tile.number * 256 + nth) * span for nth in range(tile.width)]
        assert split_hashes(read(tile.path())) == [tree_root(leaves[start : start + span]) for start in starts]
        if tile.level == 0:
            entries = decode_bundle(read(tile.path().replace("tile/0/", "tile/entries/")), tile.width)
            assert entries == leaves[tile.number * 256 :][: tile.width]
    return checkpoint.size


def reader(folder: Path) -> Read:
    """A function that reads a file of this folder."""
    return lambda path: (folder / path).read_bytes()


async def test_an_export_is_the_whole_log_and_grows(desk: Office, runtime: Runtime, tmp_path: Path) -> None:
    """The first export has everything, a later one adds what is new; full tiles stay, and partial ones are removed."""
    folder = tmp_path / "log"
    assert await export(runtime, folder) == 300
    assert verify(reader(folder), await desk.leaves()) == 300
    first = (folder / "tile/0/000").stat()
    await grow(desk, 70_000)
    await desk.seal()  # a second step: the first one sealed MOST_LEAVES
    assert await export(runtime, folder) == 70_000
    assert verify(reader(folder), await desk.leaves()) == 70_000
    assert (folder / "tile/0/000").stat().st_mtime_ns == first.st_mtime_ns
    partials = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.p/*"))
    assert partials == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]
    assert not [path for path in folder.rglob(".*") if path.is_file()], "an unfinished file was left"


class Filling(StaticLog):
    """A static log on a disk that has room for `room` files."""

    def __init__(self, folder: Path, room: int) -> None:
        super().__init__(folder)
        self._room = room

    def add(self, place: Tile | Bundle, content: bytes) -> None:
        """Add a file while there is room."""
        self._room -= 1
        if self._room < 0:
            raise OSError("the disk is full")
        super().add(place, content)


async def test_a_broken_off_export_is_still_the_old_log(desk: Office, runtime: Runtime, tmp_path: Path) -> None:
    """An export that breaks off at any file leaves a complete older log; the next export completes the new one."""
    folder = tmp_path / "log"
    await export(runtime, folder)
    await grow(desk, 900)
    for room in range(7):  # two full tiles and a partial one, as many bundles, one tile above
        with pytest.raises(OSError, match="full"):
            await export(runtime, folder, open_log=partial(Filling, room=room))
        assert verify_fallback(folder, await desk.leaves()) == 300
    await export(runtime, folder)
    assert verify(reader(folder), await desk.leaves()) == 900


def verify_fallback(folder: Path, leaves: list[bytes]) -> int:
    """Verify as a client that reads the full tile where a partial one was removed (tlog-tiles, "Partial Tiles")."""

    def read(path: str) -> bytes:
        place, _, width = path.partition(".p/")
        if width and not (folder / path).exists():
            content = (folder / place).read_bytes()
            return content[: len(content) // 256 * int(width)]
        return (folder / path).read_bytes()

    return verify(read, leaves)


async def test_what_was_exported_is_never_replaced(desk: Office, runtime: Runtime, tmp_path: Path) -> None:
    """A changed file, a larger checkpoint, or a checkpoint of another log ends the export; nothing is published."""
    folder = tmp_path / "log"
    await export(runtime, folder)
    shutil.copytree(folder, larger := tmp_path / "larger")
    await grow(desk, 600)
    changed = folder / "tile/0/001"
    changed.write_bytes(bytes(8192))
    with pytest.raises(Unusable, match="changed"):
        await export(runtime, folder)
    assert b"\n300\n" in (folder / "checkpoint").read_bytes()
    changed.unlink()
    await export(runtime, folder)
    note = (larger / "checkpoint").read_bytes()
    for wrong in (note.replace(b"\n300\n", b"\n700\n"), note.replace(b"registry.test", b"registry.rest")):
        (larger / "checkpoint").write_bytes(wrong)
        with pytest.raises(Unusable, match="another history"):
            await export(runtime, larger)
    with pytest.raises(NotFound):
        await export(runtime, tmp_path / "unsealed", "paderborn")


async def test_tiles_that_do_not_give_the_root_are_not_exported(desk: Office, runtime: Runtime, tmp_path: Path) -> None:
    """Tiles that a superuser changed are not exported."""
    await desk.sql.execute("set session_replication_role = replica")
    await desk.sql.execute("update registry.tiles set data = set_byte(data, 0, get_byte(data, 0) # 1) where level = 1")
    with pytest.raises(Unusable, match="root"):
        await export(runtime, tmp_path / "log")


@contextmanager
def nginx(folder: Path, scratch: Path) -> Iterator[str]:
    """Serve a folder with nginx, configured as in docs/sealing.md."""
    port = free_port()
    guide = (Path(__file__).parents[3] / "docs" / "sealing.md").read_text()
    server = guide.split("```nginx\n")[1].split("```")[0].replace("/srv/consent-log", str(folder.parent))
    server = server.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    settings = (
        f"daemon off; pid {scratch}/pid; error_log {scratch}/error.log; user {'root' if not os.geteuid() else 'x'};"
    )
    places = "".join(
        f"{name}_temp_path {scratch}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (scratch / "nginx.conf").write_text(f"{settings} events {{}} http {{ access_log off; {places} {server} }}")
    with subprocess.Popen(
        ["/usr/sbin/nginx", "-c", str(scratch / "nginx.conf"), "-e", f"{scratch}/start.log"]
    ) as process:
        try:
            until = time.monotonic() + 10
            while not (scratch / "pid").exists():
                assert time.monotonic() < until, (scratch / "start.log").read_text()
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.mark.system
async def test_a_web_server_serves_the_export(desk: Office, runtime: Runtime, tmp_path: Path) -> None:
    """With the guide's configuration, nginx serves a log that verifies, with the headers that the registry sends."""
    await grow(desk, 600)
    await export(runtime, tmp_path / "small")
    (scratch := tmp_path / "nginx").mkdir()
    with nginx(tmp_path / "small", scratch) as base:

        def get(path: str, **headers: str) -> httpx.Response:
            return httpx.get(f"{base}/small/{path}", headers=headers)

        assert verify(lambda path: get(path).raise_for_status().content, await desk.leaves()) == 600
        checkpoint, tile = get("checkpoint"), get("tile/0/000")
        assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
        assert checkpoint.headers["cache-control"] == "max-age=1"
        assert tile.headers["content-type"] == "application/octet-stream"
        assert "immutable" in tile.headers["cache-control"]
        assert get("tile/0/000", **{"If-None-Match": tile.headers["etag"]}).status_code == 304
        assert get("tile/0/009").status_code == 404
