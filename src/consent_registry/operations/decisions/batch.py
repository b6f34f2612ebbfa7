"""Answering one batch of decisions in one transaction (docs/design/decisions.md, steps 3 to 8).

The order of the steps is catalogue lock, client locks, facts, log. So the log never reads "withdrawal, permit".
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog
from msgspec import UNSET

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.decisions import SET_BACK, Decision, without_ended
from consent_registry.domain.errors import KeyInUse, Malformed, NotAuthentic, Refused
from consent_registry.domain.events.decisions import DecisionEvent
from consent_registry.domain.instants import format_instant
from consent_registry.operations.decisions.decisions import decision_event, make_answer, with_receipt
from consent_registry.operations.decisions.pacing import Pace
from consent_registry.operations.decisions.pending import DECISIONS, PendingQuestion, PendingRequest
from consent_registry.operations.runtime.actors import require_standing
from consent_registry.operations.runtime.commands import new_ids
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, WorkResult, keep_result, kept_result
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.database.idempotency import find_answers, try_lock_keys
from consent_registry.storage.decisions.client_locks import try_lock_others
from consent_registry.storage.decisions.facts import Facts
from consent_registry.storage.log.append import LogPlace, NewEntry, append_all

_log = structlog.get_logger(__name__)

Requests = list[PendingRequest]
PlacesByEvent = dict[str, LogPlace]


async def answer_batch(runtime: Runtime, network: Network, batch: Sequence[PendingRequest]) -> Requests:
    """Decide a batch in one transaction and send the answers after COMMIT.

    Returns the requests that must wait for the next batch, because another transaction holds the lock of a client.
    """
    pace = Pace()
    for request in batch:
        request.begin()
    partners = sorted({request.actor.partner_id for request in batch})
    with_keys = any(request.idempotency_key is not None for request in batch)
    async with transaction(
        runtime.pool, network.network_id, partners, one_plan=True, hold_catalogue=not with_keys
    ) as connection:
        keyed: Requests = []
        if with_keys:
            keyed = await _claim_keys(connection, network, batch)
            await lock_catalogue(connection, network.network_id)
        free, postponed = await _lock(runtime, connection, network, batch)
        free, dependent, facts = await _load(runtime, connection, network, free)
        postponed += dependent
        catalogue = await _catalogue_as_of(runtime, connection, network, facts)
        latest = await runtime.clock.latest(connection, network.network_id, facts.now)
        await _replay(runtime, connection, keyed, catalogue)
        postponed += await _decide(runtime, catalogue, free, facts.now, latest, pace)
        decided = [request for request in free if request.outcome is None and request.is_decided]
        places = await _record(connection, network, facts.now, decided, pace)
        # Answers to requests with an idempotency key are stored in this transaction, so they are made before COMMIT.
        for request in decided:
            if request.idempotency_key is not None:
                await _answer(runtime, catalogue, request, facts.now, places, pace)
                await _keep(connection, runtime, request, facts.now)
    for request in decided:
        if request.idempotency_key is None:
            try:
                await _answer(runtime, catalogue, request, facts.now, places, pace)
            except Exception as error:  # noqa: BLE001 - the decision is in the log: to ask again would log it twice
                _log.exception("answer failed after commit", questions=len(request.questions))
                request.outcome = error
    for request in batch:
        if request.outcome is not None:
            request.settle(request.outcome)
    return postponed


async def _claim_keys(connection: Connection, network: Network, batch: Sequence[PendingRequest]) -> Requests:
    """Try the locks of the requests' idempotency keys. A request whose key is in use is answered KeyInUse.

    Returns the requests whose key is locked.
    """
    keyed: dict[tuple[int, bytes], PendingRequest] = {}
    for request in batch:
        if request.idempotency_key is None:
            continue
        if keyed.setdefault((request.actor.partner_id, request.idempotency_key.scope), request) is not request:
            request.outcome = KeyInUse(retry_after=1)
    held = await try_lock_keys(connection, network.network_id, [scope for _, scope in keyed])
    for request, is_held in zip(keyed.values(), held, strict=True):
        if not is_held:
            request.outcome = KeyInUse(retry_after=1)
    return [request for request in keyed.values() if request.outcome is None]


def _questions(requests: Sequence[PendingRequest]) -> list[PendingQuestion]:
    return [question for request in requests for question in request.questions]


async def _lock(
    runtime: Runtime, connection: Connection, network: Network, batch: Sequence[PendingRequest]
) -> tuple[Requests, Requests]:
    """Try the shared locks of the clients of all requests that have no answer yet.

    Returns the requests that hold all their locks, and those that must wait because a consent act holds one.
    """
    requests = [request for request in batch if request.outcome is None]
    questions = _questions(requests)
    asked = [question.query for question in questions]
    clients = await runtime.steps.lock_clients(connection, network.network_id, asked)
    blocked = set()
    for question, (client, is_held) in zip(questions, clients, strict=True):
        question.locked = client
        if not is_held:
            blocked.add(question)
    return _divide(requests, blocked)


async def _load(
    runtime: Runtime, connection: Connection, network: Network, requests: Requests
) -> tuple[Requests, Requests, Facts]:
    """Read the facts for all questions in one statement.

    Returns the requests that can be decided, those that must wait, and the facts with their time and catalogue version.

    Grants may depend on consents of other clients (data about third parties). These clients are known only after the
    grants are read. So their locks are tried now, and the facts are read again under these locks. Without the second
    reading the log could read "withdrawal of the other client, permit".
    """
    facts = await _load_into(runtime, connection, network, requests)
    others = frozenset().union(*[question.facts.others for question in _questions(requests)])
    if not others:
        return requests, [], facts
    taken = await try_lock_others(connection, network.network_id, sorted(others))
    blocked = {question for question in _questions(requests) if not taken.isdisjoint(question.facts.others)}
    free, dependent = _divide(requests, blocked)
    return free, dependent, await _load_into(runtime, connection, network, free)


async def _load_into(runtime: Runtime, connection: Connection, network: Network, requests: Requests) -> Facts:
    questions = _questions(requests)
    asked = [question.query for question in questions]
    facts = await runtime.steps.load_facts(connection, network.network_id, asked)
    for question, known in zip(questions, facts.questions, strict=True):
        question.facts = known
    return facts


def _divide(requests: Requests, blocked: set[PendingQuestion]) -> tuple[Requests, Requests]:
    """The requests without a blocked question, and those with one."""
    if not blocked:
        return requests, []
    free: Requests = []
    postponed: Requests = []
    for request in requests:
        (free if blocked.isdisjoint(request.questions) else postponed).append(request)
    return free, postponed


async def _catalogue_as_of(runtime: Runtime, connection: Connection, network: Network, facts: Facts) -> Catalogue:
    """The catalogue in memory if it has the version that the facts name, else the catalogue loaded again."""
    picture = await runtime.picture(network)
    if picture.version == facts.catalogue_version:
        return picture
    return await runtime.reload(connection, network)


async def _replay(runtime: Runtime, connection: Connection, keyed: Requests, catalogue: Catalogue) -> None:
    """Find the answers that were given before for these keys (`Idempotency-Replayed`)."""
    scopes = [
        (request.actor.partner_id, request.idempotency_key.scope)
        for request in keyed
        if request.idempotency_key is not None
    ]
    if not scopes:
        return
    stored = await find_answers(
        connection, catalogue.network.network_id, [partner for partner, _ in scopes], [scope for _, scope in scopes]
    )
    for request in keyed:
        idempotency_key = request.idempotency_key
        if idempotency_key is not None and idempotency_key.scope in stored:
            try:
                require_standing(request.actor, catalogue)
                request.outcome = kept_result(
                    runtime.keys, request.actor, idempotency_key, DECISIONS, stored[idempotency_key.scope]
                )
            except (NotAuthentic, Refused) as error:
                request.outcome = error


async def _decide(
    runtime: Runtime, catalogue: Catalogue, requests: Requests, now: datetime, latest: datetime, pace: Pace
) -> Requests:
    """Decide each question. Returns the requests of which a client was linked to another one since it was locked."""
    postponed = []
    # In ascending order, because that keeps the index over event ids small.
    decision_ids = iter(sorted(new_ids(now, sum(len(request.questions) for request in requests))))
    promise = (runtime.issuer, runtime.keys.log_key_id)
    for request in requests:
        if request.outcome is not None:
            continue
        if any(question.facts.client != question.locked for question in request.questions):
            postponed.append(request)
            continue
        try:
            require_standing(request.actor, catalogue)
            if request.catalogue_version != catalogue.version:
                await _read_again(request, catalogue, runtime, pace)
        except (NotAuthentic, Malformed) as error:
            request.outcome = error
            continue
        for question in request.questions:
            await pace.pause()
            decision = _decision(runtime, catalogue, question, now, latest)
            # The client number of the reference itself. The links in the log say which other numbers meant the client.
            client_id = question.facts.client.client_id
            question.event = decision_event(
                promise, question.request, question.question, decision, next(decision_ids), client_id
            )
    return postponed


async def _read_again(request: PendingRequest, catalogue: Catalogue, runtime: Runtime, pace: Pace) -> None:
    """Resolve the request by a newer catalogue. Numbers of entries never change, so the facts stay valid."""
    known = [(question.locked, question.facts) for question in request.questions]
    await request.read(catalogue, runtime.keys, pace)
    for question, (locked, facts) in zip(request.questions, known, strict=True):
        question.locked, question.facts = locked, facts


def _decision(
    runtime: Runtime, catalogue: Catalogue, pending: PendingQuestion, now: datetime, latest: datetime
) -> Decision:
    question, grants = pending.question, pending.facts.grants
    rules = catalogue.flow_rules(question.sender.partner_id, question.recipient.partner_id, question.purpose.purpose_id)
    if now < latest - SET_BACK:
        rules, grants = without_ended(rules, grants, latest)
    return runtime.steps.decide(question, rules, grants, now)


async def _record(
    connection: Connection, network: Network, now: datetime, decided: Requests, pace: Pace
) -> PlacesByEvent:
    """Append the events of the decisions. Returns their places in the log by decision id."""
    instant = format_instant(now)
    entries = [entry for request in decided for entry in _entries(network, request, instant)]
    if not entries:
        return {}
    places = await append_all(connection, network, now, entries, pace.pause)
    return {entry.event.id: place for entry, place in zip(entries, places, strict=True)}


def _entries(network: Network, request: PendingRequest, instant: str) -> Iterator[NewEntry]:
    for pending in request.questions:
        if pending.event is not None:
            to = (pending.question.recipient.partner_id, pending.question.purpose.purpose_id)
            yield NewEntry.of(network, request.actor.log_name, instant, pending.event, to)


def _events(request: PendingRequest) -> list[DecisionEvent]:
    return [question.event for question in request.questions if question.event is not None]


async def _answer(
    runtime: Runtime, catalogue: Catalogue, request: PendingRequest, now: datetime, places: PlacesByEvent, pace: Pace
) -> None:
    decided_at = format_instant(now)
    answers = []
    for event in _events(request):
        await pace.pause()
        answer = make_answer(catalogue, event, decided_at, places[event.id])
        if event.receipt is not UNSET:
            answer = with_receipt(answer, runtime.keys, catalogue.network.slug, event, event.receipt)
        answers.append(answer)
    request.outcome = CommandResult(answers)


async def _keep(connection: Connection, runtime: Runtime, request: PendingRequest, now: datetime) -> None:
    if request.idempotency_key is not None and isinstance(request.outcome, CommandResult):
        clients = {question.locked.client_id for question in request.questions}
        done = WorkResult(
            request.outcome.value, tuple(sorted(client_id for client_id in clients if client_id is not None))
        )
        await keep_result(connection, runtime.keys, request.actor, request.idempotency_key, DECISIONS, done, now)
