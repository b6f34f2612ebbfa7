"""Reporting transfers: what the sender did after a decision. The log of decisions does not show what was sent
(docs/design/cases.md, mistake 21).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound
from consent_registry.domain.events.decisions import DecisionEvent, ReadEvent, TransferEvent
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.decisions.decisions import DecisionAnswer, decision_of, make_answer, with_receipt
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, digest_of, new_id, run_command, run_query
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.pagination import Page, make_cursor, read_cursor
from consent_registry.operations.runtime.wire_members import Instant, LogEntry, Slug, instant_at
from consent_registry.storage.clients.clients import client_lock, lock_client_shared
from consent_registry.storage.decisions import transfers as storage
from consent_registry.storage.log import append


class TransferRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sender did after a decision: which categories it sent, and when."""

    outcome: Literal["sent", "not_sent", "failed"]
    categories: Annotated[list[Slug], Meta(max_length=100)]
    at: Instant | UnsetType = UNSET


class TransferAnswer(msgspec.Struct, frozen=True):
    """The recorded transfer."""

    transfer_id: str
    decision_id: str
    outcome: str
    categories: list[str]
    at: AnsweredInstant
    recorded_at: AnsweredInstant
    log: LogEntry


TRANSFER = StoredShape("transfer", 1, TransferAnswer)


async def report_transfer(
    runtime: Runtime, actor: Actor, decision_id: str, request: TransferRequest, idempotency_key: IdempotencyKey
) -> CommandResult[TransferAnswer]:
    """Record a transfer. A transfer of more than was permitted is recorded as well, and becomes a finding."""

    async def work(command: Command) -> WorkResult[TransferAnswer]:
        category_ids = _category_ids(command, request)
        stored = await _own_decision(command, decision_id)
        await storage.lock_decision(command.connection, command.network.network_id, decision_id)
        reported = await storage.outcomes_of(command.connection, command.network.network_id, decision_id)
        if request.outcome == "not_sent" and "sent" in reported:
            raise Conflict("This transfer was reported as sent.")
        now = await command.now()
        faults: list[Fault] = []
        at = instant_at(None if request.at is UNSET else request.at, "/at", faults) or now
        if at > now:
            faults.append(Fault("/at", "must not be in the future"))
        if faults:
            raise Malformed(faults=tuple(faults))
        row = storage.TransferRow(
            new_id(now), decision_id, actor.partner_id, stored.client_id, request.outcome, category_ids, at, now
        )
        await storage.add_transfer(command.connection, command.network.network_id, row)
        permitted = decision_of(stored.event).permitted
        event = TransferEvent(
            id=row.transfer_id,
            client=stored.client_id,
            decision=decision_id,
            outcome=request.outcome,
            categories=request.categories,
            beyond_permit=[slug for slug in request.categories if slug not in permitted],
            transferred_at=format_instant(at),
        )
        place = (await command.append(event))[0]
        answer = TransferAnswer(
            row.transfer_id,
            decision_id,
            request.outcome,
            request.categories,
            format_instant(at),
            format_instant(now),
            LogEntry.of(place),
        )
        client_ids = () if stored.client_id is None else (stored.client_id,)
        return WorkResult(answer, client_ids=client_ids)

    return await run_command(runtime, actor, work, idempotency_key=idempotency_key, shape=TRANSFER)


def _category_ids(command: Command, request: TransferRequest) -> tuple[int, ...]:
    categories = command.catalogue.categories
    faults = [
        Fault(f"/categories/{number}", f"{slug!r} is no data category of this network")
        for number, slug in enumerate(request.categories)
        if slug not in categories
    ]
    if len(set(request.categories)) != len(request.categories):
        faults.append(Fault("/categories", "must not name a category twice"))
    if request.outcome == "sent" and not request.categories:
        faults.append(Fault("/categories", "must say what was sent"))
    if faults:
        raise Malformed(faults=tuple(faults))
    return tuple(categories[slug].category_id for slug in request.categories)


async def _own_decision(command: Command, decision_id: str) -> append.StoredEvent:
    """The caller's decision, read under its client's shared lock, so that no event outlives the client's erasure.

    An unknown decision, and one about an unknown reference, cost the same lock and queries.
    """
    stored = await append.find_event(command.connection, command.network, decision_id)
    subject = decision_id if stored is None or stored.client_id is None else stored.client_id
    await lock_client_shared(command.connection, command.network.network_id, client_lock(subject))
    stored = await append.find_event(command.connection, command.network, decision_id)
    if stored is None or stored.kind != DecisionEvent.number:
        raise NotFound
    return stored


async def read_decision(runtime: Runtime, actor: Actor, decision_id: str) -> DecisionAnswer:
    """The same bytes as the answer of a decision, for its sender only, made from its event. The read is logged."""

    async def work(command: Command) -> DecisionAnswer:
        stored = await _own_decision(command, decision_id)
        answer = answer_from_event(command, decision_of(stored.event), stored.place)
        digest = digest_of([decision_id])
        now = await command.now()
        event = ReadEvent(id=new_id(now), client=stored.client_id, what="decision", count=1, digest=digest)
        await command.append(event)
        return answer

    return await run_query(runtime, actor, work)


def answer_from_event(command: Command, event: DecisionEvent, place: append.LogPlace) -> DecisionAnswer:
    """The answer of a decision, made from its event, with the receipt if it promised one."""
    answer = make_answer(command.catalogue, event, event.at, place)
    if event.receipt is UNSET:
        return answer
    return with_receipt(answer, command.keys, event.network, event, event.receipt)


class UnreportedDecision(msgspec.Struct, frozen=True):
    """A permit whose transfer was not reported."""

    decision_id: str
    recipient: str
    purpose: str
    outcome: str
    permitted_categories: list[str]
    decided_at: AnsweredInstant


async def list_unreported(runtime: Runtime, actor: Actor, limit: int, cursor: str | None) -> Page[UnreportedDecision]:
    """The caller's permits for which no transfer was reported, newest first."""
    filter_of_page = f"unreported {actor.network.slug} {actor.slug}".encode()

    async def work(command: Command) -> Page[UnreportedDecision]:
        before = read_cursor(command.keys, filter_of_page, cursor, in_query=True)
        events = await storage.list_unreported(
            command.connection, command.network.network_id, actor.partner_id, before, limit + 1
        )
        items = [_unreported(decision_of(event)) for event in events[:limit]]
        following = items[-1].decision_id if len(events) > limit else None
        now = await command.now()
        ids = [decision.decision_id for decision in items]
        event = ReadEvent(id=new_id(now), what="decisions", count=len(items), digest=digest_of(ids))
        await command.append(event)
        return Page(items, make_cursor(command.keys, filter_of_page, following))

    return await run_query(runtime, actor, work)


def _unreported(event: DecisionEvent) -> UnreportedDecision:
    return UnreportedDecision(event.id, event.recipient, event.purpose, event.outcome, event.permitted, event.at)
