"""Which flows an approval opens, for which grants, and until when."""

import msgspec
import pytest

from consent_registry.domain.approvals import Approval, ApprovalGate, all_open
from tests.domain.cases import MICROSECOND, day

APPROVAL = Approval("approval", 2, None, None, None, None, "D-1", None, day(50), day(10))


def test_an_approval_counts_until_its_end() -> None:
    """An approval is in force before its end, not at its end, and not once revoked, whatever the revocation's date."""
    assert APPROVAL.in_force(day(50) - MICROSECOND)
    assert not APPROVAL.in_force(day(50))
    assert msgspec.structs.replace(APPROVAL, valid_until=None).in_force(day(9999))
    assert not msgspec.structs.replace(APPROVAL, valid_until=None, revoked_at=day(40)).in_force(day(20))
    assert not msgspec.structs.replace(APPROVAL, revoked_at=day(40)).in_force(day(20))


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ({}, True),
        ({"sender_id": 1, "recipient_id": 2, "purpose_id": 3}, True),
        ({"sender_id": 9, "recipient_id": 2, "purpose_id": 3}, False),
        ({"sender_id": 1, "recipient_id": 9, "purpose_id": 3}, False),
        ({"sender_id": 1, "recipient_id": 2, "purpose_id": 9}, False),
        ({"sender_id": 9}, False),
        ({"recipient_id": 9}, False),
        ({"purpose_id": 9}, False),
    ],
)
def test_each_limit_counts_on_its_own(limits: dict[str, int], fits: bool) -> None:
    """An approval fits a flow if none of its limits excludes the flow."""
    assert msgspec.structs.replace(APPROVAL, **limits).fits(1, 2, 3) is fits


def test_later_approval_heals_nothing() -> None:
    """An approval covers grants given at or after its recording, not earlier ones, and none without a date."""
    assert APPROVAL.opens(day(10), day(20))
    assert APPROVAL.opens(day(15), day(20))
    assert not APPROVAL.opens(day(10) - MICROSECOND, day(20))
    assert not APPROVAL.opens(None, day(20))
    assert not APPROVAL.opens(day(15), day(50))


def test_every_gate_needs_one_approval() -> None:
    """One approval opens a gate, and each gate needs an approval of its own; without gates every grant passes."""
    closed, opened = (
        ApprovalGate("isolated_partner", "sender", approvals)
        for approvals in ((), (msgspec.structs.replace(APPROVAL, revoked_at=day(1)), APPROVAL))
    )
    assert not closed.is_open(day(15), day(20))
    assert opened.is_open(day(15), day(20))
    assert all_open([], None, day(20))
    assert all_open([opened, opened], day(15), day(20))
    assert not all_open([opened, closed], day(15), day(20))
