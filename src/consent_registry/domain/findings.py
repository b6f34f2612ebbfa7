"""Findings: facts that a data-protection officer must look at, computed on request, never stored
(docs/reconciliation.md).

A person can check each rule on paper. A finding names its times and numbers in codes: no free text, no score. It
belongs to the period that contains `known_at`, the first moment at which the registry could know of it. So each finding
is in exactly one of several consecutive periods, even if its cause is recorded late.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from consent_registry.domain.law.earlier_answers import EarlierAnswer

Severity = Literal["urgent", "overdue", "to_clarify"]
FindingKind = Literal[
    "transfer_without_permit",
    "transfer_after_withdrawal",
    "transfer_on_void_grant",
    "transfer_under_restriction",
    "transfer_broader",
    "transfer_before_permit",
    "transfer_after_ending",
    "transfer_after_expiry",
    "permit_unreported",
    "permit_on_undone_link",
    "evidence_missing",
    "refusal_overridden",
    "age_band_contradicts",
    "lookups_refused",
    "lookups_without_transfer",
    "receipt_codes_guessed",
    "link_codes_guessed",
]
SEVERITIES: tuple[Severity, ...] = ("urgent", "overdue", "to_clarify")

# A permit is valid for minutes, so two weeks are enough for the slowest office to report its use.
REPORT_AFTER = timedelta(days=14)
# A signed paper is scanned with the next post; after two weeks nobody remembers where it is.
EVIDENCE_AFTER = timedelta(days=14)
# A transfer's time comes from the partner's clock. A consent's time may be ahead of the registry's by as much.
CLOCKS_DIFFER = timedelta(seconds=60)


# In the order of the answer.
SEVERITY: Mapping[FindingKind, Severity] = {
    "transfer_without_permit": "urgent",
    "transfer_after_withdrawal": "urgent",
    "transfer_on_void_grant": "urgent",
    "transfer_under_restriction": "urgent",
    "transfer_broader": "urgent",
    "transfer_before_permit": "to_clarify",
    "transfer_after_ending": "to_clarify",
    "transfer_after_expiry": "to_clarify",
    "permit_unreported": "overdue",
    "permit_on_undone_link": "to_clarify",
    "evidence_missing": "overdue",
    "refusal_overridden": "urgent",
    "age_band_contradicts": "to_clarify",
    "lookups_refused": "to_clarify",
    "lookups_without_transfer": "to_clarify",
    "receipt_codes_guessed": "to_clarify",
    "link_codes_guessed": "to_clarify",
}
KINDS: tuple[FindingKind, ...] = tuple(SEVERITY)


class Period(msgspec.Struct, frozen=True):
    """A half-open period: begin <= t < end."""

    begin: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether the period contains this moment."""
        return self.begin <= at < self.end


class Finding(msgspec.Struct, frozen=True):
    """One fact for the data-protection officer to look at. `times` and `numbers` are what made it a finding.

    `subject` identifies it within its kind: the id of a transfer, decision or consent. If a kind can occur repeatedly
    for one decision, the id of its cause follows.
    """

    kind: FindingKind
    subject: str
    known_at: datetime
    times: Mapping[str, datetime]
    numbers: Mapping[str, int] = {}
    decision_id: str | None = None
    consent_id: str | None = None
    client_id: str | None = None
    log_index: int | None = None
    categories: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()

    @property
    def finding_id(self) -> str:
        """A unique id, the same each time this finding is computed."""
        return f"{self.kind}:{self.subject}"

    @property
    def severity(self) -> Severity:
        """The severity of this kind of finding."""
        return SEVERITY[self.kind]


class Permit(msgspec.Struct, frozen=True):
    """A decision that permitted something, with its log index and its client."""

    decision_id: str
    log_index: int
    client_id: str | None
    decided_at: datetime


def unreported(permit: Permit, due_at: datetime) -> Finding:
    """The finding that a permit has no report by `due_at`. "Not used" and "failed" would be reports as well."""
    return _about_permit("permit_unreported", permit, due_at, {"due_at": due_at})


def on_undone_link(permit: Permit, unlinking_id: str, linked_at: datetime | None, unlinked_at: datetime) -> Finding:
    """The finding that a permit used another reference's consent while two references were linked as one client. Each
    later unlinking gives a finding of its own, because each may concern another consent. `linked_at` is when this
    partner linked them; if another partner did, it is None.
    """
    times = {"unlinked_at": unlinked_at} if linked_at is None else {"linked_at": linked_at, "unlinked_at": unlinked_at}
    found = _about_permit("permit_on_undone_link", permit, unlinked_at, times)
    return msgspec.structs.replace(found, subject=f"{permit.decision_id}:{unlinking_id}")


def _about_permit(kind: FindingKind, permit: Permit, known_at: datetime, times: Mapping[str, datetime]) -> Finding:
    return Finding(
        kind=kind,
        subject=permit.decision_id,
        known_at=known_at,
        times={"decided_at": permit.decided_at, **times},
        decision_id=permit.decision_id,
        client_id=permit.client_id,
        log_index=permit.log_index,
    )


def evidence_overdue(consent_id: str, client_id: str, recorded_at: datetime, due_at: datetime) -> Finding:
    """The finding that a consent has no evidence by `due_at`, although evidence was to follow."""
    return Finding(
        kind="evidence_missing",
        subject=consent_id,
        known_at=due_at,
        times={"recorded_at": recorded_at, "due_at": due_at},
        consent_id=consent_id,
        client_id=client_id,
    )


def refusal_overridden(refusal: EarlierAnswer, yes: EarlierAnswer) -> Finding:
    """A client's own no, given with insight, and a representative's yes to the same flow that overrides it."""
    return Finding(
        kind="refusal_overridden",
        subject=refusal.grant_id,
        known_at=max(refusal.recorded_at, yes.recorded_at),
        times={"refused_at": refusal.given_at, "given_at": yes.given_at},
        consent_id=refusal.consent_id,
        client_id=refusal.client_id,
    )


def band_contradicted(
    consent_id: str, client_id: str, given_at: datetime, recorded_at: datetime, earlier_given_at: datetime
) -> Finding:
    """A consent whose age band cannot be that of the person of whom the partner said another one before."""
    return Finding(
        kind="age_band_contradicts",
        subject=consent_id,
        known_at=recorded_at,
        times={"given_at": given_at, "earlier_given_at": earlier_given_at},
        consent_id=consent_id,
        client_id=client_id,
    )


def sort_key(finding: Finding) -> tuple[int, float, str]:
    """The sort key of a list of findings: severity, then the latest `known_at` first, then the id."""
    return sort_key_of(finding.severity, finding.known_at, finding.finding_id)


def sort_key_of(severity: Severity, known_at: datetime, finding_id: str) -> tuple[int, float, str]:
    """The sort key of a finding with this severity, `known_at` and id, which a page's cursor holds."""
    return (SEVERITIES.index(severity), -known_at.timestamp(), finding_id)
