"""Findings about overdue permits and evidence and about undone links, and the ids, order and grounds of
all findings.
"""

from datetime import UTC, datetime, timedelta

import pytest

from consent_registry.domain.findings import (
    CLOCKS_DIFFER,
    EVIDENCE_AFTER,
    KINDS,
    REPORT_AFTER,
    SEVERITIES,
    SEVERITY,
    Finding,
    FindingKind,
    Period,
    Permit,
    evidence_overdue,
    on_undone_link,
    sort_key,
    sort_key_of,
    unreported,
)
from consent_registry.domain.law.rules.all_rules import FINDINGS

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STEP = timedelta(microseconds=1)
MINUTES = timedelta(minutes=1)
EXPIRES = AT + 5 * MINUTES


def test_a_permit_is_due_and_an_evidence_is() -> None:
    """An overdue permit or evidence is known from its due time, and names its permit or consent."""
    permit = Permit("d", 7, "c", AT)
    report = unreported(permit, AT + REPORT_AFTER)
    assert (report.kind, report.finding_id, report.known_at) == (
        "permit_unreported",
        "permit_unreported:d",
        AT + REPORT_AFTER,
    )
    assert report.times == {"decided_at": AT, "due_at": AT + REPORT_AFTER}
    assert (report.decision_id, report.log_index, report.client_id, report.consent_id) == ("d", 7, "c", None)
    evidence = evidence_overdue("k", "c", AT, AT + EVIDENCE_AFTER)
    assert (evidence.kind, evidence.finding_id) == ("evidence_missing", "evidence_missing:k")
    assert (evidence.consent_id, evidence.client_id, evidence.decision_id, evidence.log_index) == ("k", "c", None, None)
    assert evidence.times == {"recorded_at": AT, "due_at": AT + EVIDENCE_AFTER}
    assert evidence.known_at == AT + EVIDENCE_AFTER
    third = on_undone_link(permit, "u", AT - MINUTES, AT + MINUTES)
    assert (third.kind, third.known_at) == ("permit_on_undone_link", AT + MINUTES)
    assert third.times == {"decided_at": AT, "linked_at": AT - MINUTES, "unlinked_at": AT + MINUTES}
    assert on_undone_link(permit, "u", None, AT + MINUTES).times == {"decided_at": AT, "unlinked_at": AT + MINUTES}
    assert (third.finding_id, third.decision_id, third.log_index) == ("permit_on_undone_link:d:u", "d", 7)
    again = on_undone_link(permit, "v", AT - MINUTES, AT + 2 * MINUTES)
    assert (again.finding_id, again.decision_id) == ("permit_on_undone_link:d:v", "d")


def test_the_periods_of_grace() -> None:
    """A report and a paper are due after two weeks; two clocks may differ by a minute."""
    assert (timedelta(days=14), timedelta(days=14)) == (REPORT_AFTER, EVIDENCE_AFTER)
    assert timedelta(seconds=60) == CLOCKS_DIFFER


@pytest.mark.parametrize(("at", "inside"), [(AT - STEP, False), (AT, True), (EXPIRES - STEP, True), (EXPIRES, False)])
def test_a_period_ends_before_its_end(at: datetime, *, inside: bool) -> None:
    """Periods are half-open, so consecutive periods neither overlap nor leave a gap."""
    assert Period(AT, EXPIRES).holds(at) is inside


def test_what_presses_most_comes_first() -> None:
    """Findings are ordered by severity, then the latest known first, then by id; each kind has a ground."""
    late = unreported(Permit("b", 1, None, AT), AT)
    same = unreported(Permit("a", 1, None, AT), AT)
    later = unreported(Permit("c", 1, None, AT), AT + STEP)
    link = on_undone_link(Permit("d", 1, None, AT), "u", AT, AT + 2 * STEP)
    urgent = Finding("transfer_broader", "t", AT, {})
    assert sorted([link, late, same, later, urgent], key=sort_key) == [urgent, later, same, late, link]
    assert sort_key_of(late.severity, late.known_at, late.finding_id) == sort_key(late)
    assert SEVERITIES == ("urgent", "overdue", "to_clarify")
    assert set(KINDS) == set(FindingKind.__args__)  # type: ignore[attr-defined]
    assert all(FINDINGS[kind].norms for kind in KINDS)


def test_how_much_each_kind_presses() -> None:
    """A transfer against the client's will is urgent, a late report overdue, and the rest to be clarified."""
    assert {severity: [kind for kind in KINDS if SEVERITY[kind] == severity] for severity in SEVERITIES} == {
        "urgent": [
            "transfer_without_permit",
            "transfer_after_withdrawal",
            "transfer_on_void_grant",
            "transfer_under_restriction",
            "transfer_broader",
            "refusal_overridden",
        ],
        "overdue": ["permit_unreported", "evidence_missing"],
        "to_clarify": [
            "transfer_before_permit",
            "transfer_after_ending",
            "transfer_after_expiry",
            "permit_on_undone_link",
            "age_band_contradicts",
            "lookups_refused",
            "lookups_without_transfer",
            "receipt_codes_guessed",
            "link_codes_guessed",
        ],
    }
    assert set(SEVERITY.values()) == set(SEVERITIES)
