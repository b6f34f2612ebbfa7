"""Findings: what a data-protection officer must look at, judged from facts and never stored (docs/reconciliation.md).

Each rule can be checked on paper, and a finding names the times and numbers that made it one, in codes: no free text,
no score. It lies in the period that holds its `known_at`, the moment from which the registry could tell it; so of
periods that follow each other each finding is in exactly one, also when what makes it one is recorded late.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

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
    "lookups_refused",
    "lookups_without_transfer",
    "receipt_codes_guessed",
    "link_codes_guessed",
]
SEVERITIES: tuple[Severity, ...] = ("urgent", "overdue", "to_clarify")

# A permit is good for minutes, so two weeks are enough for the slowest office to say what became of it.
REPORT_AFTER = timedelta(days=14)
# A paper that was signed is scanned with the next post round; after two weeks nobody remembers where it is.
EVIDENCE_AFTER = timedelta(days=14)
# Times of a transfer are the partner's own. A consent's time may be ahead of the clock by as much.
CLOCKS_DIFFER = timedelta(seconds=60)


class Ground(msgspec.Struct, frozen=True):
    """How much a kind of finding presses, and the norm it rests on."""

    severity: Severity
    norm: str


# In the order in which they are told.
GROUNDS: Mapping[FindingKind, Ground] = {
    "transfer_without_permit": Ground("urgent", "Art. 6 Abs. 1 DSGVO, § 67d Abs. 1 SGB X"),
    "transfer_after_withdrawal": Ground("urgent", "Art. 7 Abs. 3 DSGVO"),
    "transfer_on_void_grant": Ground("urgent", "Art. 6 Abs. 1, Art. 7, Art. 17 Abs. 1 lit. d DSGVO, § 78 Abs. 1 SGB X"),
    "transfer_under_restriction": Ground("urgent", "Art. 18 Abs. 2 DSGVO"),
    "transfer_broader": Ground("urgent", "Art. 5 Abs. 1 lit. c DSGVO, § 67d Abs. 1 SGB X"),
    "transfer_before_permit": Ground("to_clarify", "Art. 6 Abs. 1 lit. a DSGVO, § 67b Abs. 2 SGB X"),
    "transfer_after_ending": Ground("to_clarify", "Art. 5 Abs. 1 lit. b DSGVO, § 67c Abs. 1 SGB X"),
    "transfer_after_expiry": Ground("to_clarify", "Art. 5 Abs. 1 lit. a DSGVO"),
    "permit_unreported": Ground("overdue", "Art. 5 Abs. 2 DSGVO"),
    "permit_on_undone_link": Ground("to_clarify", "Art. 5 Abs. 1 lit. d DSGVO"),
    "evidence_missing": Ground("overdue", "Art. 7 Abs. 1 DSGVO"),
    "lookups_refused": Ground("to_clarify", "Art. 5 Abs. 1 lit. f, Art. 32 DSGVO"),
    "lookups_without_transfer": Ground("to_clarify", "Art. 5 Abs. 1 lit. c DSGVO"),
    "receipt_codes_guessed": Ground("to_clarify", "Art. 5 Abs. 1 lit. f, Art. 32 DSGVO"),
    "link_codes_guessed": Ground("to_clarify", "Art. 5 Abs. 1 lit. f, Art. 32 DSGVO"),
}
KINDS: tuple[FindingKind, ...] = tuple(GROUNDS)


class Period(msgspec.Struct, frozen=True):
    """From `begin` until before `end`."""

    begin: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether this moment lies in it."""
        return self.begin <= at < self.end


class Finding(msgspec.Struct, frozen=True):
    """One thing to look at. `subject` is what it is about within its kind: the id of a transfer, decision or consent,
    or when it began; of a kind that can befall one decision again, with the id of what befell it. `times` and `numbers`
    are the facts that made it one.
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
        """The same each time it is found, and no other finding's."""
        return f"{self.kind}:{self.subject}"

    @property
    def ground(self) -> Ground:
        """Severity and norm."""
        return GROUNDS[self.kind]


class Permit(msgspec.Struct, frozen=True):
    """A decision that permitted something: where it stands in the log, and whom it was about."""

    decision_id: str
    log_index: int
    client_id: str | None
    decided_at: datetime


def unreported(permit: Permit, due_at: datetime) -> Finding:
    """A permit nobody said anything about by `due_at`; that it was not used, or failed, would be a report as well."""
    return _about_permit("permit_unreported", permit, due_at, {"due_at": due_at})


def on_undone_link(permit: Permit, unlinking_id: str, linked_at: datetime | None, unlinked_at: datetime) -> Finding:
    """A permit that rested on the other side's consent while two references were taken for one client. One on consents
    of several others is found with each unlinking: whose consent it was is another question each time. `linked_at` is
    when the partner itself linked them; when others did is not said.
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


def unproven(consent_id: str, client_id: str, recorded_at: datetime, due_at: datetime) -> Finding:
    """A consent whose evidence was to follow and has not by `due_at`."""
    return Finding(
        kind="evidence_missing",
        subject=consent_id,
        known_at=due_at,
        times={"recorded_at": recorded_at, "due_at": due_at},
        consent_id=consent_id,
        client_id=client_id,
    )


def pressing_order(finding: Finding) -> tuple[int, float, str]:
    """The order of a list: what presses most first, then what became known last, then by id."""
    return order_of(finding.ground.severity, finding.known_at, finding.finding_id)


def order_of(severity: Severity, known_at: datetime, finding_id: str) -> tuple[int, float, str]:
    """As `pressing_order`, from the parts that a cursor holds."""
    return (SEVERITIES.index(severity), -known_at.timestamp(), finding_id)
