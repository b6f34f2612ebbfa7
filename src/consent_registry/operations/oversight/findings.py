"""Findings for a partner's data-protection officer: the partner's slice of a period, judged now; every call is logged.

The answer lists which kinds were checked, so that a kind without findings differs from a kind that was not checked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest

import msgspec

from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.events.decisions import ReadEvent
from consent_registry.domain.findings import (
    KINDS,
    Finding,
    FindingKind,
    Period,
    Severity,
    sort_key,
    sort_key_of,
)
from consent_registry.domain.instants import AnsweredInstant, format_instant, parse_instant
from consent_registry.domain.law.rules.all_rules import finding_norm
from consent_registry.domain.transfer_findings import RecordedDecision
from consent_registry.operations.clients.clients import own_references
from consent_registry.operations.oversight.reconciliation import (
    FindingLimits,
    Reconciliation,
    decisions,
    read_decided,
    reconcile,
)
from consent_registry.operations.runtime.actors import Actor, require_standing
from consent_registry.operations.runtime.commands import Command, digest_of, new_id
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.pagination import make_cursor, read_cursor
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.oversight import findings as storage

PERIOD = timedelta(days=30)
# A longer period is asked for in parts; the parts miss no finding and show none twice.
LONGEST = timedelta(days=366)


class FindingsRequest(msgspec.Struct, frozen=True):
    """Which findings: of one kind or all, of which period, by which limits, and which page."""

    kind: FindingKind | None
    begin: datetime | None
    end: datetime | None
    limits: FindingLimits
    limit: int
    cursor: str | None


class FindingView(msgspec.Struct, frozen=True):
    """A finding: its kind, when it became known, the recipient, and the facts that made it a finding. `client` is the
    caller's reference, if there is one.
    """

    finding_id: str
    kind: FindingKind
    severity: Severity
    norm: str
    known_at: AnsweredInstant
    decision_id: str | None
    log_index: int | None
    consent_id: str | None
    client: str | None
    recipient: str | None
    purpose: str | None
    categories: Sequence[str]
    surplus: Sequence[str]
    times: dict[str, AnsweredInstant]
    numbers: dict[str, int]


class CheckView(msgspec.Struct, frozen=True):
    """A kind of finding that was checked, and how many were found."""

    kind: FindingKind
    count: int


class CheckedView(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "until"}):
    """What was checked: whose slice, which period, when, by which limits. A kind not among `checks` was not checked."""

    partner: str | None
    begin: AnsweredInstant
    end: AnsweredInstant
    at: AnsweredInstant
    limits: dict[str, int]
    checks: list[CheckView]


class FindingsView(msgspec.Struct, frozen=True):
    """A page of findings, the most severe first, then the newest first; `next` is None at the end."""

    items: list[FindingView]
    next: str | None
    checked: CheckedView


class _Place(msgspec.Struct, array_like=True):
    """The content of a cursor: the last finding of a page, and the period of all pages."""

    begin: str
    end: str
    severity: Severity
    known_at: str
    finding_id: str

    @classmethod
    def of(cls, period: Period, last: Finding) -> str:
        """The place after this finding."""
        instants = [format_instant(instant) for instant in (period.begin, period.end, last.known_at)]
        place = cls(instants[0], instants[1], last.severity, instants[2], last.finding_id)
        return msgspec.json.encode(place).decode()

    @property
    def period(self) -> Period:
        """The period of all pages."""
        return Period(parse_instant(self.begin), parse_instant(self.end))

    @property
    def order(self) -> tuple[int, float, str]:
        """The sort key of the page's last finding."""
        return sort_key_of(self.severity, parse_instant(self.known_at), self.finding_id)


async def list_findings(runtime: Runtime, actor: Actor, request: FindingsRequest) -> FindingsView:
    """The caller's findings of a period, by default the last 30 days; logged as read, with count and digest. Raises
    Malformed for an empty period or one that is too long.

    The transaction takes the catalogue lock only after judging, which may take seconds: a change of the catalogue, and
    the decisions queued behind it, must not wait for that.
    """
    asked = [actor.network.slug, actor.slug, request.kind, request.begin, request.end, request.limits]
    filter_of_page = msgspec.json.encode(asked)
    cursor = read_cursor(runtime.keys, filter_of_page, request.cursor, in_query=True)
    after = None if cursor is None else msgspec.json.decode(cursor, type=_Place)
    picture = await runtime.picture(actor.network, fresh=True)
    require_standing(actor, picture)
    categories = {number: category.slug for number, category in picture.category_by_id.items()}
    network_id, partner_id = actor.network.network_id, actor.partner_id
    async with transaction(runtime.pool, network_id, [partner_id]) as connection:
        period = await _period(connection, network_id, request) if after is None else after.period
        given = Reconciliation(connection, network_id, partner_id, categories, period, request.limits)
        found = await reconcile(given, KINDS if request.kind is None else [request.kind])
        page = await asyncio.to_thread(_following, found, after, request.limit + 1)
        following = _Place.of(period, page[request.limit - 1]) if len(page) > request.limit else None
        return FindingsView(
            items=await _recorded(runtime, actor, given, page[: request.limit]),
            next=make_cursor(runtime.keys, filter_of_page, following),
            checked=_checked(actor, given, await read_clock(connection), found),
        )


async def _recorded(
    runtime: Runtime, actor: Actor, given: Reconciliation, page: Sequence[Finding]
) -> list[FindingView]:
    """Log the page as read and return its views."""
    connection = given.connection
    await lock_catalogue(connection, given.network_id)
    catalogue = await runtime.catalogue(connection, actor.network)
    require_standing(actor, catalogue)
    command = Command(runtime, connection, actor, catalogue)
    now = await command.now()
    views = await _views(command, given, page)
    ids = [finding.finding_id for finding in page]
    event = ReadEvent(id=new_id(now), what="findings", count=len(ids), digest=digest_of(ids))
    await command.append(event)
    return views


def _following(found: Mapping[FindingKind, list[Finding]], after: _Place | None, number: int) -> list[Finding]:
    """The first `number` findings after a place, in the order of the list."""
    findings = (finding for of_kind in found.values() for finding in of_kind)
    behind = findings if after is None else (finding for finding in findings if sort_key(finding) > after.order)
    return nsmallest(number, behind, key=sort_key)


async def _period(connection: Connection, network_id: int, request: FindingsRequest) -> Period:
    """The period asked for, cut off where facts may still be recorded: so the next period can begin at its end."""
    visible_until = await storage.visible_until(connection, network_id)
    end = min(request.end or visible_until, visible_until)
    begin = request.begin or end - PERIOD
    if begin >= end:
        raise Malformed(faults=[Fault.of_query("from", "must be before until, and not in the future")])
    if end - begin > LONGEST:
        raise Malformed(faults=[Fault.of_query("until", f"must be at most {LONGEST.days} days after from")])
    return Period(begin, end)


async def _views(command: Command, given: Reconciliation, page: Sequence[Finding]) -> list[FindingView]:
    asked = sorted({finding.decision_id for finding in page if finding.decision_id is not None})
    decided = {decision.decision_id: decision for decision in map(read_decided, await decisions(given, asked))}
    clients = sorted({finding.client_id for finding in page if finding.client_id is not None})
    references = await own_references(command, clients)
    return [
        _view(finding, decided.get(finding.decision_id or ""), references.get(finding.client_id or ""), command.regime)
        for finding in page
    ]


def _view(finding: Finding, decided: RecordedDecision | None, reference: str | None, regime: str | None) -> FindingView:
    permitted = () if decided is None else decided.permitted
    return FindingView(
        finding_id=finding.finding_id,
        kind=finding.kind,
        severity=finding.severity,
        norm=finding_norm(finding.kind, finding.known_at, regime),
        known_at=format_instant(finding.known_at),
        decision_id=finding.decision_id,
        log_index=finding.log_index,
        consent_id=finding.consent_id,
        client=reference,
        recipient=None if decided is None else decided.recipient,
        purpose=None if decided is None else decided.purpose,
        categories=finding.categories or permitted,
        surplus=finding.surplus,
        times={name: format_instant(at) for name, at in finding.times.items()},
        numbers=dict(finding.numbers),
    )


def _checked(
    actor: Actor, given: Reconciliation, now: datetime, found: Mapping[FindingKind, list[Finding]]
) -> CheckedView:
    limits = {
        "report_days": given.limits.report_after.days,
        "evidence_days": given.limits.evidence_after.days,
        "refused_references": given.limits.refused_references,
        "questions_without_transfer": given.limits.questions_without_transfer,
    }
    return CheckedView(
        actor.slug if actor.partner_id else None,
        format_instant(given.period.begin),
        format_instant(given.period.end),
        format_instant(now),
        limits,
        [CheckView(kind, len(findings)) for kind, findings in found.items()],
    )
