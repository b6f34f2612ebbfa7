"""The guides of `docs/` as HTML pages, so that every installation serves the guides of its own version."""

import html
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from markdown_it import MarkdownIt
from markdown_it.token import Token

from consent_registry.domain.errors import NotFound
from consent_registry.web.files import File, serve_file
from consent_registry.web.html_page import page


@get("/guides")
async def list_guides(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List every guide by its title."""
    return serve_file(request, _list())


@get("/guides/{name:str}")
async def show_guide(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """Show a guide."""
    if name not in _guides():
        raise NotFound
    return serve_file(request, _page(name))


@cache
def _guides() -> dict[str, str]:
    """The text of every guide, by its file name without extension."""
    installed = Path(str(files("consent_registry") / "docs"))
    folder = installed if installed.is_dir() else Path(__file__).parents[3] / "docs"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


@cache
def _list() -> File:
    rows = "".join(
        f'<li><a href="/guides/{name}">{html.escape(_title(text))}</a></li>' for name, text in _guides().items()
    )
    return page("Guides", f"<ul>{rows}</ul>")


@cache
def _page(name: str) -> File:
    """The page of a known guide. Parts that scroll sideways can be reached by keyboard (WCAG 2.1.1)."""
    text = _guides()[name]
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text.partition("\n")[2])
    _link_headings(tokens)
    _link_guides(tokens)
    made = str(reader.renderer.render(tokens, reader.options, {}))
    made = made.replace("<pre>", '<pre tabindex="0">')
    made = made.replace("<table>", '<div class="wide" role="region" aria-label="Table" tabindex="0"><table>')
    return page(_title(text), made.replace("</table>", "</table></div>"))


def _link_headings(tokens: Sequence[Token]) -> None:
    """Give every heading the id that links to it use, computed as code forges do."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", re.sub(r"[^\w -]", "", inline.content.lower()).replace(" ", "-"))


def _link_guides(tokens: Sequence[Token]) -> None:
    """Make links between guides lead to their pages. A link to a file that is not served becomes plain text."""
    tag = "a"
    for token in tokens:
        _link_guides(token.children or ())
        if token.type == "link_open":
            address = re.sub(r"^(?:docs/)?([\w-]+)\.md(?=#|$)", r"/guides/\1", str(token.attrGet("href")))
            tag = "a" if re.match(r"/|#|https://", address) else "span"
            token.attrs = {"href": address} if tag == "a" else {}
        if token.type in {"link_open", "link_close"}:
            token.tag = tag


ROUTES = [list_guides, show_guide]
