"""The data-protection officer's search over the log: her own partner's slice, newest first; every search is logged.

She sees her own partner's events whole. Of other partners' events she sees only the decisions that permitted sending to
her partner: when, who, for what, but not about whom. Row-level security ensures both (docs/design/data-and-trust.md).
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from consent_registry.domain.events.all_kinds import read_event
from consent_registry.domain.events.decisions import OUTCOMES, ReadEvent
from consent_registry.operations.clients.clients import open_reference, own_references
from consent_registry.operations.consents.search import held_client
from consent_registry.operations.oversight.event_filter import DECISION, Criteria, EventFilter, read_criteria
from consent_registry.operations.oversight.event_views import EventView, EventViews
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, digest_of, new_id, run_query
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.pagination import Page, make_cursor, read_cursor
from consent_registry.storage.clients.clients import list_references
from consent_registry.storage.clients.links import find_groups
from consent_registry.storage.log.append import find_leaves
from consent_registry.storage.oversight import event_search as storage
from consent_registry.storage.oversight.event_search import ReceivedPermit, SearchRange
from consent_registry.storage.oversight.events import EventPlace, OwnEvent, read_events

_END = (1 << 63) - 1


class EventSearchRequest(EventFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to list. A page may be short or empty although `next` is not null: more may follow."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=400)] | None = None


class SearchedClient(msgspec.Struct, frozen=True):
    """The client a search is about: the client id under which the search is logged, all client ids of the client, and
    the caller's references for it. An unregistered reference has no `client_id`, and client ids without data.
    """

    client_id: str | None
    client_ids: list[str]
    references: list[str]


class _Found(msgspec.Struct, frozen=True):
    """The events found for a page, newest first; places below `floor` were not searched. `named` has, by place, the
    reference of questions from before its registration.
    """

    own: list[EventPlace]
    received: list[ReceivedPermit]
    floor: int = 0
    named: Mapping[int, str] = {}


async def search_events(runtime: Runtime, actor: Actor, request: EventSearchRequest) -> Page[EventView]:
    """One page of the caller's slice. A read event logs it, with count and digest of the ids. Raises Malformed."""
    bound_to = msgspec.json.encode(["events", actor.network.slug, actor.slug, _without_place(request)])

    async def work(command: Command) -> Page[EventView]:
        criteria = read_criteria(command.catalogue, actor, request)
        cursor = read_cursor(command.keys, bound_to, request.cursor)
        await storage.choose_one_plan(command.connection)
        span = await _span(command, criteria, _END if cursor is None else int(cursor), request.limit + 1)
        subject = None if request.client is None else await held_subject(command, request.client)
        found = await _find(command, criteria, subject, span)
        following = None
        if len(found.own) + len(found.received) > request.limit:
            found, following = _cut(found, request.limit)
        elif found.floor:
            following = str(found.floor)
        views = await _views(command, found)
        now = await command.now()
        client_id = subject.client_id if subject else None
        digest = digest_of([view.id for view in views])
        event = ReadEvent(id=new_id(now), client=client_id, what="events", count=len(views), digest=digest)
        await command.append(event)
        return Page(views, make_cursor(command.keys, bound_to, following))

    return await run_query(runtime, actor, work)


async def _span(command: Command, criteria: Criteria, before: int, limit: int) -> SearchRange:
    """The places to search. A limit in time is first translated into places, so that newer events are not read."""
    network_id = command.network.network_id
    low, high = 0, _END
    if criteria.is_limited_in_time:
        first, last = await storage.places_between(command.connection, network_id, criteria.since, criteria.until)
        low = 0 if first is None else first
        high = _END if last is None else last + 1
    return SearchRange(network_id, low, min(before, high), criteria.since, criteria.until, limit)


async def held_subject(command: Command, reference: str) -> SearchedClient:
    """The client of the caller's reference, under its shared lock. An unregistered reference causes the same work."""
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    known = await held_client(command, reference)
    asked = known or str(uuid.uuid4())
    client_ids = (await find_groups(command.connection, network_id, [asked]))[asked].client_ids
    references = await list_references(command.connection, network_id, partner_id, client_ids)
    return SearchedClient(known, client_ids, [open_reference(command, reference) for reference in references])


def is_about(nonce: bytes, event: bytes, references: Sequence[str]) -> str | None:
    """The reference, of the given ones, that a question about an unknown client used; None if it used none of them."""
    logged = read_event(event)
    return next((reference for reference in references if logged.is_about(nonce, reference)), None)


def _without_place(request: EventSearchRequest) -> EventSearchRequest:
    """The filter alone, to which a cursor is bound: the length of pages may change, the filter may not."""
    return msgspec.structs.replace(request, limit=1, cursor=None)


async def _find(command: Command, criteria: Criteria, subject: SearchedClient | None, span: SearchRange) -> _Found:
    """Find one event more than a page, to know whether another page follows."""
    if subject is not None:
        found = await _find_about(command, criteria, subject, span)
        # The same work is done for an unregistered reference, but nothing may be shown for it.
        return found if subject.client_id is not None and criteria.own else _Found([], [])
    recent = await storage.last_weeks(command.connection, span.network_id, span.before)
    if recent is not None:
        low, since = max(span.low, recent[0]), max(span.since, recent[1])
        found = await _find_within(command, criteria, msgspec.structs.replace(span, low=low, since=since))
        if len(found.own) + len(found.received) >= span.limit:
            return found
    return await _find_within(command, criteria, span)


async def _find_within(command: Command, criteria: Criteria, span: SearchRange) -> _Found:
    own = await _own_places(command, criteria, span) if criteria.own else []
    received = []
    if criteria.others:
        received = await storage.permits_received(
            command.connection, span, criteria.sender_id, criteria.purpose_id, criteria.outcome
        )
    return _Found(own, received)


async def _own_places(command: Command, criteria: Criteria, span: SearchRange) -> list[EventPlace]:
    actor_id = command.actor.partner_id
    if criteria.is_about_decisions:
        if not criteria.kinds or criteria.person is not None:
            return []  # no decision names a member of staff
        catalogue = command.catalogue
        recipients, purposes, outcomes = criteria.flow
        return await storage.places_by_flow(
            command.connection,
            span,
            actor_id,
            recipients or sorted(catalogue.partner_by_id),
            purposes or sorted(catalogue.purpose_by_id),
            outcomes or sorted(OUTCOMES.values()),
        )
    if criteria.person is not None:
        return await storage.places_by_person(command.connection, span, actor_id, criteria.person, criteria.kinds)
    return await storage.places_by_kind(command.connection, span, actor_id, criteria.kinds)


async def _find_about(command: Command, criteria: Criteria, subject: SearchedClient, span: SearchRange) -> _Found:
    """Events about the client, and questions about its references from before they were registered."""
    actor_id = command.actor.partner_id
    own = await storage.places_of_clients(
        command.connection, span, actor_id, subject.client_ids, criteria.kinds, criteria.flow, criteria.person
    )
    if DECISION not in criteria.kinds or criteria.person is not None:
        return _Found(own, [])
    registered = await storage.registered_at(command.connection, span.network_id, actor_id, subject.client_ids)
    before = span.before if registered is None else min(span.before, registered)
    low = own[-1].index if len(own) == span.limit else span.low
    most = command.runtime.limits.opened_questions
    to_open = msgspec.structs.replace(span, low=low, before=before, limit=most)
    opened = await storage.unknown_client_questions(command.connection, to_open, actor_id)
    named: dict[int, str] = {}
    for question in opened:
        asked = (question.recipient_id, question.purpose_id, question.outcome)
        if all(wanted is None or has in wanted for has, wanted in zip(asked, criteria.flow, strict=True)):
            reference = is_about(question.nonce, question.event, subject.references)
            if reference is not None:
                named[question.place.index] = reference
                own.append(question.place)
    own.sort(key=lambda place: place.index, reverse=True)
    floor = opened[-1].place.index if len(opened) == most else 0
    return _Found([place for place in own if place.index >= floor], [], floor, named)


def _cut(found: _Found, limit: int) -> tuple[_Found, str]:
    """Cut to one page; returns it and the place after which the next page begins."""
    indices = [place.index for place in found.own] + [permit.place.index for permit in found.received]
    last = sorted(indices, reverse=True)[limit - 1]
    own = [place for place in found.own if place.index >= last]
    received = [permit for permit in found.received if permit.place.index >= last]
    return _Found(own, received, found.floor, found.named), str(last)


async def _views(command: Command, found: _Found) -> list[EventView]:
    network_id = command.network.network_id
    own = await read_events(command.connection, network_id, found.own)
    return await show_events(command, own, found.received, found.named)


async def show_events(
    command: Command, own: Sequence[OwnEvent], received: Sequence[ReceivedPermit], named: Mapping[int, str]
) -> list[EventView]:
    """These events as the caller may see them, newest first."""
    indices = [row.place.index for row in own] + [row.place.index for row in received]
    leaves = await find_leaves(command.connection, command.network.network_id, indices)
    references = await own_references(command, [row.client_id for row in own if row.client_id is not None])
    views = EventViews(command.catalogue, leaves, references)
    shown = [views.own(command.actor.slug, row, named.get(row.place.index)) for row in own]
    shown += [views.received(row) for row in received]
    return sorted(shown, key=lambda view: view.log.index, reverse=True)
