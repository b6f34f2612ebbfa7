"""Clocks that jump under a sealer, its own and the database's: it goes on sealing, and signs one history."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from consent_registry.operations.log.witness_service import Witness
from consent_registry.process.postgres.cluster import prepare
from consent_registry.storage.files.witness_state import WitnessState
from consent_registry.tlog.cosignature import cosignatures
from consent_registry.tlog.note import COSIGNATURE, SignedNote, SignerKey
from tests.campaigns.clocks.settable_clocks import NOW, SEEN_S, Face, in_the_environment
from tests.campaigns.log.sealers import check_all, said, sealer, until_sealed
from tests.campaigns.support.places import scratch
from tests.campaigns.tampering.register import Attending
from tests.support.installation import Installation, install
from tests.support.sealing import NETWORK, Office, office

pytestmark = pytest.mark.system

HOURS, DAY = timedelta(hours=2), timedelta(days=1)
JUMPS = [
    *((jump, NOW) for jump in (HOURS, -HOURS, DAY, -DAY, NOW)),
    *((NOW, jump) for jump in (HOURS, -HOURS, DAY, -DAY, NOW)),
    *((jump, jump) for jump in (DAY, -DAY)),
    (DAY, -DAY),
]
# A sealer that was put off tries again after a second, and one that halted after ten.
SOON_S, CONTROL_S = 20.0, 8.0


@dataclass(slots=True)
class Clocked:
    """A sealer's desk, and the two clocks."""

    desk: Office
    installation: Installation
    own: Face
    database: Face

    async def set(self, own: timedelta = NOW, database: timedelta = NOW) -> None:
        """Set both, and wait until every process has looked."""
        self.own.set(own)
        self.database.set(database)
        await asyncio.sleep(SEEN_S)

    async def refuse(self, *, writing: bool) -> None:
        """Let the database refuse to be written to, or no longer."""
        setting = (
            f"alter database {self.desk.database} set default_transaction_read_only = {'off' if writing else 'on'}"
        )
        await self.desk.sql.execute("set default_transaction_read_only = off")
        await self.desk.sql.execute(setting)
        await self.desk.sql.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'consent_registry_sealer'"
        )


@pytest_asyncio.fixture(loop_scope="session")
async def clocked(tmp_path: Path) -> AsyncIterator[Clocked]:
    """Run a PostgreSQL with a clock of its own, and give a log there."""
    with scratch("sealer-clocks") as folder:
        own, database = Face(folder / "own.clock"), Face(folder / "database.clock")
        own.set(NOW)
        database.set(NOW)
        cluster = prepare(folder / "postgres", sync=False)
        with in_the_environment(database.environment()):
            cluster.start()
        try:
            keys = folder / "keys"
            keys.mkdir(mode=0o700)
            installation = await install(cluster, keys)
            async with installation.copy() as name, office(installation, name, tmp_path / "heads") as desk:
                desk.database = name
                await desk.add_leaves(300)
                yield Clocked(desk, installation, own, database)
        finally:
            cluster.stop()


async def test_no_jump_stops_sealing_or_forks_the_log(clocked: Clocked) -> None:
    """Two hours and a day, forth and back, its own clock, the database's, both and apart, in the middle of sealing and
    while the database refuses: what comes is sealed soon, and every checkpoint ever published is of one history.
    """
    desk = clocked.desk
    with in_the_environment(clocked.own.environment()), sealer(desk, clocked.installation.keys):
        await until_sealed(desk, 300)
        for own, database in JUMPS:
            await desk.add_leaves(30)
            await clocked.set(own, database)
            await desk.add_leaves(30)
            assert await until_sealed(desk, len(await desk.leaves())) < SOON_S, (own, database)
        assert await _goes_on(clocked, SOON_S)
        assert "HALTED" not in said(desk)
    await clocked.set()
    await check_all(desk)


def _put_off(desk: Office) -> int:
    """Return how often the sealer could not go on: with a connection that it had, or for a new one."""
    return sum(said(desk).count(words) for words in ("sealing is put off", "the sealer lost its connection"))


async def _goes_on(clocked: Clocked, limit_s: float) -> bool:
    """Put the sealer off, set its clock a day back, let it go on; return whether it did."""
    desk = clocked.desk
    await clocked.set(DAY)
    await desk.add_leaves(30)
    await clocked.refuse(writing=False)
    before = _put_off(desk)
    began_at = time.monotonic()
    while _put_off(desk) == before:
        await desk.add_leaves(1)
        assert time.monotonic() - began_at < SOON_S
        await asyncio.sleep(0.1)
    await clocked.set(NOW)
    await clocked.refuse(writing=True)
    try:
        await until_sealed(desk, len(await desk.leaves()), limit_s)
    except AssertionError:
        return False
    return True


async def test_control_by_the_clock_on_the_wall(clocked: Clocked) -> None:
    """A sealer that waits by a clock that can be set waits for a day, and the campaign sees it."""
    desk = clocked.desk
    control = "tests.campaigns.defects.wall_clock_sealer"
    with in_the_environment(clocked.own.environment()), sealer(desk, clocked.installation.keys, control):
        await until_sealed(desk, 300)
        assert not await _goes_on(clocked, CONTROL_S)


async def test_the_latest_word_counts_after_the_clock_was_set_back(clocked: Clocked, tmp_path: Path) -> None:
    """Nothing new for a while: the checkpoint that is cosigned again is the one that is served, though the database's
    clock was a day ahead when the one before it was published.
    """
    key = SignerKey.of_seed("witness.example/w1", secrets.token_bytes(32), COSIGNATURE)
    times = iter(range(1000, 2000))
    witness = Witness(WitnessState(tmp_path / "witness"), key, lambda: next(times))
    witness.state.make(key)
    async with office(clocked.installation, clocked.desk.database, tmp_path / "heads", Attending(witness)) as desk:
        log = await desk.log()
        witness.state.trust(SignerKey(log.origin, desk.tools.keys.all(log.origin)[0]).verifier)
        seen = []
        for database in (DAY, NOW, -DAY, HOURS):
            await clocked.set(database=database)
            await desk.seal(NETWORK, again=True)
            note = SignedNote.parse((await desk.checkpoint()).note.format())
            seen.append(cosignatures(note, [key.verifier])[key.verifier])
        assert seen == [1000, 1001, 1002, 1003]
