"""`consent-registry log`: export the log as files."""

from pathlib import Path

from cyclopts import App

from consent_registry.cli.installation import run_on_installation
from consent_registry.domain.errors import NotFound
from consent_registry.operations.log.export import export_log
from consent_registry.operations.runtime.context import Runtime

log = App(name="log", help="The log as files for web servers and auditors.")


@log.command
def export(folder: Path, *, network: str) -> None:
    """Write checkpoint, tiles and entries of a log to a folder, so that any web server can serve them.

    Each further run adds the new files, and the checkpoint last. It reads the same settings as `serve`.

    Parameters
    ----------
    folder
        The folder of the files. Existing tiles and entries in it never change.
    network
        The network's slug.
    """

    async def work(runtime: Runtime) -> int:
        found = await runtime.network(network)
        if found is None:
            raise NotFound(f"there is no network {network}")
        return await export_log(runtime, found, folder)

    print(f"{folder} holds the log of {network} at size {run_on_installation(work)}")
