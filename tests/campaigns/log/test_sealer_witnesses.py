"""A sealer with a witness: nothing is published that the quorum has not seen, however long the witness is away."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from consent_registry.operations.log.checkpoints import MOST_LEAVES
from consent_registry.storage.files.witness_state import WitnessState
from consent_registry.tlog.note import COSIGNATURE, SignerKey
from consent_registry.tlog.policy import Policy, open_trusted
from tests.campaigns.log.sealers import LIMIT_S, check_all, published, said, sealer, start, until_sealed
from tests.campaigns.support.places import free_port
from tests.campaigns.support.server import ROOT
from tests.support.installation import Installation
from tests.support.sealing import NETWORK, Office, office

pytestmark = pytest.mark.campaign

CONTROL = "tests.campaigns.defects.crashing_sealer"


@dataclass(slots=True)
class Watched:
    """A log, a witness of it, and the policy that demands it."""

    desk: Office
    keys: Path
    witness: Path
    port: int
    policy: Policy

    @contextmanager
    def witnessing(self) -> Iterator[None]:
        """Run the witness for the length of a block."""
        serve = [sys.executable, "-m", "consent_registry", "witness", "serve", str(self.witness)]
        with subprocess.Popen([*serve, "--port", str(self.port)], cwd=ROOT) as process:
            try:
                until = time.monotonic() + LIMIT_S
                while not self._answers():
                    assert time.monotonic() < until
                    time.sleep(0.1)
                yield
            finally:
                process.terminate()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/").status_code > 0
        except httpx.TransportError:
            return False

    async def is_cosigned(self) -> bool:
        """Assert that the published checkpoint's quorum is met, or return that there is none."""
        notes = await self.desk.sql.fetch(
            "select note from registry.checkpoints join registry.networks using (network_id) where slug = $1", NETWORK
        )
        for row in notes:
            open_trusted(row["note"], self.policy)
        return bool(notes)


@pytest_asyncio.fixture(loop_scope="session")
async def watched(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Watched]:
    """Give a log that is not sealed yet, a witness that knows it, and a policy in the environment of sealers."""
    async with installation.copy() as database, office(installation, database, tmp_path / "heads") as desk:
        await desk.add_leaves(300)
        folder, port = tmp_path / "witness", free_port()
        witness = SignerKey.of_seed("witness.example/w1", secrets.token_bytes(32), COSIGNATURE)
        (state := WitnessState(folder)).make(witness)
        lines = []
        for slug in (NETWORK, "paderborn", "widunetz"):
            origin = (await desk.log(slug)).origin
            vkey = SignerKey(origin, desk.tools.keys.all(origin)[0]).verifier
            state.trust(vkey)
            lines.append(f"log {vkey}")
        text = "\n".join([*lines, f"witness w1 {witness.verifier} http://127.0.0.1:{port}", "quorum w1", ""])
        policy = tmp_path / "policy"
        policy.write_text(text)
        monkeypatch.setenv("CONSENT_REGISTRY_WITNESS_POLICY", str(policy))
        yield Watched(desk, installation.keys, folder, port, Policy.parse(text.encode()))


async def test_a_witness_that_is_away_for_long(watched: Watched) -> None:
    """Sealing stands still below quorum and says so; decisions do not; back, everything is cosigned within seconds."""
    desk = watched.desk
    with sealer(desk, watched.keys):
        with watched.witnessing():
            await until_sealed(desk, len(await desk.leaves()))
        assert await watched.is_cosigned()
        before = await published(desk)
        for _ in range(20):
            await desk.add_leaves(50)
            await asyncio.sleep(0.4)
        assert await published(desk) == before, "published below quorum"
        assert "too few witnesses" in said(desk)
        with watched.witnessing():
            await until_sealed(desk, len(await desk.leaves()))
            await desk.add_leaves(5)
            await until_sealed(desk, len(await desk.leaves()))
    assert await watched.is_cosigned()
    await check_all(desk)


async def test_a_witness_that_is_away_for_a_day(watched: Watched) -> None:
    """The leaves of a day, more than are sealed at once: of all steps the first alone is promised, and waits. Back,
    each is cosigned in its turn, and nothing was signed beside them.
    """
    desk = watched.desk
    with sealer(desk, watched.keys):
        with watched.witnessing():
            await until_sealed(desk, len(await desk.leaves()))
        before = await published(desk)
        await desk.add_leaves(2 * MOST_LEAVES + 1000)
        await asyncio.sleep(6)
        assert await published(desk) == before, "published below quorum"
        head = desk.tools.heads.read(NETWORK, (await desk.log()).origin)
        assert head is not None
        assert before[-1][0] < head.size <= before[-1][0] + MOST_LEAVES
        with watched.witnessing():
            await until_sealed(desk, len(await desk.leaves()), 120)
    assert head.size in [size for size, _ in await published(desk)]
    assert await watched.is_cosigned()
    await check_all(desk)


@pytest.mark.parametrize("step", ["signed", "cosigned", "published, not committed"])
async def test_killed_between_signing_and_publishing(watched: Watched, step: str) -> None:
    """Cases 5 and 6: with the witness unreachable afterwards, then back: the same head again, and nothing before it."""
    desk = watched.desk
    with watched.witnessing():
        dying = start(desk, watched.keys, CONTROL, step)
        assert dying.wait(LIMIT_S) == -signal.SIGKILL, said(desk)
    head = desk.tools.heads.read(NETWORK, (await desk.log()).origin)
    assert head is not None
    await desk.add_leaves(17)
    with sealer(desk, watched.keys):
        await asyncio.sleep(2)
        assert await published(desk) == [], "published without its witness"
        with watched.witnessing():
            await until_sealed(desk, len(await desk.leaves()))
    assert (await published(desk))[0] == (head.size, head.root)
    assert await watched.is_cosigned()
    await check_all(desk)


async def test_a_witness_stops_a_second_history(watched: Watched, installation: Installation) -> None:
    """Memory wiped and database put back at once: the witness has seen more, and nothing is published."""
    desk = watched.desk
    async with installation.copy() as database, office(installation, database, desk.folder.with_name("h2")) as back:
        with watched.witnessing():
            with sealer(desk, watched.keys):
                await until_sealed(desk, len(await desk.leaves()))
            await back.add_leaves(100)
            with sealer(back, watched.keys):
                await asyncio.sleep(4)
            assert await published(back) == []
            assert "beyond ours" in said(back)
            # Grown past the witness's size the history is still another.
            await back.add_leaves(1000)
            with sealer(back, watched.keys):
                await asyncio.sleep(4)
            assert [size for size, _ in await published(back)] == []


async def test_the_control_is_seen(watched: Watched) -> None:
    """A sealer that does not wait for the quorum is found by an auditor who opens its checkpoints with the policy."""
    desk = watched.desk
    with sealer(desk, watched.keys, "tests.campaigns.defects.sealer_ignoring_witnesses"):
        await until_sealed(desk, len(await desk.leaves()))
    with pytest.raises(ValueError, match="quorum"):
        await watched.is_cosigned()
    assert os.environ["CONSENT_REGISTRY_WITNESS_POLICY"]
