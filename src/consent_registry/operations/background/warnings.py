"""The warnings of a process: every two seconds it checks what will soon need an operator and reads the database clock.

A warning does not make the registry unready: decisions can be recorded and are right. `/ready` lists it; the server's
log has a line when it begins and one when it is over.
"""

import asyncio
from pathlib import Path

import structlog

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.background.housekeeping import Housekeeping
from consent_registry.operations.background.sealing_lag import SealingLag
from consent_registry.operations.runtime.context import NO_NETWORK, Runtime
from consent_registry.storage.database.clock import CLOCKS_APART, compare_clocks
from consent_registry.storage.database.database import transaction
from consent_registry.storage.database.parameter_logging import find_parameter_logging
from consent_registry.storage.database.partitions import FEWEST_AHEAD, partition_state

PERIOD = 2.0

_log = structlog.get_logger(__name__)


class Warnings:
    """The warnings of one process, as of its last round."""

    def __init__(self, runtime: Runtime, housekeeping: Housekeeping, sealer_state: Path | None = None) -> None:
        self._runtime = runtime
        self._housekeeping = housekeeping
        self.sealing = SealingLag(runtime, sealer_state)
        # One round at a time: a round that began earlier and ended later would overwrite newer warnings.
        self._refreshing = asyncio.Lock()
        self.current: list[str] = []

    async def run(self) -> None:
        """Refresh every PERIOD seconds until cancelled. An unreachable database is reported by `/ready` itself."""
        while True:
            try:
                await self.refresh()
            except RegistryError:
                pass
            except Exception:  # noqa: BLE001 - logged; the next round may go better
                _log.exception("checking for warnings failed")
            await asyncio.sleep(PERIOD)

    async def refresh(self) -> None:
        """Check once; when this returns, `current` is what this round found."""
        async with self._refreshing:
            await self._refresh()

    async def _refresh(self) -> None:
        async with transaction(self._runtime.pool, NO_NETWORK, ()) as connection:
            clocks = await compare_clocks(connection)
            partitions = await partition_state(connection)
            logging = await find_parameter_logging(connection)
        self._runtime.clock.note(clocks.database_at)
        found = []
        if abs(clocks.behind) > CLOCKS_APART:
            found.append("clock: this machine's differs from the database's, whose counts")
        if partitions.months_ahead < FEWEST_AHEAD:
            found.append(f"partitions: fewer than {FEWEST_AHEAD} months ahead have one")
        if partitions.default_holds_rows:
            found.append("partitions: the default partition of events holds rows")
        if self._housekeeping.is_overdue:
            found.append("housekeeping: no round has gone well for a day")
        if late := await self.sealing.late():
            found.append(f"sealing: logs have had no new checkpoint for too long: {'; '.join(late)}")
        if logging:
            found.append(f"parameters: the database's log may show values: {', '.join(logging)}")
        for begun in set(found) - set(self.current):
            _log.warning("warning", warning=begun, behind=round(clocks.behind, 1), ahead=partitions.months_ahead)
        for over in set(self.current) - set(found):
            _log.info("warning over", warning=over)
        self.current = found
