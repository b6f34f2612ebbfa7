"""Events: what the log says happened. Complete facts, so that every consent's state can be recomputed from them.

Kinds have numbers for the search columns; the bytes carry the names. Members stand in canonical order when encoded.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from consent_registry.domain.decisions import Outcome

# Codes of the search columns; never reused.
KINDS = {
    "decision": 1,
    "client": 2,
    "consent": 3,
    "withdrawal": 4,
    "transfer": 5,
    "read": 6,
    "suspension": 7,
    "reinstatement": 8,
    "credential_revocation": 9,
    "catalogue": 10,
    "credential": 11,
    "confirmation": 12,
    "ending": 13,
    "invalidation": 14,
    "restriction": 15,
    "restriction_lifting": 16,
    "approval": 17,
    "approval_revocation": 18,
    "link_code": 22,
    "link": 23,
    "unlinking": 24,
    "receipt_code": 25,
    "key_rotation": 26,
    "text": 19,
    "stale_translation": 20,
    "text_invalidation": 21,
    "erasure": 27,
    "retention": 28,
    "hold": 29,
    "hold_lifting": 30,
    "evidence": 35,
    # 36 was a kind that nobody writes any more.
    "policy": 40,
    "padding": 37,
    "renewal": 38,
}
# Entries of these kinds never have an actor, so no partner is shown one.
WITHOUT_ACTOR = frozenset({"padding", "renewal"})
OUTCOMES: dict[Outcome, int] = {"permit": 1, "partial": 2, "no_permission": 3, "not_consent_based": 4}
# Kinds whose members hold values that the log only commits to (commitments.py).
COMMITTING = frozenset({"consent", "evidence", "receipt_code", "link_code", "credential"})
# The member by which events of these kinds name a member of staff; a consent names who explained it.
_STAFF = {
    "approval": "approved_by",
    "approval_revocation": "revoked_by",
    "hold": "placed_by",
    "hold_lifting": "lifted_by",
    "policy": "set_by",
}


def person_of(kind: str, members: Mapping[str, Any]) -> str | None:
    """The staff reference that an event names, for its search column; None for an event that names nobody."""
    if kind == "consent":
        return str(members["information"]["explained_by"])
    return str(members[_STAFF[kind]]) if kind in _STAFF else None


class Event(msgspec.Struct, frozen=True):
    """One event before it is bound to its place in the log.

    `members` are the facts beside the head (version, kind, id, time, network, actor). `reference` is the reference the
    actor used; the log gets only its commitment. The numbers are copies for the DPO's search.

    `without_actor`: an entry of an act about a client number that the act's caller may not know, or padding; auditor
    and eraser alone read it. `client_unsaid`: the number is another partner's, so the bytes hold only a commitment to
    it; the column has it, so that the event is erased with the client. `committed`: members of which the bytes hold
    only a commitment, because another partner's events name the same.
    """

    kind: str
    event_id: str
    members: dict[str, Any]
    client_id: str | None = None
    reference: str | None = None
    sender_id: int | None = None
    recipient_id: int | None = None
    purpose_id: int | None = None
    outcome: Outcome | None = None
    without_actor: bool = False
    client_unsaid: bool = False
    committed: Mapping[str, str] = {}
