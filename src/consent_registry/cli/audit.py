"""`consent-registry audit`: hold the tables against the log, and list what data-protection officers are to look
at, with the auditor's own login, which changes nothing.
"""

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
from consent_registry.cli.report_text import as_text
from consent_registry.cli.running import Outcome, gives_verdict
from consent_registry.domain.errors import Unusable
from consent_registry.operations.keys.key_folder import open_keys
from consent_registry.operations.oversight.audited_findings import reconcile_networks
from consent_registry.operations.oversight.table_check import Audited, auditing, replay_networks
from consent_registry.tlog.report import Report, Verdict

AUDITOR_URL = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"
OUTCOMES = {Verdict.FAILS: Outcome.DOES_NOT_HOLD, Verdict.UNTOLD: Outcome.CANNOT_BE_TOLD}
LOOK = "These are to be looked at, each by its own partner's DPO: docs/reconciliation.md says what to do."

audit = App(
    name="audit",
    help="Hold the tables against the log: replay. List what is to be looked at: reconcile. Take all events along: "
    "bundle. Changes nothing.",
)

Network = Annotated[str | None, Parameter(help="One network; all of them unless given.")]
Days = Annotated[int, Parameter(help="How many days back.", validator=Number(gte=1, lte=366))]
KeyFolder = Annotated[
    Path | None,
    Parameter(
        help="The installation's keys: with them each reference is held against its digest and its registration."
    ),
]
Json = Annotated[bool, Parameter(negative="", help="Write the reports as JSON.")]


@audit.command
@gives_verdict()
def replay(*, network: Network = None, keys: KeyFolder = None, json: Json = False) -> Outcome:
    """Recompute every consent's state from the events and compare it with the tables.

    Whoever edited a row behind the registry's back is found: table, key and column are named. Exit code 0: the tables
    are as the log tells, as far as both still hold it. 1: they are not. 2: it could not be told.
    """
    return _ask(
        lambda connection: replay_networks(connection, network, None if keys is None else open_keys(keys)),
        as_text,
        json=json,
    )


@audit.command
@gives_verdict()
def reconcile(*, network: Network = None, days: Days = 30, json: Json = False) -> Outcome:
    """List what every partner's data-protection officer is to look at: transfers without a permit, after a withdrawal,
    broader than permitted, permits nobody reported on, unusual look-ups.

    Names partners, decisions and times, and no client. Exit code 0: there is nothing to look at. 1: there is. 2: it
    could not be told.
    """
    return _ask(lambda connection: reconcile_networks(connection, network, days), _findings_text, json=json)


@audit.command
@gives_verdict()
def bundle(network: str, file: Path) -> Outcome:
    """Write every event of a network's log that a published checkpoint covers, for `consent-registry verify --events`.

    It holds personal data of every partner: it is for the auditor alone. A partner's data-protection officer takes her
    own along (POST /api/v1/events/exports).

    Parameters
    ----------
    network
        The network's slug.
    file
        Where to; compressed when it ends in .gz. Readable for you alone, and there only when it is complete.
    """
    size, count = asyncio.run(write_bundle(_dsn(), network, file))
    print(f"{count} events of {size} entries in {file}")
    return Outcome.HOLDS


RunAudit = Callable[[Any], AsyncIterator[Audited]]  # of a connection, opened by `auditing`


def _ask(run_audit: RunAudit, shown: Callable[[Report], str], *, json: bool) -> Outcome:
    verdicts = asyncio.run(_tell(_dsn(), run_audit, shown, json=json))
    return next((outcome for verdict, outcome in OUTCOMES.items() if verdict in verdicts), Outcome.HOLDS)


def _dsn() -> str:
    dsn = os.environ.get(AUDITOR_URL)
    if not dsn:
        raise Unusable(f"set {AUDITOR_URL}")
    return dsn


async def _tell(dsn: str, run_audit: RunAudit, shown: Callable[[Report], str], *, json: bool) -> set[Verdict]:
    verdicts: set[Verdict] = set()
    reports: list[dict[str, Any]] = []
    async with auditing(dsn) as connection:
        async for one in run_audit(connection):
            verdicts.add(one.report.verdict)
            if json:
                reports.append(_members(one))
            else:
                sys.stdout.write(_text(one, shown))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports)).decode() + "\n")
    return verdicts


def _members(one: Audited) -> dict[str, Any]:
    head = {"network": one.network, "verdict": one.report.verdict, "removed": list(one.removed)}
    return {**head, **msgspec.to_builtins(one.report)}


def _findings_text(report: Report) -> str:
    return as_text(report, {Verdict.HOLDS: "There is nothing to look at.", Verdict.FAILS: LOOK})


def _text(one: Audited, shown: Callable[[Report], str]) -> str:
    spans = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in one.removed)
    return shown(one.report) + (f"Erased or retained on record: {spans}\n" if spans else "") + "\n"
