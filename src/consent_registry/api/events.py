"""The routes with which a data-protection officer searches and exports the events of the log."""

from collections.abc import AsyncIterator

import msgspec
from litestar import Response, post
from litestar.params import JSONBody
from litestar.response import Stream

from consent_registry.domain.errors import Conflict
from consent_registry.operations.oversight import event_export as exports
from consent_registry.operations.oversight import event_search as searches
from consent_registry.operations.oversight.event_export import EventExport, EventExportRequest, ExportPage, Format
from consent_registry.operations.oversight.event_search import EventSearchRequest
from consent_registry.operations.oversight.event_views import EventView
from consent_registry.operations.runtime.pagination import Page
from consent_registry.tlog.event_bundle import format_bundle, format_event
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import ApiRequest, requires, respond, shared_state
from consent_registry.web.csv_rows import csv_row
from consent_registry.web.operation import openapi_operation

_GUARDS = [requires("audit:read")]
JSON_LINES, CSV = "application/jsonl", "text/csv"
_MEDIA_TYPES: dict[Format, str] = {"jsonl": JSON_LINES, "bundle": JSON_LINES, "csv": CSV}
# `client` is the caller's own reference. An event's other members are in the other formats only.
_COLUMNS = ("id", "kind", "at", "actor", "client", "recipient", "purpose", "outcome", "person")
_PLACE = ("log_index", "leaf")


@post(
    "/events/search",
    guards=_GUARDS,
    dto=StrictBody,
    status_code=200,
    **openapi_operation(
        200, Page[EventView], "Search the log", quota="reads", scope="audit:read", takes=EventSearchRequest
    ),
)
async def search_events(request: ApiRequest, data: JSONBody[EventSearchRequest]) -> Response[bytes]:
    """The events of the caller's own partner, and the permits for transfers to it, newest first. This changes no
    consent, so an Idempotency-Key is ignored. Each search is recorded as an event itself.
    """
    return respond(await searches.search_events(shared_state(request).oversight, request.user, data))


@post(
    "/events/exports",
    guards=[requires("audit:read", JSON_LINES, CSV)],
    dto=StrictBody,
    status_code=200,
    **openapi_operation(
        200,
        str,
        "Take events along",
        quota="reads",
        scope="audit:read",
        takes=EventExportRequest,
        refusals=(Conflict,),
        headers=("Content-Disposition",),
        media_type=JSON_LINES,
        or_media_types=(CSV,),
    ),
)
async def export_events(request: ApiRequest, data: JSONBody[EventExportRequest]) -> Stream:
    """The events of a search, oldest first, up to the present end of the log. The formats are JSON Lines (one event a
    line), CSV (RFC 4180, safe to open in a spreadsheet), and a bundle for `consent-registry verify --events`, which has
    only the partner's own events and ends at the published checkpoint. The answer comes in pages, and each page is
    recorded in the log before it is sent. An answer that is cut off lacks the last chunk. An Idempotency-Key is
    ignored.
    """
    export = await exports.export_events(shared_state(request).oversight, request.user, data)
    name = f"events-{request.user.network.slug}-{request.user.slug}.{'csv' if data.format == 'csv' else 'jsonl'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Stream(_chunks(export, data.format), media_type=_MEDIA_TYPES[data.format], headers=headers)


async def _chunks(export: EventExport, kind: Format) -> AsyncIterator[bytes]:
    if kind == "csv":
        yield csv_row((*_COLUMNS, *_PLACE))
    if export.head is not None:
        yield b"".join(format_bundle(export.head, ()))
    async for page in export.pages:
        if chunk := _encoded(page, kind):
            yield chunk


def _encoded(page: ExportPage, kind: Format) -> bytes:
    if kind == "bundle":
        return b"".join(map(format_event, page.opened))
    if kind == "jsonl":
        return b"".join(msgspec.json.encode(view) + b"\n" for view in page.views)
    return b"".join(
        csv_row((*(getattr(view, name) for name in _COLUMNS), view.log.index, view.log.leaf)) for view in page.views
    )


ROUTES = [search_events, export_events]
