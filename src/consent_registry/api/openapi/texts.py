"""The words of the OpenAPI document that belong to no single route."""

from typing import Any

JSON = dict[str, Any]

PROJECT: JSON = {
    "license": {"name": "European Union Public Licence 1.2", "identifier": "EUPL-1.2"},
    "contact": {"name": "Who operates this registry; weaknesses as SECURITY.md of the project says", "url": "/"},
}
SCOPE_WORDS = {
    "decisions": "ask before a transfer and report it",
    "clients": "register and link references",
    "consents:read": "see the consents one has a part in",
    "consents:write": "record and withdraw consents",
    "changes": "follow what changed",
    "audit:read": "search the log, and see what is to be looked at",
    "catalogue:write": "administer the network",
}
TAGS = {
    "decisions": "Ask before a transfer, and report what was sent.",
    "clients": "Register your own references for clients, and link them by codes that clients carry.",
    "consents": "Record, show and search consents.",
    "withdrawals": "Withdraw a consent: in any form, at once, without a reason.",
    "catalogue": "The network: partners, purposes, data categories, agreements and texts.",
    "administration": "For the network's administration.",
    "findings": "For a partner's data-protection officer: what is to be looked at.",
    "events": "For a partner's data-protection officer: the own controller's slice of the log.",
    "tokens": "Access tokens (OAuth 2.0 client credentials).",
    "log": "The log as strangers verify it: checkpoint, tiles and proofs (C2SP tlog-tiles, signed notes).",
    "health": "Whether the registry is alive and can record.",
}
TAG_OF_PATH = {
    "decisions": "decisions",
    "clients": "clients",
    "link-codes": "clients",
    "unlinkings": "clients",
    "consents": "consents",
    "withdrawals": "withdrawals",
    "text-invalidations": "administration",
    "suspensions": "administration",
    "approvals": "administration",
    "reinstatements": "administration",
    "credential-revocations": "administration",
    "findings": "findings",
    "events": "events",
    "oauth": "tokens",
    ".well-known": "tokens",
    "me": "tokens",
    "log": "log",
    "live": "health",
    "ready": "health",
}
ABOUT = """\
May I pass this person's data on, to this office, for this purpose, now? A partner's software asks before it sends; the
registry answers from the consents on file and writes question and answer into a log before the answer leaves.

**Day's work.** Get a token (`POST /oauth/token`), register a client by your own reference (`POST /api/v1/clients`),
record a consent (`POST /api/v1/consents`), ask (`POST /api/v1/decisions`), report what you sent, and have the consent
withdrawn (`POST /api/v1/withdrawals`): from that answer on nothing is permitted that was withdrawn.

**Form.** JSON in UTF-8. An instant in a request is any RFC 3339 date-time with at most six decimals (in a query a plus
sign is `%2B`), in an answer it is UTC with six decimals and `Z`. Unknown and duplicate members are refused, in
bodies as in queries. Your references for clients travel in bodies only, never in a URL.

**Once.** With an `Idempotency-Key` a request has one effect however often it is sent: the same key with the same body
is given the first answer again. Answers are kept for at least 24 hours.

**Errors** are RFC 9457 problems; `type` leads to a page that says when it happens and what to do (`/problems`).
`errors` names every fault of the request with its place (`pointer`, RFC 6901; empty for the request as a whole); a
refusal names the rule and its norm. Every answer carries `X-Request-ID`: yours, or one made here. Name it when you
report a fault.
"""
HEADERS: dict[str, JSON] = {
    "X-Request-ID": {"description": "The id of this request.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new thing is.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` when this answer was given before for the same key.",
        "schema": {"const": "true"},
    },
    "Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "RFC 6750, section 3.", "schema": {"type": "string"}},
    "ETag": {"description": "Made from the bytes: the same as long as they are.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "How long the answer stays good.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}},
    "Content-Language": {"description": "The text's language.", "schema": {"type": "string"}},
}
HEADERS_OF_STATUS = {401: "WWW-Authenticate", 403: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


PROBLEM_ERRORS = {
    400: [
        {"pointer": "/categories/1", "detail": "'shoe-size' is no data category of this network"},
        {"pointer": "/client", "detail": "is required"},
    ],
    422: [
        {
            "pointer": "/act/evidence",
            "detail": "A consent that was not given orally needs its evidence.",
            "rule": "evidence",
            "norm": "Art. 7 Abs. 1 DSGVO",
        }
    ],
}
