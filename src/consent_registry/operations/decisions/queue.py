"""The decision queue: it answers all waiting decision requests of a network together, with one durable commit
(docs/design/decisions.md).

Each process has one queue for each network. While one batch commits, the next one fills. Partners share the queue
fairly (fair_queue.py): a question waits for at most one batch of another partner. No answer leaves before its event is
durable. Between two batches only the catalogue is kept in memory, and each batch compares its version.
"""

import asyncio
import math
import time
from collections.abc import Sequence

import structlog

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import CannotRecord, RegistryError
from consent_registry.operations.decisions.batch import answer_batch
from consent_registry.operations.decisions.decisions import DecisionRequest
from consent_registry.operations.decisions.fair_queue import FairQueue, QueuedItem
from consent_registry.operations.decisions.pacing import Pace
from consent_registry.operations.decisions.pending import DecisionResult, PendingRequest
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import IdempotencyKey
from consent_registry.operations.runtime.response_delay import response_moment

BATCH = 512
QUEUE = 16 * BATCH
# With at least this many waiting decisions a second transaction begins while the first is in the database. With one
# transaction either this process or the database would be idle; two small transactions would cost more than one.
SECOND = BATCH // 2
# Requests of more than FEW questions are batches, with a queue and transactions of their own. So a single question does
# not wait while a batch is decided, only while its events are appended. After ALONE seconds without a single question
# batches may use both transactions.
FEW = 16
ALONE = 0.1
# Seconds. A request whose client a consent act holds is tried again every PAUSE, until the limit of its patience.
PAUSE = 0.002
# Seconds. An answer leaves this long after its question, or later if it was not ready, so that its time does not depend
# on what is known of a person. An answer to a batch leaves this much later for each fifty questions: twice what they
# take to decide.
RESPONSE_SECONDS = 0.005
_QUESTIONS_PER_DELAY = 50

_log = structlog.get_logger(__name__)


class _Lane:
    """The waiting requests of one kind (single questions or batches) and how many transactions run for them."""

    def __init__(self) -> None:
        self.waiting: FairQueue[PendingRequest] = FairQueue(QUEUE)
        self.under_way = 0


class DecisionQueue:
    """Answers the decision requests of one network in this process."""

    def __init__(self, runtime: Runtime, network: Network, response_seconds: float = RESPONSE_SECONDS) -> None:
        self._runtime = runtime
        self._network = network
        self._response_seconds = response_seconds
        self._questions, self._batches = _Lane(), _Lane()
        # Only one batch is resolved at a time, so that reading batches does not slow down single questions.
        self._reading = asyncio.Lock()
        self._asked_at = -math.inf
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(
        self,
        actor: Actor,
        requests: Sequence[DecisionRequest],
        *,
        is_batch: bool = False,
        idempotency_key: IdempotencyKey | None = None,
    ) -> DecisionResult:
        """The durable answers to one request or to a batch.

        They leave after `response_seconds` to 1.4 times that, and as much later again for each fifty questions, or when
        they are ready. Raises Malformed with pointers, CannotRecord if the queue is full or the log cannot be written,
        KeyInUse, Refused, NotAuthentic, OutcomeUnknown.
        """
        is_few = len(requests) <= FEW
        give_back = await self._runtime.take_turn(actor, "questions" if is_few else "batches")
        try:
            lane = self._questions if is_few else self._batches
            return await self._ask(
                lane, PendingRequest(actor, requests, is_batch=is_batch, idempotency_key=idempotency_key)
            )
        finally:
            give_back()

    async def _ask(self, lane: _Lane, waiting: PendingRequest) -> DecisionResult:
        actor, requests = waiting.actor, waiting.requests
        _require_room(lane, actor, requests)
        if lane is self._batches:
            async with self._reading:
                await self._read(waiting)
            _require_room(lane, actor, requests)
        else:
            self._asked_at = time.monotonic()
            await self._read(waiting)
        waiting.deadline = asyncio.get_running_loop().time() + self._runtime.limits.lock_patience
        waiting.leaves_at = response_moment(self._response_seconds * (1 + (len(requests) - 1) / _QUESTIONS_PER_DELAY))
        lane.waiting.put(actor.partner_id, len(requests), waiting)
        if lane.under_way == 0 or (lane.waiting.size >= SECOND and lane.under_way < self._most_under_way(lane)):
            lane.under_way += 1
            task = asyncio.create_task(self._run(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting.reply

    async def _read(self, waiting: PendingRequest) -> None:
        """Resolve a request by the catalogue in memory.

        If it names a slug that this catalogue lacks, the catalogue is loaded again, because the slug may be newer.
        """
        catalogue = await self._runtime.picture(self._network)
        if not all(request.is_known_to(catalogue) for request in waiting.requests):
            catalogue = await self._runtime.picture(self._network, fresh=True)
        await waiting.read(catalogue, self._runtime.keys, Pace())

    def _most_under_way(self, lane: _Lane) -> int:
        """How many transactions may run for this kind: two, but one for batches while single questions are asked."""
        alone = time.monotonic() - self._asked_at > ALONE
        return 2 if lane is self._questions or alone else 1

    async def _run(self, lane: _Lane) -> None:
        try:
            while lane.waiting and lane.under_way <= self._most_under_way(lane):
                batch = lane.waiting.take(BATCH)
                postponed = set(await self._answer([queued.item for queued in batch]))
                if postponed:
                    _postpone(lane, [queued for queued in batch if queued.item in postponed])
                    if len(postponed) == len(batch):
                        await asyncio.sleep(PAUSE)
        finally:
            # Counted down here and not in the task's callback: a question that is put in between would start no task.
            lane.under_way -= 1

    async def _answer(self, batch: list[PendingRequest]) -> list[PendingRequest]:
        """Decide a batch and answer its requests; a request that cannot be decided gets an error. Returns the requests
        that must wait for the next batch, because another transaction holds the lock of one of their clients.
        """
        try:
            return await answer_batch(self._runtime, self._network, batch)
        except RegistryError as error:
            self._runtime.note_failure()
            _settle_all(batch, error)
        except Exception as error:  # noqa: BLE001 - it is logged, and every waiting caller must get an answer
            _log.exception("decider failed", requests=len(batch))
            if len(batch) > 1:
                # A defect that one request causes must not fail the others, so each is decided again by itself. Nothing
                # was committed: `answer_batch` raises nothing after COMMIT.
                return [request for single in batch for request in await self._answer([single])]
            _settle_all(batch, error)
        return []


def _require_room(lane: _Lane, actor: Actor, requests: Sequence[DecisionRequest]) -> None:
    if not lane.waiting.has_room(actor.partner_id, len(requests)):
        raise CannotRecord("Too many decisions are waiting. Ask again shortly.", retry_after=1)


def _postpone(lane: _Lane, postponed: Sequence[QueuedItem[PendingRequest]]) -> None:
    now = asyncio.get_running_loop().time()
    for queued in postponed:
        if now > queued.item.deadline:
            queued.item.settle(CannotRecord(retry_after=1))
        else:
            lane.waiting.put_back(queued)


def _settle_all(batch: Sequence[PendingRequest], error: Exception) -> None:
    for request in batch:
        request.settle(error)
