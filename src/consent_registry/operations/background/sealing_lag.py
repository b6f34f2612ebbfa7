"""How far the checkpoints are behind the logs, as a server sees it: a warning in `/ready`, which stays ready.

A decision does not need the sealer. But an operator must learn that it has stopped, and the sealer's own log may be on
a machine that nobody looks at.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consent_registry.domain.catalogue import Network
from consent_registry.domain.identifiers import origin_fault
from consent_registry.operations.log.checkpoints import BEHIND, STALE
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import transaction
from consent_registry.storage.files.unsealed_logs import read_unsealed
from consent_registry.storage.log.append import read_size
from consent_registry.storage.log.checkpoints import latest_checkpoint


@dataclass(frozen=True, slots=True)
class LagLimits:
    """Limits in seconds. An answer is reused for `holds`. Leaves may be without a checkpoint for `behind`. A checkpoint
    may be as old as `stale`.
    """

    holds: float = 5.0
    behind: float = BEHIND
    stale: float = STALE


class SealingLag:
    """Measures for one process how far the checkpoints are behind the logs. `folder` is the sealer's, where it is on
    this machine: the sealer writes there why a log is not sealed.
    """

    patience = LagLimits()

    def __init__(self, runtime: Runtime, folder: Path | None = None) -> None:
        self._runtime = runtime
        self._folder = folder
        self._looked_at = float("-inf")
        self._behind_since: dict[int, float] = {}
        self._late: list[str] = []

    async def late(self) -> list[str]:
        """The networks whose unsealed leaves or last checkpoint are older than the limits. Each has the sealer's reason
        if it is known here.
        """
        if time.monotonic() - self._looked_at >= self.patience.holds:
            late = [network for network in await self._runtime.networks() if await self._is_late(network.network_id)]
            reasons = read_unsealed(self._folder) if late else {}
            late.sort(key=lambda network: network.slug)
            self._late = [f"{network.slug} ({_reason(network, reasons)})" for network in late]
            self._looked_at = time.monotonic()
        return self._late

    async def _is_late(self, network_id: int) -> bool:
        async with transaction(self._runtime.pool, network_id, ()) as connection:
            size = await read_size(connection, network_id)
            published = await latest_checkpoint(connection, network_id)
        now = time.monotonic()
        if size <= (0 if published is None else published.size):
            self._behind_since.pop(network_id, None)
            return published is not None and published.age > self.patience.stale
        return now - self._behind_since.setdefault(network_id, now) >= self.patience.behind


def _reason(network: Network, reasons: Mapping[str, str]) -> str:
    if (fault := origin_fault(network.log_origin)) is not None:
        return f"no note can carry the log's origin, which {fault}"
    return reasons.get(network.slug, "the sealer has said nothing here: does it run?")
