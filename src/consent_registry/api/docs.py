"""The documentation: the OpenAPI document, and Swagger UI to read it, all of it from here."""

from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import CacheControlHeader
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from consent_registry.api.html_page import page
from consent_registry.api.openapi import document_bytes

FILES = Path(__file__).parent / "static"
# Swagger UI writes style attributes and shows pictures of its own as data: URLs; it may call this host to try things.
POLICY = "script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'"
HEAD = (
    '<link rel="stylesheet" href="/docs/files/swagger-ui.css">'
    '<script defer src="/docs/files/swagger-ui-bundle.js"></script><script defer src="/docs/files/docs.js"></script>'
)
BODY = (
    '<p>The same as a file: <a href="/openapi/openapi.json">OpenAPI 3.1</a>. What errors mean: '
    '<a href="/problems">problems</a>.</p><div id="description"></div>'
    "<noscript><p>This page needs JavaScript; the file does not.</p></noscript>"
)


@get("/docs")
async def show_docs() -> Response[bytes]:
    """The interface for people to read and try."""
    return page("Interface", BODY, head=HEAD, policy=POLICY)


@get("/openapi/openapi.json")
async def show_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The interface for programs: the same bytes as the committed file."""
    return Response(document_bytes(request.app), media_type="application/json")


ROUTES: list[ControllerRouterHandler] = [
    show_docs,
    show_document,
    create_static_files_router(
        path="/docs/files",
        directories=[FILES],
        cache_control=CacheControlHeader(public=True, max_age=3600),
        include_in_schema=False,
    ),
]
