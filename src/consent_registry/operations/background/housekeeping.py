"""Hourly housekeeping in every process: old stored answers are deleted, and the log's partitions are made ahead.

Doing it twice does no harm, so no leader is elected.
"""

import asyncio
import time

import structlog

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.runtime.context import NO_NETWORK, Runtime
from consent_registry.storage.database.database import transaction
from consent_registry.storage.database.idempotency import delete_old_answers
from consent_registry.storage.database.partitions import make_event_partitions

PERIOD = 3600.0
# After a failure, which may be over in a moment.
SOON = 60.0
OVERDUE = 24 * 3600.0

_log = structlog.get_logger(__name__)


class Housekeeping:
    """The housekeeping of one process; `done_at` is when its last round succeeded, on the monotonic clock."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.done_at = time.monotonic()
        self.rounds = 0

    @property
    def is_overdue(self) -> bool:
        """Whether no round has succeeded for a day."""
        return time.monotonic() - self.done_at > OVERDUE

    async def run(self) -> None:
        """Run a round every hour, a minute after a failure, until cancelled."""
        while True:
            pause = SOON
            try:
                await run_round(self._runtime)
            except RegistryError as error:
                _log.warning("housekeeping put off", reason=error.detail)
            except Exception:  # noqa: BLE001 - logged; the next round may succeed
                _log.exception("housekeeping failed")
            else:
                self.done_at, pause = time.monotonic(), PERIOD
                self.rounds += 1
            await asyncio.sleep(pause)


async def run_round(runtime: Runtime) -> None:
    """Delete stored answers older than two days, in every network, and make the log's next partitions."""
    for network in await runtime.networks():
        async with transaction(runtime.pool, network.network_id, ()) as connection:
            await delete_old_answers(connection, network.network_id)
    async with transaction(runtime.pool, NO_NETWORK, ()) as connection:
        await make_event_partitions(connection)
