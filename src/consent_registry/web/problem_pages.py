"""A page for each problem type (RFC 9457): what it means, when it happens and what to do. `type` links to it."""

import html
from functools import cache
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from consent_registry.domain.errors import NotFound
from consent_registry.web.files import File, serve_file
from consent_registry.web.html_page import page
from consent_registry.web.problems import HTTP_TITLES, INTERNAL, TABLE


class Explanation(msgspec.Struct, frozen=True):
    """When a problem happens, and what the caller can do about it."""

    when: str
    do: str


EXPLANATIONS = {
    "malformed": Explanation(
        "The body is not JSON or not an object. A member is unknown, given twice, missing or of the wrong type. A slug "
        "is not in the catalogue. Sender and recipient are the same. A parameter of the query is unknown, given twice "
        "or wrong, for example a cursor or limit. A required Idempotency-Key is missing.",
        "Read `errors`: each entry names a place in your request (`pointer`) and what is wrong there. Nothing was "
        "changed. Correct the request and send it again.",
    ),
    "not-authentic": Explanation(
        "There is no access token, it has expired, or another registry issued it. Or the partner is suspended, or its "
        "secret was revoked after the token was issued.",
        "Request a new token from /oauth/token. If that is refused too, ask your network's administration.",
    ),
    "not-allowed": Explanation(
        "The access token is valid but lacks the scope of this call, or the call is for another kind of caller.",
        "Request a token with the scope named in `detail`. If your client does not have this scope, ask your network's "
        "administration.",
    ),
    "not-found": Explanation(
        "There is nothing at this address, or nothing that you may see. Both get the same answer on purpose.",
        "Check the id and the address. An id of another partner's is never shown.",
    ),
    "method-not-allowed": Explanation(
        "The address exists, but not for this method.", "The header Allow names the methods that there are."
    ),
    "too-slow": Explanation(
        "The body of the request did not arrive within 30 seconds, or within the time that the operator set.",
        "Nothing was changed. Send it again, over a better connection or in smaller parts.",
    ),
    "not-acceptable": Explanation(
        "Your Accept header excludes the media type of this address.",
        "Send `Accept: application/json`, or no Accept header.",
    ),
    "conflict": Explanation(
        "The present state does not allow this. For example, everything is withdrawn already, the transfer was "
        "reported as sent before, or the partner is suspended already.",
        "Read the present state before you continue. Sending the same request again does not help.",
    ),
    "key-in-use": Explanation(
        "A request with the same Idempotency-Key is still running.",
        "Wait for the time in Retry-After and send exactly the same request again: you will get the first answer.",
    ),
    "too-large": Explanation(
        "The body is larger than 1 MiB, or a batch larger than 2 MiB.",
        "Send less at once, for example smaller batches.",
    ),
    "unsupported-media-type": Explanation(
        "The Content-Type is not application/json, or the body is compressed.",
        "Send `Content-Type: application/json` and an uncompressed body.",
    ),
    "refused": Explanation(
        "A rule of law or of your network refuses this, or an Idempotency-Key was sent with another body than before.",
        "Each entry of `errors` names the place, the `rule` and its `norm`. Nothing was recorded. Do what the rule "
        "asks for. For a new act choose a new key.",
    ),
    "too-many": Explanation(
        "Too many failed attempts, for example with receipt codes.", "Wait for the time in Retry-After."
    ),
    "over-quota": Explanation(
        "Your calls within a minute exceed a quota that your network sets for each partner: of single decisions, of "
        "questions in batches, of changes, of searches and reads, or of access tokens. `detail` names the quota. "
        "Repeating an Idempotency-Key counts as well.",
        "Wait for the time in Retry-After and send it again. The request was not read and nothing was recorded. Ask "
        "for many decisions in one batch, and use an access token until it expires. `GET /api/v1/network` shows your "
        "network's own quotas; your network's administration can have them changed.",
    ),
    "internal": Explanation(
        "An error in the registry. It was logged with this request's id.",
        "Report the answer's X-Request-ID to the operator. With an Idempotency-Key you can safely send it again.",
    ),
    "cannot-record": Explanation(
        "The registry could not write its log, so it gave no answer. Nothing was recorded.",
        "Wait for the time in Retry-After and send it again. Without an answer you have no permission.",
    ),
    "outcome-unknown": Explanation(
        "The connection to the database was lost during the commit, so this may have been recorded.",
        "Send exactly the same request again with the same Idempotency-Key. It has one effect at most, and you get the "
        "answer.",
    ),
}
TITLES = {slug: (status, title) for status, slug, title in TABLE.values()}
TITLES |= {slug: (status, title) for status, (slug, title) in HTTP_TITLES.items()}
TITLES["internal"] = (INTERNAL.status, INTERNAL.title)


@get("/problems")
async def list_problems(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List every problem type with its status and title."""
    return serve_file(request, _list())


@get("/problems/{slug:str}")
async def show_problem(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[bytes]:
    """Show when this problem happens and what to do."""
    if slug not in TITLES:
        raise NotFound
    return serve_file(request, _page(slug))


@cache
def _list() -> File:
    rows = sorted((status, slug, title) for slug, (status, title) in TITLES.items())
    items = "".join(
        f'<li>{status} <a href="/problems/{slug}">{html.escape(title)}</a></li>' for status, slug, title in rows
    )
    return page(
        "Problems", f"<p>What the registry answers when it cannot do what was asked (RFC 9457).</p><ul>{items}</ul>"
    )


@cache
def _page(slug: str) -> File:
    """The page of a known problem type."""
    status, title = TITLES[slug]
    explanation = EXPLANATIONS[slug]
    body = (
        f"<p><code>/problems/{slug}</code> · status {status}</p>"
        f"<h2>When it happens</h2><p>{_inline(explanation.when)}</p><h2>What to do</h2><p>{_inline(explanation.do)}</p>"
    )
    return page(title, body)


def _inline(text: str) -> str:
    """The text as HTML, with the parts between backticks as code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


ROUTES = [list_problems, show_problem]
