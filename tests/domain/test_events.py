"""The numbers of kinds and outcomes stand in every database there is: none changes, none is used again."""

from typing import Any

import pytest

from consent_registry.domain.events import KINDS, OUTCOMES, person_of

# By number; a new kind is added at the end, with a number nobody has had.
NUMBERED = {
    1: "decision",
    2: "client",
    3: "consent",
    4: "withdrawal",
    5: "transfer",
    6: "read",
    7: "suspension",
    8: "reinstatement",
    9: "credential_revocation",
    10: "catalogue",
    11: "credential",
    12: "confirmation",
    13: "ending",
    14: "invalidation",
    15: "restriction",
    16: "restriction_lifting",
    17: "approval",
    18: "approval_revocation",
    19: "text",
    20: "stale_translation",
    21: "text_invalidation",
    22: "link_code",
    23: "link",
    24: "unlinking",
    25: "receipt_code",
    26: "key_rotation",
    27: "erasure",
    28: "retention",
    29: "hold",
    30: "hold_lifting",
    35: "evidence",
    37: "padding",
    38: "renewal",
    40: "policy",
}


def test_a_kind_keeps_its_number() -> None:
    """Every kind that was ever released has the number it had."""
    assert {number: kind for kind, number in KINDS.items() if number in NUMBERED} == NUMBERED


def test_no_number_stands_for_two_kinds() -> None:
    """A number says which kind it is, and fits the column."""
    assert len(set(KINDS.values())) == len(KINDS)
    assert all(0 < number < 2**15 for number in KINDS.values())


def test_an_outcome_keeps_its_number() -> None:
    """Decisions in the search columns mean what they meant."""
    assert OUTCOMES == {"permit": 1, "partial": 2, "no_permission": 3, "not_consent_based": 4}


# Of each kind that names a member of staff, the members it does so by.
STAFF: dict[str, dict[str, Any]] = {
    "consent": {"information": {"explained_by": "B-12", "interpreter": {"kind": "none"}}},
    "approval": {"approved_by": "B-12", "revoked_by": "X"},
    "approval_revocation": {"revoked_by": "B-12", "approved_by": "X"},
    "hold": {"placed_by": "B-12", "lifted_by": "X"},
    "hold_lifting": {"lifted_by": "B-12", "placed_by": "X"},
    "policy": {"set_by": "B-12", "version": 2},
}


@pytest.mark.parametrize("kind", sorted(STAFF))
def test_the_member_of_staff_an_event_names(kind: str) -> None:
    """A consent names who explained it, approvals and holds who gave, placed and took them back."""
    assert person_of(kind, STAFF[kind]) == "B-12"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(STAFF)))
def test_other_events_name_nobody(kind: str) -> None:
    """Even if one of their members were called so."""
    assert person_of(kind, {"approved_by": "B-12", "information": {"explained_by": "B-12"}}) is None
