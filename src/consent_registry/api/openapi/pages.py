"""The routes of the interface's documentation: the OpenAPI document, and Swagger UI, served without other hosts."""

from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from consent_registry.api.openapi.document import document_bytes
from consent_registry.domain.errors import NotFound
from consent_registry.web.files import File, serve_file
from consent_registry.web.html_page import page

FILES = Path(__file__).parents[2] / "web" / "static"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
# Swagger UI uses style attributes and pictures as data: URLs, and calls this host when a reader tries a request.
POLICY = "script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'"
HEAD = (
    '<link rel="stylesheet" href="/docs/files/swagger-ui.css"><link rel="stylesheet" href="/docs/files/docs.css">'
    '<script defer src="/docs/files/swagger-ui-bundle.js"></script><script defer src="/docs/files/docs.js"></script>'
)
BODY = (
    '<p>The same as a file: <a href="/openapi/openapi.json">OpenAPI 3.1</a>. To try it: <em>Authorize</em> with a '
    "client id and secret (no scope chosen: all), open a call, <em>Try it out</em>. Each call gets an Idempotency-Key "
    "of its own unless you write one; in the demonstration the examples fit the AWO in Paderborn "
    "(<code>awo-paderborn</code> in <code>demo.json</code>).</p>"
    '<div id="description"></div><noscript><p>This page needs JavaScript; the file does not.</p></noscript>'
)
# Made at import, before workers are forked, because compressing Swagger UI takes a tenth of a second.
PAGE = page("Interface", BODY, head=HEAD, policy=POLICY)
STATIC = {
    path.name: File.of(path.read_bytes(), MEDIA_TYPES.get(path.suffix, "text/plain"), "public, max-age=3600")
    for path in FILES.iterdir()
}


@get("/docs")
async def show_docs(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show the interface for people, to read and try."""
    return serve_file(request, PAGE)


@get("/openapi/openapi.json")
async def show_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show the interface for programs, with the same bytes as the committed file."""
    file = request.app.state.get("document")
    if file is None:
        file = request.app.state["document"] = File.of(document_bytes(request.app), "application/json")
    return serve_file(request, file)


@get("/docs/files/{name:str}")
async def show_docs_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """Show a file that the pages load. The name is looked up in STATIC, so it never becomes a path."""
    file = STATIC.get(name)
    if file is None:
        raise NotFound
    return serve_file(request, file)


ROUTES: list[ControllerRouterHandler] = [show_docs, show_document, show_docs_file]
