"""What every problem type means, when it happens and what to do: one small page each, where its `type` leads."""

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
    """When a problem happens, and what its reader can do."""

    when: str
    do: str


EXPLANATIONS = {
    "malformed": Explanation(
        "The body is not JSON or not an object; a member is unknown, stands twice, is missing or of the wrong type; a "
        "slug is not in the catalogue; sender and recipient are the same; a parameter of the query is unknown, stands "
        "twice or is wrong, like a cursor or limit; the header Idempotency-Key is missing where it is required.",
        "Read `errors`: each entry names a place in your request (`pointer`) and what is wrong there. Nothing was "
        "changed; correct the request and send it again.",
    ),
    "not-authentic": Explanation(
        "There is no access token, it has expired or it is not from here; or the partner is suspended, or the secret "
        "was revoked since the token was issued.",
        "Ask /oauth/token for a new token. If that is refused too, speak to your network's administration.",
    ),
    "not-allowed": Explanation(
        "The access token is good but lacks the scope this call needs, or the call is not for this kind of caller.",
        "Ask for a token with the scope named in `detail`. If your client does not hold it, your network's "
        "administration can tell why.",
    ),
    "not-found": Explanation(
        "There is nothing at this address, or nothing that you may see. Both are told in the same words, on purpose.",
        "Check the id and the address. An id of another partner's is never shown.",
    ),
    "method-not-allowed": Explanation(
        "The address exists, but not for this method.", "The header Allow names the methods that there are."
    ),
    "too-slow": Explanation(
        "The body of the request did not come within 30 seconds, or within what the operator set.",
        "Nothing was changed. Send it again, over a better connection or in smaller parts.",
    ),
    "not-acceptable": Explanation(
        "Your Accept header excludes what this address answers with.",
        "Send `Accept: application/json`, or leave it out.",
    ),
    "conflict": Explanation(
        "The present state does not allow this: nothing is left to withdraw, a transfer was reported as sent before, a "
        "partner is suspended already.",
        "Look at the present state before you go on. Sending the same again does not help.",
    ),
    "key-in-use": Explanation(
        "A request with the same Idempotency-Key is still running.",
        "Wait as long as Retry-After says and send exactly the same again: you will get the first answer.",
    ),
    "too-large": Explanation(
        "The body is larger than 1 MiB, or a batch larger than 2 MiB.",
        "Send less at once, for example smaller batches.",
    ),
    "unsupported-media-type": Explanation(
        "The body does not say that it is application/json, or it is compressed.",
        "Send `Content-Type: application/json` and the body as it is.",
    ),
    "refused": Explanation(
        "A rule of law or of your network refuses this, or an Idempotency-Key came with another body than before.",
        "Each entry of `errors` names the place, the `rule` and its `norm`. Nothing was recorded. Do what the rule "
        "asks for; for a new act choose a new key.",
    ),
    "too-many": Explanation(
        "Too many failed attempts, for example with receipt codes.", "Wait as long as Retry-After says."
    ),
    "over-quota": Explanation(
        "You asked more within a minute than the quota that your network sets for each partner: of single decisions, "
        "of questions in batches, of acts, of searches and reads, or of access tokens. `detail` names which. A "
        "repeated Idempotency-Key counts as well.",
        "Wait as long as Retry-After says and send it again; nothing was looked at and nothing was recorded. Ask for "
        "many decisions in one batch, and use an access token until it expires. `GET /api/v1/network` shows "
        "quotas that are not the ordinary ones; your network's administration can have them changed.",
    ),
    "internal": Explanation(
        "A mistake of ours. It was logged with this request's id.",
        "Tell the operator the X-Request-ID of the answer. With an Idempotency-Key you can safely send it again.",
    ),
    "cannot-record": Explanation(
        "The registry could not write its log, so it gave no answer. Nothing was recorded.",
        "Wait as long as Retry-After says and send it again. Until you have an answer, there is no permission.",
    ),
    "outcome-unknown": Explanation(
        "The connection to the database was lost while this was being committed: it may have been recorded.",
        "Send exactly the same again with the same Idempotency-Key: it has one effect at most, and you learn "
        "the answer.",
    ),
}
TITLES = {slug: (status, title) for status, slug, title in TABLE.values()}
TITLES |= {slug: (status, title) for status, (slug, title) in HTTP_TITLES.items()}
TITLES["internal"] = (INTERNAL.status, INTERNAL.title)


@get("/problems")
async def list_problems(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Every problem type with its status and title."""
    return serve_file(request, _list())


@get("/problems/{slug:str}")
async def show_problem(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[bytes]:
    """When this problem happens and what to do."""
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
    """The page of a problem type that there is."""
    status, title = TITLES[slug]
    one = EXPLANATIONS[slug]
    body = (
        f"<p><code>/problems/{slug}</code> · status {status}</p>"
        f"<h2>When it happens</h2><p>{_inline(one.when)}</p><h2>What to do</h2><p>{_inline(one.do)}</p>"
    )
    return page(title, body)


def _inline(text: str) -> str:
    """Escaped, with `code` between backticks."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


ROUTES = [list_problems, show_problem]
