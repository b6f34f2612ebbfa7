"""Readiness: whether a decision could be recorded now, tried in the database of every network."""

import asyncio
from pathlib import Path

import structlog

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.erasure.ledger_check import LedgerCheck
from consent_registry.operations.runtime.context import NO_NETWORK, Runtime
from consent_registry.storage.database.database import transaction
from consent_registry.storage.database.probes import probe_log, probe_room

# Seconds for which an answer is given again: many requests to /ready must not become a load of their own.
HOLDS = 0.5
# Seconds that a probe may take.
LIMIT = 3.0

_log = structlog.get_logger(__name__)


class Readiness:
    """Answers /ready for one process."""

    def __init__(self, runtime: Runtime, ledger: Path | None = None) -> None:
        self._runtime = runtime
        self._ledger = LedgerCheck(runtime, ledger)
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._reason: str | None = "not asked yet"

    async def why_not_ready(self) -> str | None:
        """None when a decision could be recorded now; else the reason why not."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() - self._asked_at >= HOLDS:
                failed_before = self._reason is not None
                self._reason = await self._probe(thorough=failed_before or self._runtime.failed_lately())
                self._asked_at = loop.time()
            return self._reason

    async def _probe(self, *, thorough: bool) -> str | None:
        try:
            async with asyncio.timeout(LIMIT):
                for network in await self._runtime.networks():
                    async with transaction(self._runtime.pool, network.network_id, ()) as connection:
                        await probe_log(connection, network.network_id)
                if thorough:
                    async with transaction(self._runtime.pool, NO_NETWORK, ()) as connection:
                        await probe_room(connection)
                return await self._ledger.why_not_ready()
        except TimeoutError:
            return "nothing can be recorded: the database does not answer in time"
        except (RegistryError, OSError):
            return "nothing can be recorded: the database cannot be reached, or refuses"
        except Exception:  # noqa: BLE001 - logged; any error means not ready
            _log.exception("readiness probe failed")
            return "nothing can be recorded: an unexpected error, which the server's log names"
