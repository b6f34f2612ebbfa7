"""Which events go when: every kind of event has a class (docs/design/erasure.md).

A kind that nobody classified, because a newer release wrote it, is in none of them: the database lets go by age what is
a use, and nothing else.
"""

from consent_registry.domain.events import KINDS

# Uses go by age. What they prove, reliance on a consent, lasts as long as its evidence.
USE = frozenset({"decision", "transfer", "read"})
# The state of clients, consents and catalogue: goes with its consent or its client, never before; a catalogue never.
STATE = frozenset(
    {
        "client",
        "consent",
        "withdrawal",
        "suspension",
        "reinstatement",
        "credential_revocation",
        "catalogue",
        "credential",
        "confirmation",
        "ending",
        "invalidation",
        "restriction",
        "restriction_lifting",
        "approval",
        "approval_revocation",
        "text",
        "stale_translation",
        "text_invalidation",
        "evidence",
        "link_code",
        "link",
        "unlinking",
        "receipt_code",
        "hold",
        "hold_lifting",
        "policy",
        "padding",
        "renewal",
    }
)
# What accounts for the log itself.
PERMANENT = frozenset({"erasure", "retention", "key_rotation"})
USE_KINDS = sorted(KINDS[kind] for kind in USE)
