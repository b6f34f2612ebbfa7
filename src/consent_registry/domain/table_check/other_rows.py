"""What events tell of everything around consents: clients and their links, texts, approvals, suspensions, removals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from consent_registry.domain.table_check.expected_rows import Facts, at
from consent_registry.domain.table_check.network_rows import SETUP_ACTS
from consent_registry.domain.table_check.row_mapping import Act, Said, code_columns, rows


def _next_position(said: Said) -> int:
    """Of a client's groups the last one counts."""
    client = said.event["client"]
    return next(number for number in count(1) if not said.told.has("client_memberships", client, number))


def _link_itself(said: Said) -> Sequence[Facts]:
    """A link says of each number that is one client from then on which group that is; its actor's entry is the link."""
    return [said.event] if said.event["id"] == said.event["group"] else []


def _registered(said: Said) -> Sequence[Facts]:
    """A code redeemed for a new reference registers it."""
    return [said.event] if said.event.get("registered") else []


def _memberships(said: Said) -> Sequence[tuple[str, datetime]]:
    """A client's groups so far, each with the time from which it counts, in their order."""
    client = said.event["client"]
    return [
        (said.told.value("client_memberships", "group_id", client, number), since)
        for number in range(1, _next_position(said))
        for since in [said.told.value("client_memberships", "recorded_at", client, number)]
    ]


def _left_group(said: Said) -> str | None:
    groups = _memberships(said)
    return groups[-1][0] if groups else None


def _linked_at(said: Said) -> datetime:
    """When the client was first linked after it had last become a client of its own."""
    since = None
    for group, begun in _memberships(said):
        since = None if said.told.has("unlinkings", group) else min(since or begun, begun)
    return since or at(said.event["at"])


def _places(said: Said) -> int:
    spans: Sequence[tuple[int, int]] = said.event["indices"]
    return sum(high - low + 1 for low, high in spans)


def _membership(group: str) -> Act:
    return rows("client_memberships", client_id="client", position=_next_position, group_id=group)


_WHOSE: Mapping[str, Any] = {"client_id": "client", "partner_id": "actor"}

FRAME_ACTS: Mapping[str, Sequence[Act]] = {
    **SETUP_ACTS,
    "text": [
        rows("texts", text_id="text"),
        rows("text_languages", each="languages", text_id="text", content=".sha256"),
    ],
    "text_invalidation": [rows("text_invalidations", invalidation_id="id", text_id="text")],
    "stale_translation": [rows("stale_translations", staling_id="id", text_id="text")],
    "suspension": [rows("suspensions", suspension_id="id", partner_id="partner")],
    "reinstatement": [rows("reinstatements", reinstatement_id="id", suspension_id="suspension")],
    "approval": [
        rows(
            "approvals",
            approval_id="id",
            partner_id="subject.partner?",
            subject_purpose_id="subject.purpose?",
            sender_id="sender",
            recipient_id="recipient",
            purpose_id="purpose",
        )
    ],
    "approval_revocation": [rows("approval_revocations", revocation_id="id", approval_id="approval")],
    "client": [rows("clients", client_id="client"), rows("client_references", **_WHOSE)],
    "link": [
        rows("clients", each=_registered, client_id="client"),
        rows("client_references", each=_registered, **_WHOSE),
        _membership("group"),
        rows("links", each=_link_itself, link_id="id", link_code_id="link_code", **_WHOSE),
    ],
    "unlinking": [
        rows("unlinkings", unlinking_id="id", left_group_id=_left_group, linked_at=_linked_at, **_WHOSE),
        _membership("id"),
    ],
    "link_code": [
        rows("link_codes", link_code_id="id", for_partner_id="partner", **_WHOSE, **code_columns("link_code"))
    ],
    "hold": [rows("holds", hold_id="id", client_id="client")],
    "hold_lifting": [rows("hold_liftings", hold_id="hold", client_id="client")],
    "erasure": [rows("erasures", erasure_id="id", events=_places)],
    "retention": [rows("retentions", retention_id="id")],
}
