"""What each process looks at all the time: how late it is in the database, and what will need an operator soon.

A warning does not make the registry unready: decisions can be recorded and are right. It stands in /ready and, when it
begins and when it is over, in the server's log.
"""

import asyncio
from pathlib import Path

import structlog

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.background.housekeeping import Housekeeping
from consent_registry.operations.background.sealing_lag import SealingLag
from consent_registry.operations.running.context import NO_NETWORK, Runtime
from consent_registry.storage.database.clock import CLOCKS_APART, compare_clocks
from consent_registry.storage.database.database import transaction
from consent_registry.storage.database.parameter_logging import find_parameter_logging
from consent_registry.storage.database.partitions import FEWEST_AHEAD, partition_state

PERIOD = 2.0

_log = structlog.get_logger(__name__)


class Watch:
    """What one process has to warn of, as of its last look."""

    def __init__(self, runtime: Runtime, housekeeping: Housekeeping, sealer_state: Path | None = None) -> None:
        self._runtime = runtime
        self._housekeeping = housekeeping
        self.sealing = SealingLag(runtime, sealer_state)
        # One round at a time: a round that began earlier and ended later would put older findings over newer ones.
        self._looking = asyncio.Lock()
        self.warnings: list[str] = []

    async def keep_looking(self) -> None:
        """Look again and again until cancelled; a database that is away is readiness's business."""
        while True:
            try:
                await self.look()
            except RegistryError:
                pass
            except Exception:  # noqa: BLE001 - logged; the next round may go better
                _log.exception("the watch failed")
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Look once; what this round finds is what counts when it returns."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
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
        for begun in set(found) - set(self.warnings):
            _log.warning("warning", warning=begun, behind=round(clocks.behind, 1), ahead=partitions.months_ahead)
        for over in set(self.warnings) - set(found):
            _log.info("warning over", warning=over)
        self.warnings = found
