"""The warnings of a process are those of its newest round: rounds never overlap."""

import asyncio

import pytest

from consent_registry.operations.background.warnings import Warnings
from tests.support.installation import Registry


class Counted(Warnings):
    """Warnings that count how many of their rounds run at the same time."""

    at_once = 0
    most = 0

    async def _refresh(self) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await super()._refresh()
        self.at_once -= 1


@pytest.fixture
def warnings(registry: Registry) -> Counted:
    """Warnings beside the application's own, on the same runtime."""
    state = registry.app.state
    return Counted(state.shared.runtime, state.housekeeping)


async def test_rounds_come_one_after_another(warnings: Counted) -> None:
    """A slow round that began earlier cannot overwrite the warnings of a newer round."""
    await asyncio.gather(*(warnings.refresh() for _ in range(5)))
    assert warnings.most == 1


async def test_control_rounds_without_the_lock_overlap(warnings: Counted) -> None:
    """Control: without their lock the same rounds overlap."""
    await asyncio.gather(*(warnings._refresh() for _ in range(5)))
    assert warnings.most > 1
