"""The decider: answers all decisions that wait, together, with one durable commit (docs/design/decisions.md).

One a network and process. While one batch commits, the next one fills, and partners share it fairly (fair_queue.py): a
partner's batch holds up another's question by one batch at most, and by no more than the time its entries take in the
log. No answer leaves before its record is durable, and nothing is remembered from one batch to the next but what the
catalogue's version vouches for.
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
from consent_registry.operations.decisions.fair_queue import FairQueue, Place
from consent_registry.operations.decisions.pacing import Pace
from consent_registry.operations.decisions.pending import Decided, PendingRequest
from consent_registry.operations.running.actors import Actor
from consent_registry.operations.running.context import Runtime
from consent_registry.operations.running.idempotency import IdempotencyKey
from consent_registry.operations.running.response_delay import response_moment

BATCH = 512
QUEUE = 16 * BATCH
# A second batch sets out while the first is with the database, once so many decisions wait: one alone would leave
# either this process or the database idle, and two small ones cost more than one.
SECOND = BATCH // 2
# Batches of more than a few questions have a queue and a transaction of their own: a single question does not wait for
# what a batch takes, but for its entry in the log. Seconds without a question after which batches have the time alone.
FEW = 16
ALONE = 0.1
# How long a request waits for a client that a consent act holds, and how soon it asks again.
PATIENCE = 1.0
PAUSE = 0.002
# Seconds. An answer leaves this long after its question, or later when it was not ready, so that its time does not tell
# what is known of a person; one to a batch as much later again for each fifty questions, which is twice what they take.
RESPONSE_SECONDS = 0.005
_EVEN_QUESTIONS = 50

_log = structlog.get_logger(__name__)


class _Lane:
    """Requests of a kind that wait, and how many transactions are under way for them."""

    def __init__(self) -> None:
        self.waiting: FairQueue[PendingRequest] = FairQueue(QUEUE)
        self.under_way = 0


class DecisionQueue:
    """Answers the decisions of one network in this process."""

    def __init__(self, runtime: Runtime, network: Network, response_seconds: float = RESPONSE_SECONDS) -> None:
        self._runtime = runtime
        self._network = network
        self._response_seconds = response_seconds
        self._questions, self._batches = _Lane(), _Lane()
        # One batch at a time is read, so that several do not share the time of everybody else.
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
    ) -> Decided:
        """The durable answers to one request or to a batch; raises Malformed with pointers, CannotRecord when the queue
        is full or the log cannot be written, KeyInUse, Refused, NotAuthentic, OutcomeUnknown. It leaves `even` to 1.4
        times `even` seconds after the question, to a batch as much later again for each fifty, or when it is ready.
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

    async def _ask(self, lane: _Lane, waiting: PendingRequest) -> Decided:
        actor, requests = waiting.actor, waiting.requests
        _require_room(lane, actor, requests)
        if lane is self._batches:
            async with self._reading:
                await self._read(waiting)
            _require_room(lane, actor, requests)
        else:
            self._asked_at = time.monotonic()
            await self._read(waiting)
        waiting.deadline = asyncio.get_running_loop().time() + PATIENCE
        waiting.leaves_at = response_moment(self._response_seconds * (1 + (len(requests) - 1) / _EVEN_QUESTIONS))
        lane.waiting.put(actor.partner_id, len(requests), waiting)
        if lane.under_way == 0 or (lane.waiting.size >= SECOND and lane.under_way < self._most_under_way(lane)):
            lane.under_way += 1
            task = asyncio.create_task(self._run(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting.reply

    async def _read(self, waiting: PendingRequest) -> None:
        """Read a request in the terms of the catalogue's picture, a fresh one if it names what the picture does not
        know: a slug may be newer, and only a fresh one may say that it does not exist.
        """
        catalogue = await self._runtime.picture(self._network)
        if not all(request.is_known_to(catalogue) for request in waiting.requests):
            catalogue = await self._runtime.picture(self._network, fresh=True)
        await waiting.read(catalogue, self._runtime.keys, Pace())

    def _most_under_way(self, lane: _Lane) -> int:
        """Two transactions, so that the database has work while this process has; one of batches while others ask."""
        alone = time.monotonic() - self._asked_at > ALONE
        return 2 if lane is self._questions or alone else 1

    async def _run(self, lane: _Lane) -> None:
        try:
            while lane.waiting and lane.under_way <= self._most_under_way(lane):
                batch = lane.waiting.take(BATCH)
                postponed = set(await self._answer([place.item for place in batch]))
                if postponed:
                    _postpone(lane, [place for place in batch if place.item in postponed])
                    if len(postponed) == len(batch):
                        await asyncio.sleep(PAUSE)
        finally:
            # Here, not when the task is collected: a question asked in between would find nobody who takes it.
            lane.under_way -= 1

    async def _answer(self, batch: list[PendingRequest]) -> list[PendingRequest]:
        """Answer a batch, whatever happens; returns the requests that must wait for the next one."""
        try:
            return await answer_batch(self._runtime, self._network, batch)
        except RegistryError as error:
            self._runtime.note_failure()
            _settle_all(batch, error)
        except Exception as error:  # noqa: BLE001 - logged, and whoever waits must hear of it
            _log.exception("decider failed", requests=len(batch))
            if len(batch) > 1:
                # One request's defect is not the others': each is asked again by itself.
                return [request for alone in batch for request in await self._answer([alone])]
            _settle_all(batch, error)
        return []


def _require_room(lane: _Lane, actor: Actor, requests: Sequence[DecisionRequest]) -> None:
    if not lane.waiting.has_room(actor.partner_id, len(requests)):
        raise CannotRecord("Too many decisions are waiting. Ask again shortly.", retry_after=1)


def _postpone(lane: _Lane, postponed: Sequence[Place[PendingRequest]]) -> None:
    now = asyncio.get_running_loop().time()
    for place in postponed:
        if now > place.item.deadline:
            place.item.settle(CannotRecord(retry_after=1))
        else:
            lane.waiting.put_back(place)


def _settle_all(batch: Sequence[PendingRequest], error: Exception) -> None:
    for request in batch:
        request.settle(error)
