"""Whether the logs are being sealed, as a server sees it: a warning of `/ready`, never a reason against it.

A decision does not need the sealer, but somebody must hear when it stands still; its own lines may be on a machine
nobody looks at.
"""

import time

from consent_registry.operations.checkpoints import BEHIND, STALE
from consent_registry.operations.runtime import Runtime
from consent_registry.storage.checkpoints import latest_checkpoint
from consent_registry.storage.database import transaction
from consent_registry.storage.log import read_size

# Between two looks the last answer holds.
HOLDS = 5.0


class SealingLag:
    """Follows for one process how far the checkpoints are behind the logs."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._looked_at = float("-inf")
        self._behind_since: dict[int, float] = {}
        self._late = False

    async def is_late(self) -> bool:
        """Whether a log has had leaves without a checkpoint for half a minute, or none signed again for long."""
        if time.monotonic() - self._looked_at >= HOLDS:
            late = [await self._is_late(one.network_id) for one in await self._runtime.networks()]
            self._late, self._looked_at = any(late), time.monotonic()
        return self._late

    async def _is_late(self, network_id: int) -> bool:
        async with transaction(self._runtime.pool, network_id, ()) as connection:
            size = await read_size(connection, network_id)
            published = await latest_checkpoint(connection, network_id)
        now = time.monotonic()
        if size <= (0 if published is None else published.size):
            self._behind_since.pop(network_id, None)
            return published is not None and published.age > STALE
        return now - self._behind_since.setdefault(network_id, now) >= BEHIND
