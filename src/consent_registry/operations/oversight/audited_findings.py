"""`audit reconcile`: the findings of every partner of a network, with the auditor's login (docs/reconciliation.md).

It is for an office that is DPO of a whole cooperation. It shows no references: they are encrypted for their partners.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

from consent_registry.domain.errors import NotFound
from consent_registry.domain.findings import KINDS, Finding, Period
from consent_registry.domain.instants import format_instant
from consent_registry.operations.oversight.reconciliation import FindingLimits, Reconciliation, reconcile
from consent_registry.operations.oversight.table_check import NetworkReport
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection
from consent_registry.storage.oversight import table_check as storage
from consent_registry.tlog.report import Report, Verdict

# These need the table of wrong codes, which the auditor's login cannot read.
HIDDEN = frozenset({"receipt_codes_guessed", "link_codes_guessed"})
SHOWN = tuple(kind for kind in KINDS if kind not in HIDDEN)


async def reconcile_networks(connection: Connection, slug: str | None, days: int) -> AsyncIterator[NetworkReport]:
    """Reconcile the last days of one network, or of all networks one after the other. Raises NotFound."""
    networks = await storage.list_networks(connection)
    if slug is not None and slug not in networks:
        raise NotFound("There is no such network.")
    for name in networks if slug is None else [slug]:
        yield NetworkReport(name, await _reconcile(connection, networks[name][0], days), ())


async def _reconcile(connection: Connection, network_id: int, days: int) -> Report:
    names = await storage.enter_network(connection, network_id)
    now = await read_clock(connection)
    period = Period(now - timedelta(days=days), now)
    report = Report()
    checks = {kind: report.check(kind, says="nothing found") for kind in SHOWN}
    for partner_id, partner in names.partners.items():
        given = Reconciliation(connection, network_id, partner_id, names.categories, period, FindingLimits())
        for kind, found in (await reconcile(given, SHOWN)).items():
            for finding in sorted(found, key=lambda finding: (finding.known_at, finding.finding_id)):
                checks[kind].find(kind, _facts(partner, finding), index=finding.log_index, path=finding.finding_id)
    for kind in KINDS:
        if kind in HIDDEN:
            report.check(kind, Verdict.NOT_ASKED, "for the partner's own DPO: GET /api/v1/findings")
    return report


def _facts(partner: str, finding: Finding) -> str:
    """The partner and the facts of a finding, in codes."""
    subject = {"decision": finding.decision_id, "entry": finding.log_index, "consent": finding.consent_id}
    facts = [f"{name} {value}" for name, value in subject.items() if value is not None]
    facts += [f"categories {','.join(finding.categories)}"] if finding.categories else []
    facts += [f"surplus {','.join(finding.surplus)}"] if finding.surplus else []
    facts += [f"{name} {format_instant(at)}" for name, at in finding.times.items()]
    facts += [f"{name} {number}" for name, number in finding.numbers.items()]
    return f"{partner}: {', '.join(facts)}"
