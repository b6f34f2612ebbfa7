"""The data-protection officer's door: searching the log, and taking it along."""

from collections.abc import AsyncIterator

import msgspec
from litestar import Response, post
from litestar.params import JSONBody
from litestar.response import Stream

from consent_registry.domain.errors import Conflict
from consent_registry.operations.oversight import event_export as exports
from consent_registry.operations.oversight import event_search as searches
from consent_registry.operations.oversight.event_export import EventExportRequest, Export, ExportPage, Format
from consent_registry.operations.oversight.event_search import EventSearchRequest
from consent_registry.operations.oversight.event_views import EventView
from consent_registry.operations.running.pagination import Page
from consent_registry.tlog.event_bundle import format_bundle, format_event
from consent_registry.web.bodies import StrictBody
from consent_registry.web.callers import ApiRequest, requires, respond, shared_state
from consent_registry.web.csv_rows import csv_row
from consent_registry.web.operation import openapi_operation

_GUARDS = [requires("audit:read")]
JSON_LINES, CSV = "application/jsonl", "text/csv"
_MEDIA_TYPES: dict[Format, str] = {"jsonl": JSON_LINES, "bundle": JSON_LINES, "csv": CSV}
# `client` is the own reference; what an event holds beyond these columns is in the other formats.
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
    """What the caller's own partner did, and what others were permitted to send to it, newest first; no other's. A
    search, not a change: an Idempotency-Key is ignored. Each search is an event itself.
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
    """The search's slice, oldest first, up to where the log ends now: as JSON Lines (one event of the search a line),
    as CSV (RFC 4180, safe to open in a spreadsheet), or as a bundle for `consent-registry verify --events`, which holds
    the partner's own events alone and ends where the published checkpoint does. It arrives in pages, each after its own
    record in the log; one that is cut off ends without its last chunk. An Idempotency-Key is ignored.
    """
    export = await exports.export_events(shared_state(request).oversight, request.user, data)
    name = f"events-{request.user.network.slug}-{request.user.slug}.{'csv' if data.format == 'csv' else 'jsonl'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Stream(_chunks(export, data.format), media_type=_MEDIA_TYPES[data.format], headers=headers)


async def _chunks(export: Export, kind: Format) -> AsyncIterator[bytes]:
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
        return b"".join(msgspec.json.encode(one) + b"\n" for one in page.views)
    return b"".join(
        csv_row((*(getattr(one, name) for name in _COLUMNS), one.log.index, one.log.leaf)) for one in page.views
    )


ROUTES = [search_events, export_events]
