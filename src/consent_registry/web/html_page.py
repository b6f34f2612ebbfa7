"""HTML pages for people. By default a page loads only the style sheet and runs no scripts."""

import html

from consent_registry.web.files import File

STRICT = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='3' fill='%23154889'/%3E"
    "%3Cpath d='M4 8.5l3 3 5-6' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E"
)
# The navigation links of every page.
PLACES = {"/": "Start", "/docs": "Interface", "/guides": "Guides", "/log": "Log", "/problems": "Problems"}


def page(title: str, body: str, *, head: str = "", policy: str = "") -> File:
    """Make an HTML page with this title and body. `body` and `head` are HTML; `policy` replaces directives of the
    strict Content-Security-Policy.
    """
    allowed = _directives(STRICT) | {"img-src": "data:"} | _directives(policy)
    links = " · ".join(f'<a href="{path}">{name}</a>' for path, name in PLACES.items())
    content = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)} · Consent registry</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{ICON}"><link rel="stylesheet" href="/docs/files/page.css">{head}</head>'
        f'<body><header><nav aria-label="Pages">{links}</nav></header>'
        f"<main><h1>{html.escape(title)}</h1>{body}</main></body></html>\n"
    )
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {values}" for name, values in allowed.items()),
        "Referrer-Policy": "no-referrer",
    }
    return File.of(content.encode(), "text/html", headers=headers)


def _directives(policy: str) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part)
