"""`consent-registry audit`: compare the tables with the log, and list findings, with the auditor's read-only login."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from consent_registry.cli.audit_bundle import write_bundle
from consent_registry.cli.exit_codes import ExitCode, gives_verdict
from consent_registry.cli.report_text import as_text
from consent_registry.domain.errors import Unusable
from consent_registry.operations.keys.key_folder import open_keys
from consent_registry.operations.oversight.audited_findings import reconcile_networks
from consent_registry.operations.oversight.table_check import NetworkReport, auditing, check_tables
from consent_registry.tlog.report import Report, Verdict

AUDITOR_URL = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"
OUTCOMES = {Verdict.FAILS: ExitCode.DOES_NOT_HOLD, Verdict.UNTOLD: ExitCode.CANNOT_BE_TOLD}
LOOK = "Each partner's DPO must look at that partner's findings: docs/reconciliation.md says what to do."

audit = App(
    name="audit",
    help="Compare the tables with the log: replay. List findings: reconcile. Export all events: bundle. "
    "Changes nothing.",
)

NetworkOption = Annotated[str | None, Parameter(help="Only this network. The default is all networks.")]
DaysBack = Annotated[int, Parameter(help="How many days back.", validator=Number(gte=1, lte=366))]
KeyFolder = Annotated[
    Path | None,
    Parameter(help="The installation's keys, to compare each reference with its digest and its registration too."),
]
ReportsAsJson = Annotated[bool, Parameter(negative="", help="Write the reports as JSON.")]


@audit.command
@gives_verdict()
def replay(*, network: NetworkOption = None, keys: KeyFolder = None, json: ReportsAsJson = False) -> ExitCode:
    """Recompute every consent's state from the events and compare it with the tables.

    A row that was changed without an event is found, with table, key and column. Exit code 0: the tables match the log,
    except for what was erased. 1: they do not match. 2: this could not be checked.
    """
    return _report(
        lambda connection: check_tables(connection, network, None if keys is None else open_keys(keys)),
        as_text,
        json=json,
    )


@audit.command
@gives_verdict()
def reconcile(*, network: NetworkOption = None, days: DaysBack = 30, json: ReportsAsJson = False) -> ExitCode:
    """List the findings for every partner's data-protection officer: transfers without a permit, after a withdrawal or
    broader than permitted, permits without a report, unusual look-ups.

    The list names partners, decisions and times, but no client. Exit code 0: there are no findings. 1: there are
    findings. 2: this could not be checked.
    """
    return _report(lambda connection: reconcile_networks(connection, network, days), _findings_text, json=json)


@audit.command
@gives_verdict()
def bundle(network: str, file: Path) -> ExitCode:
    """Write every event of a network's log up to the published checkpoint, for `consent-registry verify --events`.

    The file has personal data of every partner, so it is for the auditor only. A partner's data-protection officer
    exports the partner's own events with POST /api/v1/events/exports.

    Parameters
    ----------
    network
        The network's slug.
    file
        The file to write. It is compressed if it ends in .gz, readable only for you, and appears when it is complete.
    """
    size, count = asyncio.run(write_bundle(_dsn(), network, file))
    print(f"{count} events of {size} entries in {file}")
    return ExitCode.HOLDS


RunAudit = Callable[[Any], AsyncIterator[NetworkReport]]  # of a connection, opened by `auditing`


def _report(run_audit: RunAudit, shown: Callable[[Report], str], *, json: bool) -> ExitCode:
    verdicts = asyncio.run(_write_reports(_dsn(), run_audit, shown, json=json))
    return next((outcome for verdict, outcome in OUTCOMES.items() if verdict in verdicts), ExitCode.HOLDS)


def _dsn() -> str:
    dsn = os.environ.get(AUDITOR_URL)
    if not dsn:
        raise Unusable(f"set {AUDITOR_URL}")
    return dsn


async def _write_reports(dsn: str, run_audit: RunAudit, shown: Callable[[Report], str], *, json: bool) -> set[Verdict]:
    verdicts: set[Verdict] = set()
    reports: list[dict[str, Any]] = []
    async with auditing(dsn) as connection:
        async for audited in run_audit(connection):
            verdicts.add(audited.report.verdict)
            if json:
                reports.append(_members(audited))
            else:
                sys.stdout.write(_text(audited, shown))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports)).decode() + "\n")
    return verdicts


def _members(audited: NetworkReport) -> dict[str, Any]:
    head = {"network": audited.network, "verdict": audited.report.verdict, "removed": list(audited.removed)}
    return {**head, **msgspec.to_builtins(audited.report)}


def _findings_text(report: Report) -> str:
    return as_text(report, {Verdict.HOLDS: "There are no findings.", Verdict.FAILS: LOOK})


def _text(audited: NetworkReport, shown: Callable[[Report], str]) -> str:
    spans = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in audited.removed)
    return shown(audited.report) + (f"Erased or retained on record: {spans}\n" if spans else "") + "\n"
