"""The queue that partners share: who is served next, and who finds room, whatever other partners have waiting."""

import random
from collections.abc import Callable, Iterable

import pytest

from consent_registry.operations.decisions.fair_queue import FairQueue

MOST, ROOM, BATCH = 512, 8192, 1000
FLOODER, ASKER = 1, 2


class InOrder(FairQueue[str]):
    """The control: a queue in order of arrival that accepts requests until it is full."""

    def has_room(self, partner_id: int, size: int) -> bool:
        """Whether the queue is not full."""
        assert partner_id
        return size <= ROOM - self.size

    def put(self, partner_id: int, size: int, item: str) -> None:
        """Add a request with tags that follow those of the request before it."""
        self._ends = dict.fromkeys([partner_id], max(self._ends.values(), default=0))
        super().put(partner_id, size, item)


Make = Callable[[int], FairQueue[str]]
BOTH = pytest.mark.parametrize(("make", "fair"), [(FairQueue[str], True), (InOrder, False)], ids=["fair", "in order"])


def flood(queue: FairQueue[str], partners: Iterable[int], size: int) -> None:
    """Let these partners put requests of this size in turn, as long as there is room for them."""
    going = list(partners)
    while going:
        for partner in tuple(going):
            if queue.has_room(partner, size):
                queue.put(partner, size, "flood")
            else:
                going.remove(partner)


def turns_until(queue: FairQueue[str], partner_id: int) -> int:
    """The number of transactions before this partner's request is taken."""
    for number in range(1000):
        if any(place.partner_id == partner_id for place in queue.take(MOST)):
            return number
    raise AssertionError(partner_id)


@BOTH
@pytest.mark.parametrize("flooders", [1, 9])
@pytest.mark.parametrize("size", [1, 2, 50, 100, 400, 512, 513, BATCH])
@pytest.mark.parametrize("taken_before", range(4))
def test_a_question_waits_for_one_batch_at_most(
    make: Make, fair: bool, flooders: int, size: int, taken_before: int
) -> None:
    """A single question waits for at most one batch, however many partners have filled the queue with any sizes."""
    queue = make(ROOM)
    flood(queue, range(10, 10 + flooders), size)
    for _ in range(taken_before):
        queue.take(MOST)
    queue.put(ASKER, 1, "question")
    waited = turns_until(queue, ASKER)
    if fair:
        assert waited <= 1
    else:
        assert waited > 1


@pytest.mark.parametrize("askers", [1, 9, 600])
def test_a_batch_waits_for_one_transaction_of_questions(askers: int) -> None:
    """A batch waits for one transaction of single questions. If these fill every transaction, it waits for its fair
    share.
    """
    queue: FairQueue[str] = FairQueue(ROOM)
    for number in range(askers):
        queue.put(100 + number, 1, "question")
    queue.take(MOST)
    queue.put(FLOODER, BATCH, "batch")
    turns = 0
    while not any(place.partner_id == FLOODER for place in queue.take(MOST)):
        turns += 1
        for number in range(askers):
            if queue.has_room(100 + number, 1):
                queue.put(100 + number, 1, "question")
    assert turns <= (1 if askers < MOST else BATCH * askers / MOST + 1)


@BOTH
def test_one_partner_does_not_fill_the_queue_for_all(make: Make, fair: bool) -> None:
    """One partner can fill at most half the room, and a batch of another partner still fits."""
    queue = make(ROOM)
    flood(queue, [FLOODER], 1)
    assert queue.has_room(ASKER, 1) is fair
    assert queue.has_room(ASKER, BATCH) is fair
    assert (queue.size <= ROOM // 2) is fair
    assert not queue.has_room(FLOODER, 1)


def test_ten_who_flood_leave_room_for_the_next() -> None:
    """Ten partners that fill the queue get about the same room each, and an eleventh can still ask a question."""
    queue: FairQueue[str] = FairQueue(ROOM)
    flood(queue, range(10, 20), 1)
    assert queue.has_room(ASKER, 1)
    assert min(queue._waiting.values()) > ROOM // 20


def test_whoever_floods_shares_what_is_served() -> None:
    """A partner with batches of a hundred and a partner with single questions are served equally many decisions."""
    queue: FairQueue[str] = FairQueue(ROOM)
    served = {FLOODER: 0, ASKER: 0}
    for _ in range(100):
        flood(queue, [FLOODER], 100)
        flood(queue, [ASKER], 1)
        for place in queue.take(MOST):
            served[place.partner_id] += place.size
    assert 0.9 < served[FLOODER] / served[ASKER] < 1.1


@pytest.mark.parametrize("often", [0.0, 0.2])
def test_requests_are_whole_and_a_partners_own_stay_in_order(often: float) -> None:
    """Each request is taken exactly once, even if it was put back; a transaction is within its limit or a single
    request.
    """
    rng = random.Random(8)
    queue: FairQueue[str] = FairQueue(ROOM)
    put: dict[int, list[str]] = {}
    taken: dict[int, list[str]] = {}
    for number in range(3000):
        partner_id, size = rng.randrange(5), rng.choice([1, 1, 1, 7, 300, 600, BATCH])
        if queue.has_room(partner_id, size):
            queue.put(partner_id, size, str(number))
            put.setdefault(partner_id, []).append(str(number))
        while queue and (number == 2999 or rng.random() < 0.3):
            places = queue.take(MOST)
            assert len(places) == 1 or sum(place.size for place in places) <= MOST
            for place in places:
                if rng.random() < often:
                    queue.put_back(place)
                else:
                    taken.setdefault(place.partner_id, []).append(place.item)
    if often:
        taken = {partner_id: sorted(numbers, key=int) for partner_id, numbers in taken.items()}
    assert taken == put
    assert (queue.size, bool(queue)) == (0, False)


def test_what_must_wait_is_next() -> None:
    """A request that is put back is taken before all later requests."""
    queue: FairQueue[str] = FairQueue(ROOM)
    queue.put(ASKER, 1, "first")
    (first,) = queue.take(MOST)
    for _ in range(5):
        queue.put(ASKER, 1, "later")
    queue.put_back(first)
    assert next(iter(queue.take(MOST))).item == "first"


def test_what_was_had_is_forgotten_when_nobody_waits() -> None:
    """A partner that asked a million questions while it was alone has no disadvantage afterwards."""
    queue: FairQueue[str] = FairQueue(ROOM)
    for _ in range(1000):
        queue.put(FLOODER, BATCH, "batch")
        queue.take(MOST)
    queue.put(ASKER, 10, "question")
    queue.put(FLOODER, 1, "question")
    assert [place.partner_id for place in queue.take(MOST)] == [FLOODER, ASKER]
