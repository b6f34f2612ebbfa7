"""A registry with a single queue for the decisions of all partners, in which one partner can block the others."""

from typing import Any

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.decisions import queue
from consent_registry.operations.decisions.fair_queue import FairQueue
from consent_registry.operations.runtime.turns import SHARED


class InOrder(FairQueue[Any]):
    """A queue that looks at nobody's share."""

    def has_room(self, partner_id: int, size: int) -> bool:  # noqa: ARG002 - that is the defect
        """Whether there is room for so many more."""
        return self.size + size <= self._room

    def put(self, partner_id: int, size: int, item: object) -> None:
        """Add a request behind all others: under one name they are served as they come."""
        super().put(0 * partner_id, size, item)


def create_app() -> ASGIApp:
    """Return the real application with that one queue, for questions and for batches, and without turns."""
    SHARED.update(dict.fromkeys(SHARED, 1_000_000))
    vars(queue)["FairQueue"] = InOrder
    vars(queue)["FEW"] = queue.QUEUE
    return real_app()
