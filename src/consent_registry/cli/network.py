"""`consent-registry network`: set up a real network from its document, or check the document."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from consent_registry.cli.exit_codes import ExitCode, gives_verdict
from consent_registry.cli.installation import run_on_installation
from consent_registry.cli.options import Flag
from consent_registry.cli.report_text import plain
from consent_registry.domain.berlin import day_in_berlin
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.operations.catalogue.network_document import schema as document_schema
from consent_registry.operations.catalogue.network_document_plan import read_plan
from consent_registry.operations.catalogue.network_plan import plan_faults, text_faults
from consent_registry.operations.catalogue.network_setup import establish_network
from consent_registry.operations.runtime.context import Runtime
from consent_registry.process.data_folder import CannotServe

# A valid origin for a check without --log-origin.
SOME_ORIGIN = "log.example"


@gives_verdict(when="check")
def network(
    folder: Path | None = None,
    slug: str | None = None,
    *,
    log_origin: str | None = None,
    check: Flag = False,
    schema: Flag = False,
) -> ExitCode | None:
    """Set up the network that FOLDER/networks/SLUG.json describes: partners, catalogue, agreements, texts.

    Parameters
    ----------
    folder
        A folder like src/consent_registry/demo, with networks/, their catalogue and the texts. With --check it may be
        the document itself.
    slug
        The network's slug.
    log_origin
        The permanent name of the network's log: a URL without scheme, for example registry.example/paderborn.
    check
        Only check the document, without a database, and list every fault with its place (JSON pointer). Exit code 0: it
        can be used. 1: it cannot be used. 2: it could not be checked.
    schema
        Only print the document's JSON Schema.
    """
    if schema:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document_schema())).decode() + "\n")
        return None
    if check and slug is None and folder is not None and folder.suffix == ".json":
        folder, slug = folder.resolve().parent.parent, folder.stem
    if folder is None or slug is None:
        raise CannotServe("name the folder and the network's slug")
    if check:
        return _check(folder, slug, SOME_ORIGIN if log_origin is None else log_origin)
    if log_origin is None:
        raise CannotServe("name the log with --log-origin: the name is permanent")
    _establish(folder, slug, log_origin)
    print(f"{slug} is set up; its log is {log_origin}")
    return None


def _check(folder: Path, slug: str, log_origin: str) -> ExitCode:
    faults: list[Fault] = []
    try:
        plan = read_plan(folder, 1, slug, log_origin, demonstration=False)
        faults += [*plan_faults(plan), *text_faults(plan, day_in_berlin(datetime.now(UTC)))]
    except Malformed as error:
        faults += error.faults or [Fault("", error.detail)]
    for fault in faults:
        rule = "" if fault.rule is None else f" ({fault.rule})"
        print(plain(f"{fault.pointer or '/'}: {fault.detail.rstrip('.')}{rule}"))
    if faults:
        return ExitCode.DOES_NOT_HOLD
    print(
        f"{slug} can be set up: {len(plan.partners)} partners, {len(plan.purposes)} purposes, {len(plan.texts)} texts"
    )
    return ExitCode.HOLDS


def _establish(folder: Path, slug: str, log_origin: str) -> None:
    async def work(runtime: Runtime) -> None:
        if await runtime.network(slug) is not None:
            raise CannotServe(f"network {slug} is set up already")
        number = max((known.network_id for known in await runtime.networks()), default=0) + 1
        await establish_network(runtime, read_plan(folder, number, slug, log_origin, demonstration=False))

    run_on_installation(work)
