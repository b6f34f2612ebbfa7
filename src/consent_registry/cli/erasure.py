"""`consent-registry erasure`: erase a person, with the eraser's own login; previewed before it is done."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import App, Parameter

from consent_registry.cli.reference_file import read_reference
from consent_registry.domain.erasures import GROUNDS, HOLD_NORMS
from consent_registry.domain.errors import RegistryError
from consent_registry.operations.erasure import erasures as operations
from consent_registry.operations.erasure.erasures import ByConsent, ByReference, Erased, Eraser, Preview
from consent_registry.operations.erasure.opening import opened_eraser, rewrite_tables
from consent_registry.process.data_folder import CannotServe
from consent_registry.process.standard_streams import say

T = TypeVar("T")
ERASER_URL = "CONSENT_REGISTRY_ERASER_DATABASE_URL"
MIGRATOR_URL = "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL"
LEDGER = "CONSENT_REGISTRY_ERASURE_LEDGER"
KEYS = "CONSENT_REGISTRY_KEYS"

erasure = App(name="erasure", help="Erase a person (Art. 17 DSGVO): preview, perform, replay after a restore, scrub.")

Partner = Annotated[str | None, Parameter(help="The partner whose reference names the person.")]
ReferenceFile = Annotated[
    Path | None, Parameter(help="File with that partner's reference; standard input unless given, never an argument.")
]
Consent = Annotated[str | None, Parameter(help="Instead: a consent the person gave.")]
Json = Annotated[bool, Parameter(help="Print JSON.", negative="")]


@erasure.command
def preview(
    network: str,
    *,
    partner: Partner = None,
    reference_file: ReferenceFile = None,
    consent: Consent = None,
    json: Json = False,
) -> None:
    """Show what erasing a person would remove, what it would leave and on which norm. Changes nothing."""
    target = named(partner, reference_file, consent)

    async def work(eraser: Eraser) -> Preview:
        return await operations.preview_erasure(eraser, await operations.find_network(eraser, network), target)

    shown = run_as_eraser(work)
    print(msgspec.json.encode(shown).decode() if json else "\n".join(_lines(shown)))


@erasure.command
def perform(
    network: str,
    *,
    confirm: str,
    ground: str,
    partner: Partner = None,
    reference_file: ReferenceFile = None,
    consent: Consent = None,
    later: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Erase a person as previewed; it is durable, in the log and in the ledger when this ends.

    Parameters
    ----------
    confirm
        The digest that the preview showed: what is erased is what was previewed.
    ground
        no_longer_needed, consent_withdrawn, objection, unlawful, legal_duty or child (Art. 17 Abs. 1 lit. a to f).
    later
        Leave rewriting the tables' files to `erasure scrub`, at a quieter hour.
    """
    target = named(partner, reference_file, consent)

    async def work(eraser: Eraser) -> Erased:
        known = await operations.find_network(eraser, network)
        return await operations.perform_erasure(eraser, known, target, ground=ground, confirmed=confirm)

    erased = run_as_eraser(work)
    print(f"erased; event {erased.log_index} of the log says that {erased.events} events were removed")
    _scrub_after(erased.partitions, later=later)


@erasure.command
def replay() -> None:
    """Erase again whoever the ledger calls erased and the database still knows: after a backup was restored."""
    erased = run_as_eraser(operations.repeat_erasures)
    for one in erased:
        print(f"{one.network}: erased again; event {one.log_index} of the log, {one.events} events")
    if erased:
        _scrub_after([partition for one in erased for partition in one.partitions], later=False)
    else:
        print("whoever was erased is not in the database")


@erasure.command
def scrub() -> None:
    """Write the tables' files anew, as the migrator, so that nothing of what was removed can be read on the disk."""
    _scrub(_required(MIGRATOR_URL), None)


def run_as_eraser(work: Callable[[Eraser], Awaitable[T]]) -> T:
    """Run `work` with the eraser's login, the keys and the ledger that the environment names."""
    dsn, keys, ledger = (_required(name) for name in (ERASER_URL, KEYS, LEDGER))
    return asyncio.run(_with_eraser(dsn, Path(keys), Path(ledger), work))


async def replay_at_start(dsn: str, keys: Path, ledger: Path) -> list[Erased]:
    """Erase again whoever the ledger calls erased, before anything is served. What refuses is told: the registry then
    starts, and is not ready.
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
    """The person an operator names; the reference comes from a file or standard input."""
    if (partner is None) == (consent is None):
        raise CannotServe("name the person either by --partner and its reference or by --consent")
    if partner is None:
        return ByConsent(consent or "")
    return ByReference(partner, read_reference(reference_file))


def _scrub_after(partitions: list[str], *, later: bool) -> None:
    dsn = os.environ.get(MIGRATOR_URL)
    if later or not dsn:
        print("its bytes are still in the tables' files: run `consent-registry erasure scrub` as the migrator")
    else:
        _scrub(dsn, partitions)


def _scrub(dsn: str, partitions: list[str] | None) -> None:
    thorough = asyncio.run(rewrite_tables(dsn, partitions))
    print("the tables' files were written anew")
    if not thorough:
        print("as the database's owner run: vacuum (full) pg_catalog.pg_statistic")


def _lines(shown: Preview) -> list[str]:
    rows = [f"  {number:8}  {table}" for table, number in shown.rows.items()]
    events = [f"  {number:8}  events of kind {kind}" for kind, number in shown.events.items()]
    asked = [f"  {shown.questions:8}  events from before anybody had registered this person"] if shown.questions else []
    proofs = (
        f"{shown.proofs} consents are within their period as proof, until {shown.proofs_until}: where claims are to be"
    )
    claims = [f"{proofs} expected place a hold instead ({HOLD_NORMS['legal_claims']})"] if shown.proofs else []
    held = [f"A legal hold stands against it: {norm}" for norm in shown.held]
    return [
        f"Erasing this person in {shown.network} removes, for good ({shown.clients} client numbers):",
        *rows,
        *events,
        *asked,
        f"Partners that take part: {', '.join(shown.partners) or 'none'}",
        "It leaves (norms to be confirmed by a data-protection officer):",
        *(f"  {one.what} ({one.norm})" for one in shown.stays),
        *claims,
        *held,
        f"Grounds: {', '.join(f'{code} ({norm})' for code, norm in GROUNDS.items())}",
        f"To do it: consent-registry erasure perform {shown.network} … --ground CODE --confirm {shown.digest}",
    ]
