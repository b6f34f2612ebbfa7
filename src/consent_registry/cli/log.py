"""`consent-registry log`: the log as files."""

from pathlib import Path

from cyclopts import App

from consent_registry.cli.installation import run_on_installation
from consent_registry.domain.errors import NotFound
from consent_registry.operations.log.export import export_log
from consent_registry.operations.running.context import Runtime

log = App(name="log", help="The log as files for web servers and auditors.")


@log.command
def export(folder: Path, *, network: str) -> None:
    """Write checkpoint, tiles and entries of a log below a folder, as any web server can serve them.

    Run again, it adds what is new; the checkpoint comes last. Reads the same settings as `serve`.

    Parameters
    ----------
    folder
        Where the files are, or are to be; what it holds is only ever added to.
    network
        The network's slug.
    """

    async def work(runtime: Runtime) -> int:
        found = await runtime.network(network)
        if found is None:
            raise NotFound(f"there is no network {network}")
        return await export_log(runtime, found, folder)

    print(f"{folder} holds the log of {network} at size {run_on_installation(work)}")
