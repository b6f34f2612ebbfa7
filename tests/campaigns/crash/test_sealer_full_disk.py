"""The signer's own disk is full: nothing is signed whose head is not on it, and room brings everything back."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from consent_registry.storage.files.signed_heads import HeadNotKept, SignedHead, SignedHeads
from tests.campaigns.crash.test_blocked_log import disk_full, small_disk
from tests.campaigns.log.sealers import check_all, published, said, sealer, until_sealed
from tests.support.installation import Installation
from tests.support.sealing import NETWORK, Office, office

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system"),
]

PAGES = "size=256k"
FULL_S = 4.0


@pytest_asyncio.fixture(loop_scope="session")
async def desk(installation: Installation) -> AsyncIterator[Office]:
    """Give a log with leaves, and a signer whose memory is on a small disk."""
    with small_disk(PAGES) as disk:
        # What sealers print is beside it, on another disk.
        async with installation.copy() as database, office(installation, database, disk) as opened:
            opened.database = database
            await opened.add_leaves(300)
            yield opened


async def remembered(desk: Office) -> SignedHead | None:
    """Return what is on the signer's disk."""
    return desk.tools.heads.read(NETWORK, (await desk.log()).origin)


async def test_nothing_is_signed_without_its_head_on_the_disk(desk: Office, installation: Installation) -> None:
    """While the disk is full the published checkpoint and the signer's memory stay as they were, and it is said why;
    with room the log is sealed within seconds.
    """
    size = len(await desk.leaves())
    with sealer(desk, installation.keys):
        await until_sealed(desk, size)
        before, head = await published(desk), await remembered(desk)
        assert head is not None
        assert head.size == size
        async with disk_full(desk.folder):
            await desk.add_leaves(40)
            await asyncio.sleep(FULL_S)
            assert await published(desk) == before
            assert await remembered(desk) == head
            with pytest.raises(HeadNotKept, match="No space left"):
                await desk.seal()
        assert "sealing is put off" in said(desk)
        assert "own disk took no new head" in said(desk)
        assert await until_sealed(desk, size + 40) < 15
        assert "HALTED" not in said(desk)
    await check_all(desk)


async def test_killed_on_a_full_disk(desk: Office, installation: Installation) -> None:
    """A sealer that ends while there is no room leaves nothing that another could take for a head."""
    size = len(await desk.leaves())
    with sealer(desk, installation.keys):
        await until_sealed(desk, size)
    head = await remembered(desk)
    async with disk_full(desk.folder):
        await desk.add_leaves(40)
        with sealer(desk, installation.keys) as running:
            await asyncio.sleep(FULL_S)
            running.kill()
        assert SignedHeads(desk.folder).read(NETWORK, (await desk.log()).origin) == head
    with sealer(desk, installation.keys):
        await until_sealed(desk, size + 40)
    await check_all(desk)


async def test_the_control_is_seen(desk: Office, installation: Installation) -> None:
    """A sealer that signs all the same is found: something is published that its disk does not remember."""
    size = len(await desk.leaves())
    with sealer(desk, installation.keys):
        await until_sealed(desk, size)
    async with disk_full(desk.folder):
        await desk.add_leaves(40)
        with sealer(desk, installation.keys, "tests.campaigns.defects.sealer_ignoring_full_disk"):
            await until_sealed(desk, size + 40)
        head = await remembered(desk)
        assert head is not None
        assert head.size < (await published(desk))[-1][0]
