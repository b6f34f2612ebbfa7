"""A bounded queue that partners share fairly (start-time fair queueing).

Each request gets two tags of virtual time, counted in decisions. `begin` is the end of the partner's previous request,
or the present if that is later; `end` is `begin` plus the size of the request. The request with the lowest `end` is
served first, so a partner with few questions is served before a partner with many. A request that does not fit into a
transaction is the first of the next one. So a batch waits for one transaction of single questions, or for its share if
these fill every transaction. A single question waits for at most one batch of other partners.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class QueuedItem(msgspec.Struct, Generic[T], frozen=True):
    """A request in the queue: its tags, its number in order of arrival, its partner and the number of its decisions."""

    begin: int
    end: int
    number: int
    partner_id: int
    size: int
    item: T


class FairQueue(Generic[T]):
    """A queue in which at most `room` decisions wait. It splits no request, and keeps the order of each partner's."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._heap: list[tuple[int, int, QueuedItem[T]]] = []
        self._passed_over: QueuedItem[T] | None = None
        self._numbers = count()
        self._now = 0
        # By partner: the end tag of its last request, and the number of its waiting decisions.
        self._ends: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self.size = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return self.size > 0

    def has_room(self, partner_id: int, size: int) -> bool:
        """Whether a partner may add `size` decisions: its waiting decisions may not exceed the room that is free now.

        So one partner fills at most half the room, two fill three quarters, and a further partner still finds room.
        """
        return self._waiting.get(partner_id, 0) + size <= self._room - self.size

    def put(self, partner_id: int, size: int, item: T) -> None:
        """Add a request."""
        begin = max(self._now, self._ends.get(partner_id, 0))
        self._ends[partner_id] = begin + size
        self.put_back(QueuedItem(begin, begin + size, next(self._numbers), partner_id, size, item))

    def put_back(self, queued: QueuedItem[T]) -> None:
        """Put back a request that was taken. It keeps its tags, so it is served before all later requests."""
        heappush(self._heap, (queued.end, queued.number, queued))
        self._waiting[queued.partner_id] = self._waiting.get(queued.partner_id, 0) + queued.size
        self.size += queued.size

    def take(self, most: int) -> list[QueuedItem[T]]:
        """Take the next requests: at most `most` decisions in all, or a single request that is larger."""
        return list(self._taken(most))

    def _taken(self, most: int) -> Iterator[QueuedItem[T]]:
        queued, self._passed_over = self._passed_over or heappop(self._heap)[2], None
        yield self._remove(queued)
        taken = queued.size
        while self._heap and taken < most:
            queued = heappop(self._heap)[2]
            taken += queued.size
            if taken > most:
                self._passed_over = queued
                return
            yield self._remove(queued)

    def _remove(self, queued: QueuedItem[T]) -> QueuedItem[T]:
        self._now = max(self._now, queued.begin)
        self.size -= queued.size
        self._waiting[queued.partner_id] -= queued.size
        if not self.size:
            # The queue is empty, so no partner has an advantage to account for.
            self._ends.clear()
            self._waiting.clear()
        return queued
