"""One batch of decisions: one transaction from the keys to the log (docs/design/decisions.md, steps 3 to 8)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.decisions import SET_BACK, Question, decide, not_over
from consent_registry.domain.errors import MOST_FAULTS, Fault, KeyInUse, Malformed, NotAuthentic, Refused
from consent_registry.domain.events import Event
from consent_registry.domain.instants import format_instant
from consent_registry.operations.commands import Done, Once, Performed, Shape, keep, kept_outcome, new_ids
from consent_registry.operations.context import Caller, Runtime, require_standing
from consent_registry.operations.decisions.decisions import (
    DecisionAnswer,
    DecisionRequest,
    decision_event,
    make_answer,
    read_question,
    with_receipt,
)
from consent_registry.operations.response_delay import KEEPER
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.database.idempotency import find_answers, try_lock_keys
from consent_registry.storage.decisions.client_locks import Asked, Whose, lock_clients, try_lock_others
from consent_registry.storage.decisions.facts import Facts, load_facts
from consent_registry.storage.keys.keyring import Keys
from consent_registry.storage.log.append import LogPlace, append_all

# A batch is read, decided and answered so many questions at a time, which is less than a millisecond: in between the
# event loop has its turn, so that a batch of a thousand does not hold up what others ask meanwhile.
AT_A_TIME = 4


# Answers to a request, in the order asked.
DECISIONS = Shape("decisions", 1, list[DecisionAnswer])
Decided = Performed[list[DecisionAnswer]]


class Waiting:
    """A request that waits: one or more decisions of one caller, never split."""

    def __init__(
        self, caller: Caller, requests: Sequence[DecisionRequest], *, is_batch: bool, once: Once | None
    ) -> None:
        self.caller = caller
        self.requests = requests
        self.is_batch = is_batch
        self.once = once
        self.reply: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        self.deadline = 0.0
        self.leaves_at = 0.0
        self.catalogue_version = -1
        self.questions: list[Question] = []
        self.asked: list[Asked] = []
        # Of the batch under way: the clients that were locked, the records made, and what will be answered.
        self.locked: list[Whose] = []
        self.events: list[Event] = []
        self.outcome: Decided | Exception | None = None

    async def read(self, catalogue: Catalogue, keys: Keys) -> None:
        """Read the requests in the catalogue's terms; raises Malformed with the faults of the items, 100 at most."""
        faults: list[Fault] = []
        questions = []
        for number, request in enumerate(self.requests):
            if number % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)
            try:
                pointer = f"/decisions/{number}" if self.is_batch else ""
                questions.append(read_question(self.caller, catalogue, request, pointer))
            except Malformed as error:
                faults += error.faults
                if len(faults) >= MOST_FAULTS:
                    break
        if faults:
            raise Malformed(faults=faults)
        network_id, partner_id = catalogue.network.network_id, self.caller.partner_id
        self.asked = [
            Asked(
                partner_id,
                keys.digests("reference", network_id, partner_id, request.client),
                question.recipient.partner_id,
                question.purpose.purpose_id,
            )
            for request, question in zip(self.requests, questions, strict=True)
        ]
        self.questions, self.catalogue_version = questions, catalogue.version

    def settle(self, outcome: Decided | Exception) -> None:
        """Let the answer leave when its moment has come."""
        KEEPER.call_at(self.leaves_at, partial(self._leave, outcome))

    def _leave(self, outcome: Decided | Exception) -> None:
        if self.reply.done():  # who asked may be gone
            return
        if isinstance(outcome, Performed):
            self.reply.set_result(outcome)
        else:
            self.reply.set_exception(outcome)


async def answer_batch(runtime: Runtime, network: Network, batch: Sequence[Waiting]) -> list[Waiting]:
    """Decide a batch in one transaction and let the answers leave after its commit.

    Returns the requests that must wait for the next batch, because a consent act holds one of their clients.
    """
    for one in batch:
        one.outcome, one.events = None, []
    partners = sorted({one.caller.partner_id for one in batch})
    with_keys = any(one.once is not None for one in batch)
    async with transaction(
        runtime.pool, network.network_id, partners, one_plan=True, hold_catalogue=not with_keys
    ) as connection:
        keyed: list[Waiting] = []
        if with_keys:
            keyed = await _claim_keys(connection, network, batch)
            await lock_catalogue(connection, network.network_id)
        free, postponed = await _lock(connection, network, batch)
        free, leaning, facts = await _facts(connection, network, free)
        postponed += leaning
        catalogue = await _catalogue_as_of(runtime, connection, network, facts)
        latest = await runtime.clock.latest(connection, network.network_id, facts.now)
        await _replay(runtime, connection, keyed, catalogue)
        postponed += await _decide(runtime, catalogue, free, facts, latest)
        places = await _record(connection, network, facts, free)
        # Answers with a key are made before the commit, because they are stored with it; the others after.
        for one in free:
            if one.once is not None and one.events:
                await _answer(runtime, catalogue, one, facts, places)
                await _keep(connection, runtime, one, facts.now)
    for one in free:
        if one.outcome is None and one.events:
            await _answer(runtime, catalogue, one, facts, places)
    for one in batch:
        if one.outcome is not None:
            one.settle(one.outcome)
    return postponed


async def _claim_keys(connection: Connection, network: Network, batch: Sequence[Waiting]) -> list[Waiting]:
    """Take the requests' idempotency keys; a key that is in use is an answer of its own."""
    keyed: dict[tuple[int, bytes], Waiting] = {}
    for one in batch:
        if one.once is not None and keyed.setdefault((one.caller.partner_id, one.once.scope), one) is not one:
            one.outcome = KeyInUse(retry_after=1)
    held = await try_lock_keys(connection, network.network_id, [scope for _, scope in keyed])
    for one, is_held in zip(keyed.values(), held, strict=True):
        if not is_held:
            one.outcome = KeyInUse(retry_after=1)
    return [one for one in keyed.values() if one.outcome is None]


async def _lock(
    connection: Connection, network: Network, batch: Sequence[Waiting]
) -> tuple[list[Waiting], list[Waiting]]:
    """Lock the clients of all that wait; returns who may go on and who must wait for a consent act to end."""
    undecided = [one for one in batch if one.outcome is None]
    locks = iter(await lock_clients(connection, network.network_id, [item for one in undecided for item in one.asked]))
    free: list[Waiting] = []
    postponed: list[Waiting] = []
    for one in undecided:
        results = [next(locks) for _ in one.asked]
        one.locked = [whose for whose, _ in results]
        (free if all(held for _, held in results) else postponed).append(one)
    return free, postponed


async def _facts(
    connection: Connection, network: Network, free: list[Waiting]
) -> tuple[list[Waiting], list[Waiting], Facts]:
    """The facts for all, one statement; returns who may go on, who must wait, and the facts for who may go on.

    Where grants lean on other clients' consents these are locked as well, and because that can only be done once the
    grants are known, the facts are read again under those locks: the log never reads "withdrawal, permit".
    """
    facts = await load_facts(connection, network.network_id, [item for one in free for item in one.asked])
    if not any(facts.others):
        return free, [], facts
    taken = await try_lock_others(connection, network.network_id, sorted(frozenset().union(*facts.others)))
    going: list[Waiting] = []
    leaning: list[Waiting] = []
    position = 0
    for one in free:
        first, position = position, position + len(one.asked)
        held = taken.isdisjoint(frozenset().union(*facts.others[first:position]))
        (going if held else leaning).append(one)
    return going, leaning, await load_facts(connection, network.network_id, [x for one in going for x in one.asked])


async def _catalogue_as_of(runtime: Runtime, connection: Connection, network: Network, facts: Facts) -> Catalogue:
    """The catalogue of this transaction: the picture at hand if the facts say that it still holds."""
    picture = await runtime.picture(network)
    if picture.version == facts.catalogue_version:
        return picture
    return await runtime.reload(connection, network)


async def _replay(runtime: Runtime, connection: Connection, keyed: Sequence[Waiting], catalogue: Catalogue) -> None:
    """Find the answers that were given before for these keys."""
    scopes = [(one.caller.partner_id, one.once.scope) for one in keyed if one.once is not None]
    if not scopes:
        return
    stored = await find_answers(
        connection, catalogue.network.network_id, [partner for partner, _ in scopes], [scope for _, scope in scopes]
    )
    for one in keyed:
        if one.once is not None and one.once.scope in stored:
            try:
                require_standing(one.caller, catalogue)
                one.outcome = kept_outcome(runtime.keys, one.caller, one.once, DECISIONS, stored[one.once.scope])
            except (NotAuthentic, Refused) as error:
                one.outcome = error


async def _decide(
    runtime: Runtime, catalogue: Catalogue, free: Sequence[Waiting], facts: Facts, latest: datetime
) -> list[Waiting]:
    """Decide what can be decided; returns the requests whose client was linked to another since it was locked."""
    postponed = []
    position = 0
    # In ascending order, which the index of the log's events keeps small.
    decision_ids = iter(sorted(new_ids(facts.now, len(facts.clients))))
    promise = (runtime.issuer, runtime.keys.log_key_id)
    for one in free:
        first, position = position, position + len(one.asked)
        if one.outcome is not None:
            continue
        if facts.clients[first:position] != one.locked:
            postponed.append(one)
            continue
        try:
            require_standing(one.caller, catalogue)
            if one.catalogue_version != catalogue.version:
                await one.read(catalogue, runtime.keys)
        except (NotAuthentic, Malformed) as error:
            one.outcome = error
            continue
        for number, (request, question) in enumerate(zip(one.requests, one.questions, strict=True), start=first):
            if number % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)
            road = catalogue.road(
                question.sender.partner_id, question.recipient.partner_id, question.purpose.purpose_id
            )
            grants = facts.grants[number]
            if facts.now < latest - SET_BACK:
                road, grants = not_over(road, grants, latest)
            decision = decide(question, road, grants, facts.now)
            # The reference's own number: whom else it meant is told by the links in the log.
            client_id = facts.clients[number].client_id
            one.events.append(decision_event(promise, request, question, decision, next(decision_ids), client_id))
    return postponed


async def _record(
    connection: Connection, network: Network, facts: Facts, free: Sequence[Waiting]
) -> dict[str, LogPlace]:
    """Append the records, last; returns their places by decision id."""
    items = [(one.caller.actor, event) for one in free for event in one.events]
    if not items:
        return {}
    places = await append_all(connection, network, facts.now, items)
    return {event.event_id: place for (_, event), place in zip(items, places, strict=True)}


async def _answer(
    runtime: Runtime, catalogue: Catalogue, one: Waiting, facts: Facts, places: dict[str, LogPlace]
) -> None:
    decided_at = format_instant(facts.now)
    answers = []
    for number, event in enumerate(one.events):
        if number % AT_A_TIME == AT_A_TIME - 1:
            await asyncio.sleep(0)
        answer = make_answer(catalogue, event.members, decided_at, event.event_id, places[event.event_id])
        if "receipt" in event.members:
            answer = with_receipt(answer, runtime.keys, catalogue.network.slug, event.members)
        answers.append(answer)
    one.outcome = Performed(answers)


async def _keep(connection: Connection, runtime: Runtime, one: Waiting, now: datetime) -> None:
    if one.once is not None and isinstance(one.outcome, Performed):
        client_ids = tuple(sorted({whose.client_id for whose in one.locked if whose.client_id is not None}))
        done = Done(one.outcome.value, client_ids)
        await keep(connection, runtime.keys, one.caller, one.once, DECISIONS, done, now)
