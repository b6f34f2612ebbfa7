"""`consent-registry retention`: remove data whose period has ended, with the eraser's login, and set the periods."""

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from consent_registry.cli.erasure import PrintJson, run_as_eraser
from consent_registry.cli.hold import known_network
from consent_registry.cli.installation import run_on_installation
from consent_registry.operations.erasure import retention as operations
from consent_registry.operations.erasure.erasures import Eraser, find_network
from consent_registry.operations.runtime.context import Runtime

retention = App(name="retention", help="Remove what is no longer needed as proof: preview, perform, periods.")

Years = Annotated[int | None, Parameter(help="Calendar years after the year in which it ended, 1 to 30.")]


@retention.command
def preview(network: str, *, json: PrintJson = False) -> None:
    """Show what is due in a network, and why. Changes nothing."""

    async def work(eraser: Eraser) -> operations.RetentionPreview:
        return await operations.preview_retention(eraser, await find_network(eraser, network))

    shown = run_as_eraser(work)
    print(msgspec.json.encode(shown).decode() if json else "\n".join(_lines(shown)))


@retention.command
def perform(network: str) -> None:
    """Remove everything that is due in a network. Each step is recorded in the network's log."""

    async def work(eraser: Eraser) -> list[operations.RecordedRetention]:
        return await operations.perform_retention(eraser, await find_network(eraser, network))

    steps = run_as_eraser(work)
    for retained in steps:
        print(f"event {retained.log_index} of the log: {retained.step}, {retained.events} events removed")
    print("nothing more is due")


@retention.command
def periods(network: str, *, use_years: Years = None, consent_years: Years = None) -> None:
    """Show or set a network's periods, with the application's login. A change is recorded in the network's log."""

    async def work(runtime: Runtime) -> tuple[int, int]:
        known = await known_network(runtime, network)
        periods = await operations.read_periods(runtime, known)
        uses = periods.use_years if use_years is None else use_years
        consents = periods.consent_years if consent_years is None else consent_years
        if use_years is not None or consent_years is not None:
            await operations.set_periods(runtime, known, uses, consents)
        return uses, consents

    uses, consents = run_on_installation(work)
    print(f"uses (decisions, transfers, reads): {uses} calendar years after the year in which they happened")
    print(f"consents: {consents} calendar years after the year in which they could last be relied on")


def _lines(shown: operations.RetentionPreview) -> list[str]:
    uses = [f"  {number:8}  events of kind {kind}" for kind, number in shown.uses.items()] or ["         0  events"]
    return [
        f"Due in {shown.network}:",
        f"uses before {shown.uses_before} ({shown.use_years} calendar years):",
        *uses,
        f"consents on which nobody has relied since {shown.consents_before} ({shown.consent_years} calendar years):",
        f"  {shown.consents:8}  consents",
        f"  {shown.events_of_consents:8}  events about them",
        "clients without any remaining data:",
        f"  {shown.clients:8}  clients with their references",
        f"Not removed because of a legal hold: {shown.held} clients (Art. 17 Abs. 3 lit. b, e DSGVO)",
        "Events of the catalogue, erasures and retentions stay, and so does every leaf, tile and checkpoint.",
    ]
