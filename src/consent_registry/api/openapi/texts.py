"""The texts of the OpenAPI document that do not belong to one route."""

from typing import Any

JSON = dict[str, Any]

PROJECT: JSON = {
    "license": {"name": "European Union Public Licence 1.2", "identifier": "EUPL-1.2"},
    "contact": {"name": "The operator of this registry; report weaknesses as described in SECURITY.md", "url": "/"},
}
SCOPE_WORDS = {
    "decisions": "ask before a transfer and report it",
    "clients": "register and link references",
    "consents:read": "read the consents in which the partner takes part",
    "consents:write": "record and withdraw consents",
    "changes": "read changes",
    "audit:read": "search the log, and read findings",
    "catalogue:write": "administer the network",
}
TAGS = {
    "decisions": "Ask before a transfer, and report what was sent.",
    "clients": "Register your own references for clients, and link them with codes that clients bring.",
    "consents": "Record, show and search consents.",
    "withdrawals": "Withdraw a consent: in any form, at once, without a reason.",
    "catalogue": "The network: partners, purposes, data categories, agreements and texts.",
    "administration": "For the network's administration.",
    "findings": "For a partner's data-protection officer: transfers and look-ups that need attention.",
    "events": "For a partner's data-protection officer: the partner's own events in the log.",
    "tokens": "Access tokens (OAuth 2.0 client credentials).",
    "log": "The log for auditors: checkpoint, tiles and proofs (C2SP tlog-tiles, signed notes).",
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
May I pass this person's data on, to this office, for this purpose, now? A partner's software asks before it sends. The
registry answers from the consents on file, and writes question and answer into a log before it sends the answer.

**Daily use.** Get a token (`POST /oauth/token`). Register a client with your own reference (`POST /api/v1/clients`).
Record a consent (`POST /api/v1/consents`). Ask before a transfer (`POST /api/v1/decisions`) and report what you sent.
Withdraw the consent (`POST /api/v1/withdrawals`): after this answer nothing is permitted that was withdrawn.

**Format.** JSON in UTF-8. An instant in a request is an RFC 3339 date-time with at most six decimals; in a query a plus
sign is written `%2B`. An instant in an answer is UTC with six decimals and `Z`. Unknown and duplicate members are
refused, in bodies and in queries. Send your references for clients only in bodies, never in a URL.

**Repeating.** With an `Idempotency-Key` a request has one effect, however often it is sent: the same key with the same
body gets the first answer again. Answers are kept for at least 24 hours.

**Errors** are RFC 9457 problems. `type` leads to a page about the problem (`/problems`). `errors` names every fault of
the request with its place (`pointer`, RFC 6901; empty for the whole request). A refusal names the rule and its norm.
Every answer has an `X-Request-ID`: yours, or a new one. Include it when you report an error.
"""
HEADERS: dict[str, JSON] = {
    "X-Request-ID": {"description": "The id of this request.", "schema": {"type": "string"}},
    "Location": {"description": "The address of the new resource.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` if this is the first answer to the same key again.",
        "schema": {"const": "true"},
    },
    "Retry-After": {"description": "Seconds after which to repeat the request.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "RFC 6750, section 3.", "schema": {"type": "string"}},
    "ETag": {"description": "A tag that changes with the answer's bytes.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "How long the answer may be cached.", "schema": {"type": "string"}},
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
