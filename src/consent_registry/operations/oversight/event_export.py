"""Export of events: the slice of the search, from the log's beginning to its present end, page by page, oldest first.

Each page is a transaction of its own and is sent only after its read event is durable. So if an export is cut off, the
log has a record of every page that was sent. Events erased meanwhile are not in later pages.
"""

from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from consent_registry.domain.errors import Conflict
from consent_registry.domain.events.decisions import ReadEvent
from consent_registry.operations.oversight.event_filter import Criteria, EventFilter, read_criteria
from consent_registry.operations.oversight.event_search import SearchedClient, held_subject, is_about, show_events
from consent_registry.operations.oversight.event_views import EventView
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, digest_of, new_id, run_query
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.log.append import read_size
from consent_registry.storage.log.checkpoints import latest_checkpoint
from consent_registry.storage.oversight.event_search import (
    ReceivedPermit,
    SearchRange,
    choose_one_plan,
    permits_received,
)
from consent_registry.storage.oversight.events import OwnEvent, WantedEvents, read_stretch
from consent_registry.tlog.event_bundle import FORMAT, BundleHead, OpenedEvent

Format = Literal["jsonl", "csv", "bundle"]
# A page reads at most so many stretches of the log; how long each may be is the runtime's limit.
STRETCHES = 20


class EventExportRequest(EventFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to export, and how: as JSON Lines, as CSV, or as a bundle that can be verified offline."""

    format: Format


class EventExport(msgspec.Struct, frozen=True):
    """An export of events: pages of views, or for a bundle its head and pages of events with nonces."""

    head: BundleHead | None
    pages: AsyncIterator["ExportPage"]


class ExportPage(msgspec.Struct, frozen=True):
    """A page of an export: it has `views`, or for a bundle `opened` events. `start` is the first place of the next
    page, None at the end; `end` is the place before which the whole export ends.
    """

    views: list[EventView]
    opened: list[OpenedEvent]
    start: int | None
    end: int


async def export_events(runtime: Runtime, actor: Actor, request: EventExportRequest) -> EventExport:
    """Begin an export; its first page is read and logged when this returns. Raises Malformed, and Conflict for a bundle
    of a log that has no checkpoint yet.
    """
    first = await _page(runtime, actor, request, 0, None)
    head = None
    if request.format == "bundle":
        head = BundleHead(FORMAT, actor.network.log_origin, first.end, slice=actor.slug, actor=actor.slug)
    return EventExport(head, _pages(runtime, actor, request, first))


async def _pages(
    runtime: Runtime, actor: Actor, request: EventExportRequest, first: ExportPage
) -> AsyncIterator[ExportPage]:
    page = first
    yield page
    while page.start is not None:
        page = await _page(runtime, actor, request, page.start, page.end)
        yield page


async def _page(runtime: Runtime, actor: Actor, request: EventExportRequest, start: int, end: int | None) -> ExportPage:
    """Read the page that begins at `start`; its read event is durable when this returns."""

    async def work(command: Command) -> ExportPage:
        criteria = read_criteria(command.catalogue, actor, request)
        until = await _end(command, request.format) if end is None else end
        await choose_one_plan(command.connection)
        subject = None if request.client is None else await held_subject(command, request.client)
        stretches = _Stretches(command, criteria, subject, request.format)
        while start + stretches.passed < until and not stretches.is_full:
            await stretches.read(start + stretches.passed, until)
        ids, page = await stretches.page(start, until)
        # A later page without events shows nothing. The first page is logged even if it is empty.
        if ids or end is None:
            now = await command.now()
            event = ReadEvent(
                id=new_id(now),
                client=subject.client_id if subject else None,
                what="event export",
                format=request.format,
                count=len(ids),
                digest=digest_of(ids),
            )
            await command.append(event)
        return page

    return await run_query(runtime, actor, work)


async def _end(command: Command, kind: Format) -> int:
    """The log's size now; for a bundle, the size of the published checkpoint."""
    network_id = command.network.network_id
    if kind != "bundle":
        return await read_size(command.connection, network_id)
    published = await latest_checkpoint(command.connection, network_id)
    if published is None:
        raise Conflict("This log has no published checkpoint yet, so nothing could be verified. Ask again shortly.")
    return published.size


class _Stretches:
    """Reads the events of one page, stretch by stretch of the log."""

    def __init__(self, command: Command, criteria: Criteria, subject: SearchedClient | None, kind: Format) -> None:
        self._command, self._criteria, self._subject, self._kind = command, criteria, subject, kind
        self._own: list[OwnEvent] = []
        self._received: list[ReceivedPermit] = []
        self._named: dict[int, str] = {}
        self._limits = command.runtime.limits
        self.passed = 0

    @property
    def is_full(self) -> bool:
        """Whether the page has enough events, or enough places were read."""
        found, limits = len(self._own) + len(self._received), self._limits
        return found >= limits.export_events or self.passed >= STRETCHES * limits.export_places

    async def read(self, start: int, until: int) -> None:
        """Read the next stretch, from `start` to at most `until`."""
        end = min(start + self._limits.export_places, until)
        network_id, criteria = self._command.network.network_id, self._criteria
        if criteria.own and (self._subject is None or self._subject.client_id is not None):
            rows = await read_stretch(self._command.connection, network_id, start, end, self._wanted())
            self._own += [row for row in rows if self._is_meant(row)]
        if criteria.others and self._kind != "bundle":
            span = SearchRange(network_id, start, end, criteria.since, criteria.until, end - start)
            self._received += await permits_received(
                self._command.connection, span, criteria.sender_id, criteria.purpose_id, criteria.outcome
            )
        self.passed += end - start

    async def page(self, start: int, until: int) -> tuple[list[str], ExportPage]:
        """The ids of the events found, and the page."""
        following = start + self.passed if start + self.passed < until else None
        if self._kind == "bundle":
            opened = [OpenedEvent(row.place.index, row.event, row.nonce) for row in self._own]
            return [row.event_id for row in self._own], ExportPage([], opened, following, until)
        views = (await show_events(self._command, self._own, self._received, self._named))[::-1]
        return [view.id for view in views], ExportPage(views, [], following, until)

    def _wanted(self) -> WantedEvents:
        criteria = self._criteria
        client_ids = None if self._subject is None else self._subject.client_ids
        return WantedEvents(
            self._command.actor.partner_id,
            criteria.kinds,
            criteria.flow,
            criteria.person,
            client_ids,
            criteria.since,
            criteria.until,
        )

    def _is_meant(self, row: OwnEvent) -> bool:
        """Whether an event is about the client searched for; for a question without a client, by its commitment."""
        if self._subject is None or row.client_id is not None:
            return True
        reference = is_about(row.nonce, row.event, self._subject.references)
        if reference is not None:
            self._named[row.place.index] = reference
        return reference is not None
