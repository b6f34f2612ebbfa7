"""The words of the OpenAPI document that belong to no single route."""

from typing import Any

from consent_registry.domain.findings import EVIDENCE_AFTER, KINDS, REPORT_AFTER
from consent_registry.domain.lookups import QUESTIONS_WITHOUT_TRANSFER, REFUSED_REFERENCES

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
PARAMETERS: dict[str, JSON] = {
    "Idempotency-Key": {
        "in": "header",
        "description": "The same key with the same body has one effect. Choose a fresh one for every new act.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]+$"},
        "example": "5f0c2e7e-7d0a-4c4b-9a52-1f6f3b0a4d11",
    },
    "limit": {
        "in": "query",
        "description": "How many items a page has at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    },
    "cursor": {
        "in": "query",
        "description": "`next` of the page before; opaque, and good for the same list and filter only.",
        "schema": {"type": "string"},
    },
    "as_of": {
        "in": "query",
        "description": "The status at this time; now unless said otherwise.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-11-20T09:30:00.000000Z",
    },
    "as_known_at": {
        "in": "query",
        "description": "What the registry knew at this time; now unless said otherwise.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-11-20T09:30:00.000000Z",
    },
    "kind": {
        "in": "query",
        "description": "Findings of this kind only.",
        "schema": {"enum": list(KINDS)},
    },
    "begin": {
        "name": "from",
        "in": "query",
        "description": "Begin of the period; 30 days before its end unless said otherwise.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-11-01T00:00:00.000000Z",
    },
    "end": {
        "name": "until",
        "in": "query",
        "description": "End of the period, which is not in it; now unless said otherwise, and never later.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-12-01T00:00:00.000000Z",
    },
    "report_days": {
        "in": "query",
        "description": "Days after which a permit without a report is a finding.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 365, "default": REPORT_AFTER.days},
    },
    "evidence_days": {
        "in": "query",
        "description": "Days after which a consent without its evidence is a finding.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 365, "default": EVIDENCE_AFTER.days},
    },
    "refused_references": {
        "in": "query",
        "description": "Different persons refused within sixty minutes that are a finding.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 9999, "default": REFUSED_REFERENCES},
    },
    "questions_without_transfer": {
        "in": "query",
        "description": "Questions about one client within 24 hours, none followed by a transfer, that are a finding.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 9999, "default": QUESTIONS_WITHOUT_TRANSFER},
    },
    "transfer": {
        "in": "query",
        "required": True,
        "description": "Which decisions: those nobody reported on.",
        "schema": {"const": "missing"},
    },
    "decision_id": {"in": "path", "description": "The decision's id.", "schema": {"type": "string", "format": "uuid"}},
    "consent_id": {"in": "path", "description": "The consent's id.", "schema": {"type": "string", "format": "uuid"}},
    "agreement_id": {
        "in": "path",
        "description": "The agreement's id.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "approval_id": {"in": "path", "description": "The approval's id.", "schema": {"type": "string", "format": "uuid"}},
    "text_id": {"in": "path", "description": "The text's id.", "schema": {"type": "string", "format": "uuid"}},
    "language": {
        "in": "path",
        "description": "Language tag of the text (RFC 5646).",
        "schema": {"type": "string"},
        "example": "de",
    },
    "network": {
        "in": "path",
        "description": "The network's slug.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
        "example": "paderborn",
    },
    "place": {
        "in": "path",
        "description": "`{L}/{N}`, `{L}/{N}.p/{W}`, `entries/{N}` or `entries/{N}.p/{W}`, slashes as they are.",
        "schema": {"type": "string"},
        "example": "0/000.p/135",
    },
    "index": {
        "in": "path",
        "description": "The entry's zero-based index, as a decision's `log` names it.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "old_size": {
        "name": "from",
        "in": "query",
        "required": True,
        "description": "Size of the earlier tree.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "new_size": {
        "name": "to",
        "in": "query",
        "description": "Size of the later tree; that of the published checkpoint unless said otherwise.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "slug": {
        "in": "path",
        "description": "The name for programs, as lists show it.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
    },
}
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
