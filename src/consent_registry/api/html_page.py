"""Pages for people: plain HTML that loads nothing and may do nothing, unless a page says what it needs."""

import html

from litestar import Response

STRICT = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='3' fill='%23154889'/%3E"
    "%3Cpath d='M4 8.5l3 3 5-6' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E"
)


def page(title: str, body: str, *, head: str = "", policy: str = "") -> Response[bytes]:
    """An HTML page; `body` and `head` are HTML, `policy` replaces directives of the strict default."""
    allowed = dict(part.strip().partition(" ")[::2] for part in STRICT.split(";"))
    allowed |= {"img-src": "data:"} | dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part)
    content = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)} · Consent registry</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{ICON}"><link rel="stylesheet" href="/docs/files/page.css">{head}</head>'
        f"<body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>\n"
    )
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {values}" for name, values in allowed.items()),
        "Referrer-Policy": "no-referrer",
    }
    return Response(content.encode(), media_type="text/html", headers=headers)
