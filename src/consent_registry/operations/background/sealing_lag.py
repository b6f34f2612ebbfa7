"""Whether the logs are being sealed, as a server sees it: a warning of `/ready`, never a reason against it.

A decision does not need the sealer, but somebody must hear when it stands still; its own lines may be on a machine
nobody looks at.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consent_registry.domain.catalogue import Network
from consent_registry.domain.identifiers import origin_fault
from consent_registry.operations.log.checkpoints import BEHIND, STALE
from consent_registry.operations.running.context import Runtime
from consent_registry.storage.database.database import transaction
from consent_registry.storage.files.unsealed_logs import read_unsealed
from consent_registry.storage.log.append import read_size
from consent_registry.storage.log.checkpoints import latest_checkpoint


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how long an answer holds, a log may have leaves without a checkpoint, a checkpoint may grow old."""

    holds: float = 5.0
    behind: float = BEHIND
    stale: float = STALE


class SealingLag:
    """Follows for one process how far the checkpoints are behind the logs. `folder` is the sealer's, where it is on
    this machine: it says why.
    """

    patience = Patience()

    def __init__(self, runtime: Runtime, folder: Path | None = None) -> None:
        self._runtime = runtime
        self._folder = folder
        self._looked_at = float("-inf")
        self._behind_since: dict[int, float] = {}
        self._late: list[str] = []

    async def late(self) -> list[str]:
        """The networks whose log has had leaves without a checkpoint for half a minute, or none signed again for long,
        each with the sealer's reason if it is known here.
        """
        if time.monotonic() - self._looked_at >= self.patience.holds:
            late = [one for one in await self._runtime.networks() if await self._is_late(one.network_id)]
            reasons = read_unsealed(self._folder) if late else {}
            self._late = [f"{one.slug} ({_reason(one, reasons)})" for one in sorted(late, key=lambda one: one.slug)]
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
