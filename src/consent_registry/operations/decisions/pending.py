"""Requests in the decision queue, and the state of each of their questions until it is answered."""

import asyncio
from collections.abc import Sequence
from functools import partial

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.decisions import Question
from consent_registry.domain.errors import MOST_FAULTS, Fault, Malformed
from consent_registry.domain.events.decisions import DecisionEvent
from consent_registry.operations.decisions.decisions import DecisionAnswer, DecisionRequest, read_question
from consent_registry.operations.decisions.pacing import Pace
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape
from consent_registry.operations.runtime.response_delay import SCHEDULER
from consent_registry.storage.decisions.client_locks import UNKNOWN_CLIENT, FactsQuery
from consent_registry.storage.decisions.facts import NOTHING_KNOWN
from consent_registry.storage.keys.keyring import Keys

# The answers to a request, in the order of its questions.
DECISIONS = StoredShape("decisions", 1, list[DecisionAnswer])
DecisionResult = CommandResult[list[DecisionAnswer]]


class PendingQuestion:
    """One question of a request, with what the transaction adds: the locked client, the facts, the decision's event."""

    __slots__ = ("event", "facts", "locked", "query", "question", "request")

    def __init__(self, request: DecisionRequest, question: Question, query: FactsQuery) -> None:
        self.request = request
        self.question = question
        self.query = query
        self.begin()

    def begin(self) -> None:
        """Reset what an earlier transaction added. It was rolled back, or it could not lock the client."""
        self.locked = UNKNOWN_CLIENT
        self.facts = NOTHING_KNOWN
        self.event: DecisionEvent | None = None


class PendingRequest:
    """A request in the decision queue: one or more questions of one caller, always answered in one transaction."""

    def __init__(
        self,
        actor: Actor,
        requests: Sequence[DecisionRequest],
        *,
        is_batch: bool,
        idempotency_key: IdempotencyKey | None,
    ) -> None:
        self.actor = actor
        self.requests = requests
        self.is_batch = is_batch
        self.idempotency_key = idempotency_key
        self.reply: asyncio.Future[DecisionResult] = asyncio.get_running_loop().create_future()
        self.deadline = 0.0
        self.leaves_at = 0.0
        self.catalogue_version = -1
        self.questions: list[PendingQuestion] = []
        self.outcome: DecisionResult | Exception | None = None

    async def read(self, catalogue: Catalogue, keys: Keys, pace: Pace) -> None:
        """Resolve the questions by this catalogue. Raises Malformed with their faults, at most 100."""
        faults: list[Fault] = []
        questions = []
        for number, request in enumerate(self.requests):
            await pace.pause()
            try:
                pointer = f"/decisions/{number}" if self.is_batch else ""
                question = read_question(self.actor, catalogue, request, pointer)
                questions.append(PendingQuestion(request, question, self._query(catalogue, keys, request, question)))
            except Malformed as error:
                faults += error.faults
                if len(faults) >= MOST_FAULTS:
                    break
        if faults:
            raise Malformed(faults=faults)
        self.questions, self.catalogue_version = questions, catalogue.version

    def _query(self, catalogue: Catalogue, keys: Keys, request: DecisionRequest, question: Question) -> FactsQuery:
        partner_id = self.actor.partner_id
        digests = keys.digests("reference", catalogue.network.network_id, partner_id, request.client)
        return FactsQuery(partner_id, digests, question.recipient.partner_id, question.purpose.purpose_id)

    def begin(self) -> None:
        """Reset what an earlier transaction added."""
        self.outcome = None
        for question in self.questions:
            question.begin()

    @property
    def is_decided(self) -> bool:
        """Whether each question has the event of its decision."""
        return self.questions[-1].event is not None

    def settle(self, outcome: DecisionResult | Exception) -> None:
        """Schedule the answer for the moment at which it is to leave."""
        SCHEDULER.call_at(self.leaves_at, partial(self._send, outcome))

    def _send(self, outcome: DecisionResult | Exception) -> None:
        if self.reply.done():  # the caller may have closed the connection
            return
        if isinstance(outcome, CommandResult):
            self.reply.set_result(outcome)
        else:
            self.reply.set_exception(outcome)
