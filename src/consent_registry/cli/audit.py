"""`consent-registry audit`: hold the tables against the log, with the auditor's own login, which changes nothing."""

import asyncio
import os
import sys
from typing import Annotated, Any, NoReturn

import asyncpg
import msgspec
from cyclopts import App, Parameter

from consent_registry.audit.report import Verdict
from consent_registry.cli.report_text import as_text
from consent_registry.domain.errors import RegistryError, Unusable
from consent_registry.operations.replays import Audited, auditing, replay_networks

AUDITOR_URL = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"
EQUAL, FOUND, COULD_NOT = range(3)

audit = App(name="audit", help="Hold the tables against the log: replay. Changes nothing.")

Network = Annotated[str | None, Parameter(help="One network; all of them unless given.")]
Json = Annotated[bool, Parameter(negative="", help="Write the reports as JSON.")]


@audit.command
def replay(*, network: Network = None, json: Json = False) -> NoReturn:
    """Recompute every consent's state from the events and compare it with the tables.

    Whoever edited a row behind the registry's back is found: table, key and column are named. Exit code 0: the tables
    are as the log tells, as far as both still hold it. 1: they are not. 2: it could not be told.
    """
    try:
        verdicts = asyncio.run(_replay(os.environ.get(AUDITOR_URL), network, json=json))
    except (RegistryError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        sys.stderr.write(f"consent-registry: {str(error).splitlines()[0] if str(error) else type(error).__name__}\n")
        sys.exit(COULD_NOT)
    codes = {Verdict.FAILS: FOUND, Verdict.UNTOLD: COULD_NOT}
    sys.exit(next((code for verdict, code in codes.items() if verdict in verdicts), EQUAL))


async def _replay(dsn: str | None, network: str | None, *, json: bool) -> set[Verdict]:
    if not dsn:
        raise Unusable(f"set {AUDITOR_URL}")
    verdicts: set[Verdict] = set()
    reports: list[dict[str, Any]] = []
    async with auditing(dsn) as connection:
        async for one in replay_networks(connection, network):
            verdicts.add(one.report.verdict)
            if json:
                reports.append(_members(one))
            else:
                sys.stdout.write(_text(one))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports)).decode() + "\n")
    return verdicts


def _members(one: Audited) -> dict[str, Any]:
    head = {"network": one.network, "verdict": one.report.verdict, "removed": list(one.removed)}
    return {**head, **msgspec.to_builtins(one.report)}


def _text(one: Audited) -> str:
    spans = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in one.removed)
    return as_text(one.report) + (f"Erased or retained on record: {spans}\n" if spans else "") + "\n"
