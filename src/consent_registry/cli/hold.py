"""`consent-registry hold`: place, lift and list legal holds, with the application's login."""

from typing import Annotated

from cyclopts import App, Parameter

from consent_registry.cli.erasure import ConsentOption, PartnerOption, ReferenceFile, named
from consent_registry.cli.installation import run_on_installation
from consent_registry.domain.catalogue import Network
from consent_registry.domain.erasures import HOLD_NORMS
from consent_registry.domain.errors import NotFound
from consent_registry.operations.erasure import holds as operations
from consent_registry.operations.runtime.context import Runtime

hold = App(name="hold", help="Legal holds, which prevent erasure and retention: place, lift, list.")

Staff = Annotated[str, Parameter(help="The acting person as a staff reference: letters, digits, hyphens.")]


@hold.command
def place(
    network: str,
    *,
    norm: str,
    staff: Staff,
    partner: PartnerOption = None,
    reference_file: ReferenceFile = None,
    consent: ConsentOption = None,
) -> None:
    """Keep all data of a person until the hold is lifted, and print the hold's id.

    Parameters
    ----------
    norm
        legal_claims (Art. 17 Abs. 3 lit. e), legal_duty (lit. b) or restriction (Art. 18 Abs. 1 lit. c DSGVO).
    """
    target = named(partner, reference_file, consent)

    async def work(runtime: Runtime) -> str:
        known = await known_network(runtime, network)
        return await operations.place_hold(runtime, known, target, norm=norm, placed_by=staff)

    print(run_on_installation(work))


@hold.command
def lift(network: str, hold_id: str, *, staff: Staff) -> None:
    """End a hold."""

    async def work(runtime: Runtime) -> None:
        await operations.lift_hold(runtime, await known_network(runtime, network), hold_id, lifted_by=staff)

    run_on_installation(work)
    print("lifted")


@hold.command(name="list")
def list_all(network: str) -> None:
    """List a network's holds, including lifted ones, without the persons they concern."""

    async def work(runtime: Runtime) -> list[str]:
        holds = await operations.list_holds(runtime, await known_network(runtime, network))
        return [
            f"{held.hold_id}  {HOLD_NORMS.get(held.norm, held.norm)}  placed {held.recorded_at:%Y-%m-%d} "
            f"by {held.placed_by}" + ("" if held.lifted_at is None else f", lifted {held.lifted_at:%Y-%m-%d}")
            for held in holds
        ]

    print("\n".join(run_on_installation(work)) or "none")


async def known_network(runtime: Runtime, slug: str) -> Network:
    """The network with this slug; raises NotFound."""
    known = await runtime.network(slug)
    if known is None:
        raise NotFound("There is no such network.")
    return known
