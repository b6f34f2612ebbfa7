"""Reconciliation: judges one partner's slice of a period by facts from the tables and the log and by rules from
`domain` (docs/reconciliation.md).

Rows are judged in a thread, so that the process can answer decisions meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from consent_registry.domain.findings import (
    EVIDENCE_AFTER,
    KINDS,
    REPORT_AFTER,
    Finding,
    FindingKind,
    Period,
    Permit,
    band_contradicted,
    evidence_overdue,
    on_undone_link,
    refusal_overridden,
    unreported,
)
from consent_registry.domain.law.ages import of_one_person
from consent_registry.domain.law.earlier_answers import overridden_refusal
from consent_registry.domain.lookups import (
    DAY,
    HOUR,
    QUESTIONS_WITHOUT_TRANSFER,
    REFUSED_REFERENCES,
    codes_guessed,
    lookups_needed_since,
    lookups_refused,
    lookups_without_transfer,
)
from consent_registry.domain.transfer_findings import (
    RecordedDecision,
    SentTransfer,
    StoppingChange,
    UsedGrant,
    judge_transfer,
    withdrawn_from,
)
from consent_registry.operations.clients.code_attempts import FAILURES_AN_HOUR
from consent_registry.operations.decisions.decisions import decision_of
from consent_registry.storage.clients.code_attempts import CodeKind
from consent_registry.storage.clients.unlinkings import permits_on_undone_links
from consent_registry.storage.consents.earlier_answers import answers_to_refused_flows, recorded_bands
from consent_registry.storage.database.database import Connection
from consent_registry.storage.oversight import findings as storage
from consent_registry.storage.oversight import lookups

# How many ids one statement takes.
_AT_ONCE = 5000


class FindingLimits(msgspec.Struct, frozen=True):
    """The limits of findings: the time after which, or the number from which, something is a finding."""

    report_after: timedelta = REPORT_AFTER
    evidence_after: timedelta = EVIDENCE_AFTER
    refused_references: int = REFUSED_REFERENCES
    questions_without_transfer: int = QUESTIONS_WITHOUT_TRANSFER


class Reconciliation(msgspec.Struct, frozen=True):
    """The partner whose slice is judged, the period and the limits; `categories` are the network's slugs by number."""

    connection: Connection
    network_id: int
    partner_id: int
    categories: Mapping[int, str]
    period: Period
    limits: FindingLimits

    def slice(self, *, earlier: timedelta = timedelta(0), since: datetime | None = None) -> storage.Slice:
        """The network, partner and period for a statement; `earlier` moves the period, `since` is another beginning."""
        begin, end = self.period.begin if since is None else since, self.period.end
        return (self.network_id, self.partner_id, begin - earlier, end - earlier)

    def slugs(self, category_ids: Sequence[int]) -> tuple[str, ...]:
        """The categories' slugs, in their order."""
        return tuple(self.categories[category_id] for category_id in category_ids)


FindingCheck = Callable[[Reconciliation], Awaitable[list[Finding]]]


async def reconcile(given: Reconciliation, kinds: Sequence[FindingKind] = KINDS) -> dict[FindingKind, list[Finding]]:
    """The findings of these kinds in the period, in no order; a kind without findings has an empty list."""
    found: dict[FindingKind, list[Finding]] = {kind: [] for kind in kinds}
    for check, its_kinds in _CHECKS.items():
        if found.keys() & set(its_kinds):
            for finding in await check(given):
                if finding.kind in found and given.period.holds(finding.known_at):
                    found[finding.kind].append(finding)
    return found


async def _transfers(given: Reconciliation) -> list[Finding]:
    rows = await storage.sent_in(given.connection, given.slice())
    rows += await storage.sent_before(given.connection, given.slice())
    asked = sorted({row.decision_id for row in rows})
    decided = {decision.decision_id: decision for decision in map(read_decided, await decisions(given, asked))}
    used = sorted({grant_id for decision in decided.values() for grant_id in decision.grant_ids})
    grants = await _used_grants(given, used)
    return await asyncio.to_thread(_judged, given, rows, decided, grants)


def _judged(
    given: Reconciliation,
    rows: Sequence[storage.SentRow],
    decided: Mapping[str, RecordedDecision],
    grants: Mapping[str, UsedGrant],
) -> list[Finding]:
    found = []
    for row in rows:
        # Retention may have removed the decision before the report on it; what it permitted is then unknown.
        if row.decision_id in decided:
            categories = given.slugs(row.category_ids)
            sent = SentTransfer(row.transfer_id, row.decision_id, categories, row.transferred_at, row.recorded_at)
            found += judge_transfer(sent, decided[row.decision_id], grants)
    return found


async def decisions(given: Reconciliation, decision_ids: Sequence[str]) -> list[storage.DecisionRow]:
    """The slice's decisions with these ids, which must be ascending: decisions of one time are then read together."""
    found = []
    for first in range(0, len(decision_ids), _AT_ONCE):
        batch = decision_ids[first : first + _AT_ONCE]
        found += await storage.decisions(given.connection, given.network_id, given.partner_id, batch)
    return found


def read_decided(row: storage.DecisionRow) -> RecordedDecision:
    """The facts of a decision, read from its event."""
    event = decision_of(row.event)
    return RecordedDecision(
        decision_id=row.decision_id,
        log_index=row.log_index,
        client_id=row.client_id,
        outcome=event.outcome,
        decided_at=row.decided_at,
        expires_at=datetime.fromisoformat(event.expires_at),
        recipient=event.recipient,
        purpose=event.purpose,
        permitted=tuple(event.permitted),
        not_consent_based=tuple(event.not_consent_based or ()),
        grant_ids=tuple(event.grants),
    )


async def _used_grants(given: Reconciliation, grant_ids: Sequence[str]) -> dict[str, UsedGrant]:
    grants: dict[str, UsedGrant] = {}
    for first in range(0, len(grant_ids), _AT_ONCE):
        batch = grant_ids[first : first + _AT_ONCE]
        for row in await storage.used_grants(given.connection, given.network_id, batch):
            categories = frozenset(given.slugs(row.category_ids))
            known = grants.get(row.grant_id, UsedGrant(categories))
            grants[row.grant_id] = UsedGrant(categories, (*known.stops, *_stops(given, row, categories)))
    return grants


def _stops(given: Reconciliation, row: storage.UsedGrantRow, categories: frozenset[str]) -> list[StoppingChange]:
    stop = row.stop
    if stop is None:
        return []
    taken = categories if stop.category_ids is None else frozenset(given.slugs(stop.category_ids))
    since = stop.effective_at
    if stop.kind == "withdrawn":
        paper = (stop.given_at, stop.given_at_precision, stop.paper_recorded_at)
        since = withdrawn_from(*paper, stop.effective_at, stop.recorded_at)
    return [StoppingChange(taken, since, stop.recorded_at, stop.kind, stop.of_id)]


async def _unreported(given: Reconciliation) -> list[Finding]:
    after = given.limits.report_after
    permits = await storage.unreported_permits(given.connection, given.slice(earlier=after))
    return await asyncio.to_thread(lambda: [unreported(permit, permit.decided_at + after) for permit in permits])


async def _undone_links(given: Reconciliation) -> list[Finding]:
    rows = await permits_on_undone_links(given.connection, *given.slice())
    return [
        on_undone_link(
            Permit(row.decision_id, row.log_index, row.client_id, row.decided_at),
            row.unlinking_id,
            row.linked_at,
            row.unlinked_at,
        )
        for row in rows
    ]


async def _evidence_overdue(given: Reconciliation) -> list[Finding]:
    after = given.limits.evidence_after
    rows = await storage.consents_without_evidence(given.connection, given.slice(earlier=after))
    return [evidence_overdue(consent_id, client_id, at, at + after) for consent_id, client_id, at in rows]


async def _overridden(given: Reconciliation) -> list[Finding]:
    begin, end = given.period.begin, given.period.end
    flows = await answers_to_refused_flows(given.connection, given.network_id, given.partner_id, begin, end)
    found: dict[str, Finding] = {}
    for answers in flows:
        for yes in sorted(answers, key=lambda answer: answer.recorded_at):
            refusal = overridden_refusal(yes, answers)
            if refusal is not None and refusal.recorder_id == given.partner_id:
                finding = refusal_overridden(refusal, yes)
                found.setdefault(finding.finding_id, finding)
    return list(found.values())


async def _contradicted_bands(given: Reconciliation) -> list[Finding]:
    begin, end = given.period.begin, given.period.end
    rows = await recorded_bands(given.connection, given.network_id, given.partner_id, begin, end)
    found = {
        row.consent_id: band_contradicted(
            row.consent_id, row.client_id, row.given_at, row.recorded_at, row.earlier_given_at
        )
        for row in rows
        if not of_one_person(row.earlier_age_band, row.earlier_given_at, row.age_band, row.given_at)
    }
    return list(found.values())


async def _refused(given: Reconciliation) -> list[Finding]:
    asked = given.slice(since=lookups_needed_since(given.period.begin, HOUR))
    limit = given.limits.refused_references
    refused = await lookups.refused_lookups(given.connection, asked)
    return await asyncio.to_thread(lookups_refused, refused, limit)


async def _without_transfer(given: Reconciliation) -> list[Finding]:
    asked = given.slice(since=lookups_needed_since(given.period.begin, DAY))
    limit = given.limits.questions_without_transfer
    questions = await lookups.repeated_lookups(given.connection, asked, limit)
    return await asyncio.to_thread(lookups_without_transfer, questions, limit)


def _guessed(kind: FindingKind, code: CodeKind) -> FindingCheck:
    async def check(given: Reconciliation) -> list[Finding]:
        asked = given.slice(since=lookups_needed_since(given.period.begin, HOUR))
        failures = await lookups.wrong_codes(given.connection, asked, code)
        return codes_guessed(kind, failures, FAILURES_AN_HOUR[code])

    return check


# Each check with the kinds of finding it returns.
_CHECKS: Mapping[FindingCheck, tuple[FindingKind, ...]] = {
    _transfers: (
        "transfer_without_permit",
        "transfer_after_withdrawal",
        "transfer_on_void_grant",
        "transfer_under_restriction",
        "transfer_broader",
        "transfer_before_permit",
        "transfer_after_ending",
        "transfer_after_expiry",
    ),
    _unreported: ("permit_unreported",),
    _undone_links: ("permit_on_undone_link",),
    _evidence_overdue: ("evidence_missing",),
    _overridden: ("refusal_overridden",),
    _contradicted_bands: ("age_band_contradicts",),
    _refused: ("lookups_refused",),
    _without_transfer: ("lookups_without_transfer",),
    _guessed("receipt_codes_guessed", "receipt_code"): ("receipt_codes_guessed",),
    _guessed("link_codes_guessed", "link_code"): ("link_codes_guessed",),
}
