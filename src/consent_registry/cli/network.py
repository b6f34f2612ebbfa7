"""`consent-registry network`: set up a real network from its document."""

from pathlib import Path

from consent_registry.cli.data_folder import CannotServe
from consent_registry.cli.demonstration.plans import read_plan
from consent_registry.cli.installation import run_on_installation
from consent_registry.operations.networks import establish_network
from consent_registry.operations.runtime import Runtime


def network(folder: Path, slug: str, *, log_origin: str) -> None:
    """Set up the network that FOLDER/networks/SLUG.json describes: partners, catalogue, agreement, texts.

    Parameters
    ----------
    folder
        A folder like src/consent_registry/cli/demonstration: networks/, the catalogue they name, and the texts.
    slug
        The network's slug.
    log_origin
        The name of its log for ever, a URL without scheme, for example registry.example/paderborn.
    """

    async def work(runtime: Runtime) -> None:
        if await runtime.network(slug) is not None:
            raise CannotServe(f"network {slug} is set up already")
        number = max((one.network_id for one in await runtime.networks()), default=0) + 1
        await establish_network(runtime, read_plan(folder, number, slug, log_origin, demonstration=False))

    run_on_installation(work)
    print(f"{slug} is set up; its log is {log_origin}")
