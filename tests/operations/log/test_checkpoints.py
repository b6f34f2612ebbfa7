"""Sealing step by step: which head is on the signer's disk, which is published, and when nothing is signed."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from consent_registry.operations.log import checkpoints
from consent_registry.operations.log.checkpoints import HistoryChanged, SealingState
from consent_registry.operations.log.witnesses import BelowQuorum, Prove
from consent_registry.storage.files.key_files import SecretKey
from consent_registry.storage.files.signed_heads import HeadMoved, SignedHead, SignedHeads
from consent_registry.storage.keys.log_keys import LogKeys
from consent_registry.tlog.note import NoteRefused, SignerKey
from tests.support.installation import Installation
from tests.support.sealing import NETWORK, Office, office, tree_root


@pytest_asyncio.fixture(loop_scope="session")
async def desk(installation: Installation, tmp_path: Path) -> AsyncIterator[Office]:
    """A sealer on a database that only this test uses."""
    async with installation.copy() as database, office(installation, database, tmp_path / "heads") as sealer:
        yield sealer


@pytest.mark.parametrize("sizes", [(1, 2, 255, 256, 257), (256, 65535, 65536, 65537, 70000)])
async def test_every_size_is_sealed_with_the_root_of_its_leaves(desk: Office, sizes: tuple[int, ...]) -> None:
    """At sizes around the edges of tiles and levels, the published root is RFC 6962's, and each tile is stored once."""
    start = len(await desk.leaves())
    for size in (size for size in sizes if size > start):
        await desk.add_leaves(size - len(await desk.leaves()))
        while (await desk.seal()).size < size:
            pass
        assert await desk.check() == size
    widths = await desk.sql.fetch(
        "select level, number, count(*) from registry.tiles where network_id = $1 group by 1, 2 having count(*) > 1",
        (await desk.log()).network_id,
    )
    assert widths == [], "a narrower stage of a tile was kept"


async def test_sealing_again_publishes_the_same_root_anew(desk: Office) -> None:
    """Without new leaves nothing is published, except with `again`: then the same note is published once more."""
    size = (await desk.seal()).size
    first = await desk.checkpoint()
    assert (await desk.seal()).age > 0
    assert (await desk.seal(again=True)) == checkpoints.SealedSize(size, 0.0)
    assert await desk.sql.fetchval("select count(*) from registry.checkpoints") == 2
    assert (await desk.checkpoint()).note == first.note


async def test_networks_have_their_own_trees(desk: Office) -> None:
    """Each log is sealed under its own origin and by its own key."""
    for slug in (NETWORK, "paderborn", "widunetz"):
        await desk.seal(slug)
        assert await desk.check(slug) == len(await desk.leaves(slug))
        assert (await desk.checkpoint(slug)).checkpoint.origin == (await desk.log(slug)).origin


REWRITES = {
    "the last leaf is another": "update registry.leaves set leaf = '\\x01'::bytea || sha256(leaf)"
    " where network_id = {n} and log_index = {size} - 1",
    "the last leaves are gone": "delete from registry.leaves where log_index > 5 and network_id = {n}",
    "the right edge's tile is gone": "delete from registry.tiles where network_id = {n}",
    "the right edge's tile is another": "update registry.tiles set data = set_byte(data, 6, get_byte(data, 6) # 1)"
    " where network_id = {n}",
    "a checkpoint nobody remembers": "insert into registry.checkpoints select network_id, size + 1, now(), root, note"
    " from registry.checkpoints where network_id = {n}",
    "a checkpoint with another root": "update registry.checkpoints set root = sha256(root) where network_id = {n}",
}


@pytest.mark.parametrize("rewrite", REWRITES, ids=str)
async def test_nothing_is_signed_when_history_changed(desk: Office, rewrite: str) -> None:
    """After a superuser removed or changed any part of the signed log, the sealer refuses to sign."""
    await desk.add_leaves(10)
    size = (await desk.seal()).size
    published = await desk.sql.fetchval("select count(*) from registry.checkpoints")
    await desk.sql.execute("set session_replication_role = replica")
    changed = await desk.sql.execute(REWRITES[rewrite].format(n=(await desk.log()).network_id, size=size))
    assert not changed.endswith(" 0")
    added = changed.startswith("INSERT")
    await desk.add_leaves(20)
    with pytest.raises(HistoryChanged):
        await desk.seal(again=True)
    assert await desk.sql.fetchval("select count(*) from registry.checkpoints") == published + added


async def test_a_gap_in_the_new_leaves_is_not_signed(desk: Office) -> None:
    """New leaves with a gap are not sealed."""
    await desk.seal()
    await desk.add_leaves(10)
    await desk.sql.execute("set session_replication_role = replica")
    await desk.sql.execute(
        "delete from registry.leaves where log_index = (select max(log_index) - 3 from registry.leaves"
        " where network_id = $1) and network_id = $1",
        (await desk.log()).network_id,
    )
    with pytest.raises(HistoryChanged, match="gap"):
        await desk.seal()


async def test_a_lost_memory_is_not_made_up(desk: Office) -> None:
    """A sealer with an empty folder, or with an older copy of it, does not sign a log that has checkpoints."""
    await desk.seal()
    shutil.copytree(desk.folder, older := desk.folder.with_name("older"))
    await desk.add_leaves(3)
    await desk.seal()
    for folder in (older, desk.folder.with_name("none")):
        folder.mkdir(exist_ok=True)
        forgetful = msgspec.structs.replace(desk.tools, heads=SignedHeads(folder))
        with pytest.raises(HistoryChanged, match="does not remember"):
            await checkpoints.seal(forgetful, await desk.log())


class Overtaken(SignedHeads):
    """Heads of a sealer that another one overtakes before it writes its head."""

    def __init__(self, desk: Office, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(desk.folder)
        self._desk, self._loop = desk, loop

    def advance(self, slug: str, origin: str, expected: SignedHead | None, new: SignedHead) -> None:
        """Let the other sealer add leaves and seal them; then write."""
        for work in (self._desk.add_leaves(7), self._desk.seal()):
            asyncio.run_coroutine_threadsafe(work, self._loop).result()
        super().advance(slug, origin, expected, new)


async def test_of_two_sealers_one_goes_on(desk: Office) -> None:
    """A sealer whose head another sealer advanced meanwhile signs nothing, and goes on from the new head."""
    await desk.seal()
    await desk.add_leaves(5)
    slower = msgspec.structs.replace(desk.tools, heads=Overtaken(desk, asyncio.get_running_loop()))
    with pytest.raises(HeadMoved):
        await checkpoints.seal(slower, await desk.log())
    await desk.seal()
    assert await desk.check() == len(await desk.leaves())


class Absent:
    """Witnesses that ask for the proof from every size, and do not cosign."""

    def __init__(self) -> None:
        self.proofs: list[Sequence[bytes]] = []

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:
        """Ask for every proof, then refuse."""
        assert note
        self.proofs = [await prove(old) for old in range(1, size + 1)]
        raise BelowQuorum


async def test_below_quorum_nothing_is_published(installation: Installation, tmp_path: Path) -> None:
    """Below the quorum the head is on disk and not published; with witnesses that head is published before new ones."""
    async with installation.copy() as database, office(installation, database, tmp_path / "h", Absent()) as desk:
        with pytest.raises(BelowQuorum):
            await desk.seal()
        size = len(await desk.leaves())
        assert await desk.sql.fetchval("select count(*) from registry.checkpoints") == 0
        await desk.add_leaves(9)
        desk.tools = msgspec.structs.replace(desk.tools, witnesses=checkpoints.NoWitnesses())
        assert (await desk.seal()).size == size
        assert (await desk.seal()).size == size + 9
        assert (await desk.checkpoint()).checkpoint.root == tree_root(await desk.leaves())


async def test_how_a_log_stands(desk: Office) -> None:
    """The state of a log has its leaves, the published size and the signer's, and names what contradicts them."""
    size = len(await desk.leaves())
    assert await checkpoints.inspect(desk.tools, await desk.log()) == SealingState(size, None, None, None, None)
    await desk.seal()
    await desk.add_leaves(2)
    state = await checkpoints.inspect(desk.tools, await desk.log())
    assert (state.leaves, state.published, state.remembered, state.problem) == (size + 2, size, size, None)
    await desk.sql.execute("set session_replication_role = replica")
    await desk.sql.execute("delete from registry.tiles")
    problem = (await checkpoints.inspect(desk.tools, await desk.log())).problem
    assert problem is not None
    assert "is missing" in problem


async def test_a_signer_without_memory_adopts_what_the_database_contains(desk: Office) -> None:
    """A signer without a head on disk adopts a checkpoint signed by this log's key that no published one exceeds."""
    await desk.seal()
    old = (await desk.checkpoint()).note.format()
    await desk.add_leaves(4)
    await desk.seal()
    new = (await desk.checkpoint()).note.format()
    (empty := desk.folder.with_name("empty")).mkdir()
    forgetful = msgspec.structs.replace(desk.tools, heads=SignedHeads(empty))
    with pytest.raises(HistoryChanged):
        await checkpoints.adopt(forgetful, await desk.log(), old)
    with pytest.raises(NoteRefused):
        await checkpoints.adopt(forgetful, await desk.log("paderborn"), new)
    with pytest.raises(NoteRefused):
        await checkpoints.adopt(forgetful, await desk.log(), new.replace(b"\n", b"\n1", 1))
    with pytest.raises(HeadMoved):
        await checkpoints.adopt(desk.tools, await desk.log(), new)
    assert (await checkpoints.adopt(forgetful, await desk.log(), new)).size == len(await desk.leaves())
    await desk.add_leaves(1)
    assert (await checkpoints.seal(forgetful, await desk.log())).size == await desk.check()


async def test_a_new_key_signs_beside_the_old_one_and_then_alone(desk: Office) -> None:
    """During the overlap both keys sign a checkpoint; before its time a key does not sign; all signatures verify."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    old = SecretKey("log-1", bytes(range(32)), until=now + timedelta(days=20))
    new = SecretKey("log-2", bytes(range(100, 132)), active_from=now + timedelta(days=10))
    origin, lines = (await desk.log()).origin, []
    for days in (0, 10, 19, 20):
        keys = LogKeys((old, new), now + timedelta(days=days))
        desk.tools = msgspec.structs.replace(desk.tools, keys=keys)
        await desk.seal(again=True)
        opened = await desk.checkpoint()
        lines.append([signature.key_id for signature in opened.note.signatures])
        assert {key.name for key in opened.keys} == {origin}
        assert {SignerKey(origin, key).verifier for key in keys.signing(origin)} == set(opened.keys)
    (first,), both, same, (second,) = lines
    assert first != second
    assert both == same == [second, first], "the current key's line comes first"
