"""A bounded queue that several partners share fairly (start-time fair queueing, by tags of virtual time).

Each request gets two tags when it comes: it begins where its partner's last one ended, or now, and ends so many
decisions later. The lowest end is served first. So a partner that asks a little is served before one that asks a lot,
however much the other has waiting. A request that did not fit beside the smaller ones before it is the next to go. So a
batch waits for one transaction of single questions, or for its share where these fill every transaction; and a single
question waits for one batch, of all that others have waiting.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Place(msgspec.Struct, Generic[T], frozen=True):
    """Where a request stands: its two tags, its number, whose it is, and how many decisions it asks for."""

    begin: int
    end: int
    number: int
    partner_id: int
    size: int
    item: T


class FairQueue(Generic[T]):
    """Holds `room` decisions at most. Requests are whole; those of one partner leave as they came."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._heap: list[tuple[int, int, Place[T]]] = []
        self._passed_over: Place[T] | None = None
        self._numbers = count()
        self._now = 0
        # By partner: where its last request ends, and how many decisions it has waiting.
        self._ends: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self.size = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return self.size > 0

    def has_room(self, partner_id: int, size: int) -> bool:
        """Whether a partner may put so many more: what it has waiting then is no more than what is free now. So one
        partner fills half the room at most, two fill three quarters, and there is some left for who comes next.
        """
        return self._waiting.get(partner_id, 0) + size <= self._room - self.size

    def put(self, partner_id: int, size: int, item: T) -> None:
        """Add a request."""
        begin = max(self._now, self._ends.get(partner_id, 0))
        self._ends[partner_id] = begin + size
        self.put_back(Place(begin, begin + size, next(self._numbers), partner_id, size, item))

    def put_back(self, place: Place[T]) -> None:
        """Put a request that was taken where it stood: before whatever came after it."""
        heappush(self._heap, (place.end, place.number, place))
        self._waiting[place.partner_id] = self._waiting.get(place.partner_id, 0) + place.size
        self.size += place.size

    def take(self, most: int) -> list[Place[T]]:
        """Take the requests whose turn it is: so many decisions at most, or one request that alone is more."""
        return list(self._taken(most))

    def _taken(self, most: int) -> Iterator[Place[T]]:
        place, self._passed_over = self._passed_over or heappop(self._heap)[2], None
        yield self._leave(place)
        taken = place.size
        while self._heap and taken < most:
            place = heappop(self._heap)[2]
            taken += place.size
            if taken > most:
                self._passed_over = place
                return
            yield self._leave(place)

    def _leave(self, place: Place[T]) -> Place[T]:
        self._now = max(self._now, place.begin)
        self.size -= place.size
        self._waiting[place.partner_id] -= place.size
        if not self.size:
            # Nobody waits, so nobody has had more than another.
            self._ends.clear()
            self._waiting.clear()
        return place
