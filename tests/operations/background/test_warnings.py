"""The warnings of a process come from its newest look at the database: looks never overlap."""

import asyncio

import pytest

from consent_registry.operations.background.warnings import Watch
from tests.support.installation import Registry


class Counted(Watch):
    """A watch that counts how many of its rounds look at the same time."""

    at_once = 0
    most = 0

    async def _look(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await super()._look()
        self.at_once -= 1


@pytest.fixture
def watch(registry: Registry) -> Counted:
    """A watch beside the application's own, on the same runtime."""
    state = registry.app.state
    return Counted(state.doors.runtime, state.housekeeping)


async def test_rounds_come_one_after_another(watch: Counted) -> None:
    """A slow round that began earlier cannot put its older findings over those of a newer one."""
    await asyncio.gather(*(watch.look() for _ in range(5)))
    assert watch.most == 1


async def test_control_rounds_without_the_lock_overlap(watch: Counted) -> None:
    """Control: without their lock the same rounds look at the same time."""
    await asyncio.gather(*(watch._look() for _ in range(5)))
    assert watch.most > 1
