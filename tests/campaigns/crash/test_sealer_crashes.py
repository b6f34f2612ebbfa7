"""Killed at every step, overtaken while standing still, cut off, with a database put back: what is signed never forks.

The cases are those of the table in docs/verifying.md, "What a sealer does after a crash". Cases 1 and 2, which happen
before there is anything to seal, are in test_commit_crashes.py.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.storage.files.signed_heads import SignedHead
from tests.campaigns.defects.crashing_sealer import STEPS
from tests.campaigns.log.sealers import (
    LIMIT_S,
    check_all,
    go_on,
    published,
    said,
    sealer,
    start,
    stopped,
    until_nobody_leads,
    until_sealed,
)
from tests.support.installation import Installation
from tests.support.sealing import NETWORK, Office, office, tree_root

pytestmark = pytest.mark.campaign

CONTROL = "tests.campaigns.defects.crashing_sealer"
# Steps before which the new head is not on the signer's disk: what was sealed then is sealed later, with all that came.
UNPROMISED = {"before tiles", "tiles written, not committed", "tiles committed", "half a head on disk"}


@pytest_asyncio.fixture(loop_scope="session")
async def desk(installation: Installation, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a database of this test's own with a sealed log, and more leaves that are not sealed yet."""
    async with installation.copy() as database, office(installation, database, tmp_path / "heads") as opened:
        opened.database = database
        await opened.add_leaves(300)
        for slug in ("small", "paderborn", "widunetz"):
            await opened.seal(slug)
        await opened.add_leaves(333)
        yield opened


async def head_of(desk: Office) -> SignedHead:
    """Return what the signer remembers."""
    head = desk.tools.heads.read(NETWORK, (await desk.log()).origin)
    assert head is not None
    return head


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_killed_at_every_step(desk: Office, installation: Installation, step: str) -> None:
    """Cases 3 to 6: nothing is lost or signed twice; a head that reached the disk is the first to be published."""
    before, size = await published(desk), len(await desk.leaves())
    dying = start(desk, installation.keys, CONTROL, step)
    assert dying.wait(LIMIT_S) == -signal.SIGKILL, said(desk)
    promised = await head_of(desk)
    at_death = await published(desk)
    assert (promised.size == size) is (step not in UNPROMISED)
    assert at_death == before + ([(size, tree_root(await desk.leaves()))] if step == "published" else [])
    # Decisions went on while nobody sealed.
    await desk.add_leaves(7)
    with sealer(desk, installation.keys):
        await until_sealed(desk, size + 7)
    after = (await published(desk))[len(at_death) :]
    if step not in {*UNPROMISED, "published"}:
        assert after[0] == (promised.size, promised.root)
    await check_all(desk)


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_a_leader_that_stood_still_wakes_up_behind_another(
    desk: Office, installation: Installation, step: str
) -> None:
    """Case 7: wherever it stands still the other goes on, and the one that wakes up changes nothing of that."""
    with sealer(desk, installation.keys, CONTROL, step, "stop") as old:
        began_at = time.monotonic()
        while not stopped(old):
            assert time.monotonic() - began_at < LIMIT_S, said(desk)
            await asyncio.sleep(0.05)
        # Its sessions are cut, as an operator or a failover would: its lock is free, and it does not know.
        await desk.sql.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and pid <> pg_backend_pid()"
            " and datname = current_database() and application_name <> 'desk'",
            "consent_registry_sealer",
        )
        await until_nobody_leads(desk.sql)
        with sealer(desk, installation.keys):
            await desk.add_leaves(11)
            await until_sealed(desk, len(await desk.leaves()))
            go_on(old)
            for _ in range(10):
                await desk.add_leaves(5)
                await asyncio.sleep(0.1)
            await until_sealed(desk, len(await desk.leaves()))
        await desk.add_leaves(5)
        await until_sealed(desk, len(await desk.leaves()))  # the old one leads again
    await check_all(desk)


async def test_two_sealers_that_both_believe_they_lead(desk: Office, installation: Installation) -> None:
    """Case 7 without the lock: both seal at once for a while; one memory keeps them to one history."""
    with (
        sealer(desk, installation.keys, "tests.campaigns.defects.sealer_without_lock"),
        sealer(desk, installation.keys, "tests.campaigns.defects.sealer_without_lock"),
    ):
        until = time.monotonic() + 12
        while time.monotonic() < until:
            await desk.add_leaves(40)
            await asyncio.sleep(0.05)
        await until_sealed(desk, len(await desk.leaves()))
    assert "another sealer signed in between" in said(desk), "they never met"
    assert "HALTED" not in said(desk)
    await check_all(desk)


async def test_a_database_that_was_put_back_is_not_signed(
    desk: Office, installation: Installation, tmp_path: Path
) -> None:
    """Case 8: an older copy grows on to the size that was signed and beyond; the sealer halts, loudly, and goes on when
    the history it signed is there again.
    """
    origin = desk.database
    admin = await asyncpg.connect(installation.cluster.dsn())
    older = f"{origin}_older"
    await desk.tools.pool.close()
    await desk.sql.close()
    try:
        await admin.execute(f"create database {older} template {origin}")
        await admin.execute(f"revoke temporary on database {older} from public")
        async with office(installation, origin, tmp_path / "heads") as first:
            await first.seal()
            signed = await head_of(first)
        async with office(installation, older, tmp_path / "heads") as back:
            await back.add_leaves(900)
            with sealer(back, installation.keys) as running:
                await asyncio.sleep(3)
                assert running.poll() is None
            assert "SEALING IS HALTED" in said(back)
            assert all(size < signed.size for size, _ in await published(back))
            assert await head_of(back) == signed
            # The control: one that believes the database signs a second history at once.
            with sealer(back, installation.keys, "tests.campaigns.defects.sealer_without_disk"):
                await until_sealed(back, signed.size + 1)
        async with office(installation, origin, tmp_path / "heads") as again:
            await again.add_leaves(3)
            with sealer(again, installation.keys):
                await until_sealed(again, signed.size + 3)
            await check_all(again)
    finally:
        await admin.execute(f"drop database if exists {older} with (force)")
        await admin.close()


async def test_an_older_copy_of_the_memory_is_not_believed(desk: Office, installation: Installation) -> None:
    """The signer's own folder put back from a backup: it halts rather than sign a second history."""
    older = Path(shutil.copytree(desk.folder, desk.folder.with_name("older")))
    await desk.seal()
    await desk.add_leaves(3)
    before = await published(desk)
    with sealer(desk, installation.keys, folder=older):
        await asyncio.sleep(3)
    assert "does not remember" in said(desk)
    assert await published(desk) == before


async def test_a_database_that_refuses_to_write(desk: Office, installation: Installation) -> None:
    """Case 9 for the sealer: read-only for a while, it signs nothing, and catches up within seconds afterwards."""
    ended = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'consent_registry_sealer'"
    with sealer(desk, installation.keys):
        await until_sealed(desk, len(await desk.leaves()))
        before = await published(desk)
        await desk.sql.execute(f"alter database {desk.database} set default_transaction_read_only = on")
        await desk.sql.execute(ended)
        await desk.sql.execute("set default_transaction_read_only = off")
        await desk.add_leaves(5)
        await asyncio.sleep(3)
        assert await published(desk) == before
        assert "the sealer lost its connection" in said(desk)
        await desk.sql.execute(f"alter database {desk.database} reset default_transaction_read_only")
        await desk.sql.execute(ended)
        assert await until_sealed(desk, len(await desk.leaves())) < 15
    await check_all(desk)


async def test_sigterm_seals_what_is_there(desk: Office, installation: Installation) -> None:
    """Asked to stop, a sealer seals once more and ends with 0 within the supervisor's patience."""
    with sealer(desk, installation.keys) as running:
        await until_sealed(desk, len(await desk.leaves()))
        await desk.add_leaves(21)
        running.terminate()
        assert running.wait(5) == 0
    await check_all(desk)


def test_a_sealer_without_settings_says_what_is_missing() -> None:
    """One line, exit code 1."""
    run = subprocess.run(
        [sys.executable, "-m", "consent_registry", "seal"],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert "CONSENT_REGISTRY_SEALER_DATABASE_URL" in run.stderr
