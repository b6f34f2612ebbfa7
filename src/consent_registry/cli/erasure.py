"""`consent-registry erasure`: preview and perform the erasure of a person, with the eraser's own login."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import App, Parameter

from consent_registry.cli.options import Flag
from consent_registry.cli.reference_file import read_reference
from consent_registry.domain.erasures import GROUNDS, HOLD_NORMS
from consent_registry.domain.errors import RegistryError
from consent_registry.operations.erasure import erasures as operations
from consent_registry.operations.erasure.eraser_login import opened_eraser, rewrite_tables
from consent_registry.operations.erasure.erasures import ByConsent, ByReference, Eraser, ErasurePreview, RecordedErasure
from consent_registry.process.data_folder import CannotServe
from consent_registry.process.standard_streams import say

T = TypeVar("T")
ERASER_URL = "CONSENT_REGISTRY_ERASER_DATABASE_URL"
MIGRATOR_URL = "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL"
LEDGER = "CONSENT_REGISTRY_ERASURE_LEDGER"
KEYS = "CONSENT_REGISTRY_KEYS"

erasure = App(name="erasure", help="Erase a person (Art. 17 DSGVO): preview, perform, replay after a restore, scrub.")

PartnerOption = Annotated[str | None, Parameter(help="The partner that knows the person by a reference.")]
ReferenceFile = Annotated[
    Path | None, Parameter(help="File with that partner's reference. The default is standard input.")
]
ConsentOption = Annotated[
    str | None, Parameter(help="Instead of partner and reference: a consent that the person gave.")
]
PrintJson = Annotated[bool, Parameter(help="Print JSON.", negative="")]


@erasure.command
def preview(
    network: str,
    *,
    partner: PartnerOption = None,
    reference_file: ReferenceFile = None,
    consent: ConsentOption = None,
    json: PrintJson = False,
) -> None:
    """Show what erasing a person would remove, and what would stay because of which norm. Changes nothing."""
    target = named(partner, reference_file, consent)

    async def work(eraser: Eraser) -> ErasurePreview:
        return await operations.preview_erasure(eraser, await operations.find_network(eraser, network), target)

    shown = run_as_eraser(work)
    print(msgspec.json.encode(shown).decode() if json else "\n".join(_lines(shown)))


@erasure.command
def perform(
    network: str,
    *,
    confirm: str,
    ground: str,
    partner: PartnerOption = None,
    reference_file: ReferenceFile = None,
    consent: ConsentOption = None,
    later: Flag = False,
) -> None:
    """Erase a person as previewed. When the command ends, the erasure is durable, in the log and in the ledger.

    Parameters
    ----------
    confirm
        The digest that the preview showed. It ensures that exactly the previewed data are erased.
    ground
        no_longer_needed, consent_withdrawn, objection, unlawful, legal_duty or child (Art. 17 Abs. 1 lit. a to f).
    later
        Do not rewrite the tables' files now: `erasure scrub` does it at a quieter hour.
    """
    target = named(partner, reference_file, consent)

    async def work(eraser: Eraser) -> RecordedErasure:
        known = await operations.find_network(eraser, network)
        return await operations.perform_erasure(eraser, known, target, ground=ground, confirmed=confirm)

    erased = run_as_eraser(work)
    print(f"erased; event {erased.log_index} of the log says that {erased.events} events were removed")
    _scrub_after(erased.partitions, later=later)


@erasure.command
def replay() -> None:
    """Repeat the erasures of all persons in the ledger that are in the database again, after a backup was restored."""
    erased = run_as_eraser(operations.repeat_erasures)
    for repeated in erased:
        print(f"{repeated.network}: erased again; event {repeated.log_index} of the log, {repeated.events} events")
    if erased:
        _scrub_after([partition for repeated in erased for partition in repeated.partitions], later=False)
    else:
        print("no erased person is in the database")


@erasure.command
def scrub() -> None:
    """Rewrite the tables' files, as the migrator, so that removed data cannot be read from the disk."""
    _scrub(_required(MIGRATOR_URL), None)


def run_as_eraser(work: Callable[[Eraser], Awaitable[T]]) -> T:
    """Run `work` with the eraser's login, keys and ledger from the environment."""
    dsn, keys, ledger = (_required(name) for name in (ERASER_URL, KEYS, LEDGER))
    return asyncio.run(_with_eraser(dsn, Path(keys), Path(ledger), work))


async def replay_at_start(dsn: str, keys: Path, ledger: Path) -> list[RecordedErasure]:
    """Repeat the erasures in the ledger before the server starts.

    If this fails, a line on standard error says why, and the registry starts but is not ready.
    """
    try:
        return await _with_eraser(dsn, keys, ledger, operations.repeat_erasures)
    except RegistryError as error:
        say(f"erasures could not be repeated: {error}")
        return []


async def _with_eraser(dsn: str, keys: Path, ledger: Path, work: Callable[[Eraser], Awaitable[T]]) -> T:
    async with opened_eraser(dsn, keys, ledger) as eraser:
        return await work(eraser)


def _required(name: str) -> str:
    if not os.environ.get(name):
        raise CannotServe(f"set {name}")
    return os.environ[name]


def named(partner: str | None, reference_file: Path | None, consent: str | None) -> ByReference | ByConsent:
    """The person that the operator's options name. A reference is read from a file or standard input."""
    if (partner is None) == (consent is None):
        raise CannotServe("name the person either by --partner and its reference or by --consent")
    if partner is None:
        return ByConsent(consent or "")
    return ByReference(partner, read_reference(reference_file))


def _scrub_after(partitions: list[str], *, later: bool) -> None:
    dsn = os.environ.get(MIGRATOR_URL)
    if later or not dsn:
        print("the erased bytes are still in the tables' files: run `consent-registry erasure scrub` as the migrator")
    else:
        _scrub(dsn, partitions)


def _scrub(dsn: str, partitions: list[str] | None) -> None:
    thorough = asyncio.run(rewrite_tables(dsn, partitions))
    print("the tables' files were rewritten")
    if not thorough:
        print("as the database's owner run: vacuum (full) pg_catalog.pg_statistic")


def _lines(shown: ErasurePreview) -> list[str]:
    rows = [f"  {number:8}  {table}" for table, number in shown.rows.items()]
    events = [f"  {number:8}  events of kind {kind}" for kind, number in shown.events.items()]
    asked = [f"  {shown.questions:8}  events from before this person was registered"] if shown.questions else []
    proofs = (
        f"{shown.proofs} consents are within their period as proof, until {shown.proofs_until}: where claims are to be"
    )
    claims = [f"{proofs} expected place a hold instead ({HOLD_NORMS['legal_claims']})"] if shown.proofs else []
    held = [f"A legal hold prevents it: {norm}" for norm in shown.held]
    return [
        f"Erasing this person in {shown.network} permanently removes ({shown.clients} client numbers):",
        *rows,
        *events,
        *asked,
        f"Partners that take part: {', '.join(shown.partners) or 'none'}",
        "It does not remove (a data-protection officer must confirm the norms):",
        *(f"  {kept.what} ({kept.norm})" for kept in shown.stays),
        *claims,
        *held,
        f"Grounds: {', '.join(f'{code} ({norm})' for code, norm in GROUNDS.items())}",
        f"To do it: consent-registry erasure perform {shown.network} … --ground CODE --confirm {shown.digest}",
    ]
