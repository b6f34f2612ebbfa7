"""The OpenAPI descriptions of all parameters in headers, queries and paths."""

from typing import Any

from consent_registry.domain.findings import EVIDENCE_AFTER, KINDS, REPORT_AFTER
from consent_registry.domain.lookups import QUESTIONS_WITHOUT_TRANSFER, REFUSED_REFERENCES

JSON = dict[str, Any]

PARAMETERS: dict[str, JSON] = {
    "Idempotency-Key": {
        "in": "header",
        "description": "The same key with the same body has one effect. Choose a new key for every new act.",
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
        "description": "`next` of the previous page. It is opaque and works only with the same list and filter.",
        "schema": {"type": "string"},
    },
    "as_of": {
        "in": "query",
        "description": "The status at this time. The default is now.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-11-20T09:30:00.000000Z",
    },
    "as_known_at": {
        "in": "query",
        "description": "What the registry knew at this time. The default is now.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-11-20T09:30:00.000000Z",
    },
    "kind": {
        "in": "query",
        "description": "Only findings of this kind.",
        "schema": {"enum": list(KINDS)},
    },
    "begin": {
        "name": "from",
        "in": "query",
        "description": "Begin of the period. The default is 30 days before its end.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-11-01T00:00:00.000000Z",
    },
    "end": {
        "name": "until",
        "in": "query",
        "description": "End of the period, exclusive. The default is now; it cannot be later.",
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
        "description": "How many different persons must be refused within sixty minutes to make a finding.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 9999, "default": REFUSED_REFERENCES},
    },
    "questions_without_transfer": {
        "in": "query",
        "description": "How many questions about one client within 24 hours without a transfer make a finding.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 9999, "default": QUESTIONS_WITHOUT_TRANSFER},
    },
    "transfer": {
        "in": "query",
        "required": True,
        "description": "Which decisions are listed: `missing` are those without a transfer report.",
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
        "description": "`{L}/{N}`, `{L}/{N}.p/{W}`, `entries/{N}` or `entries/{N}.p/{W}`, with unescaped slashes.",
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
        "description": "Size of the later tree. The default is that of the published checkpoint.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "slug": {
        "in": "path",
        "description": "The name for programs, as lists show it.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
    },
}
