"""`consent-registry policy`: show and set a network's policies, with the application's login."""

import sys
from pathlib import Path

import msgspec
from cyclopts import App

from consent_registry.cli.hold import Staff, known_network
from consent_registry.cli.installation import run_on_installation
from consent_registry.domain.flags import Policies, PolicyVersion
from consent_registry.domain.json_bodies import decode
from consent_registry.operations.catalogue import policies as operations
from consent_registry.operations.runtime.context import Runtime

policy = App(name="policy", help="A network's policies, including its quotas: show, set.")


@policy.command
def show(network: str) -> None:
    """Show the policies in force, as JSON for `set`, and their version on standard error."""

    async def work(runtime: Runtime) -> PolicyVersion:
        return await operations.read_policies(runtime, await known_network(runtime, network))

    held = run_on_installation(work)
    print(_version(held), file=sys.stderr)
    print(msgspec.json.format(msgspec.json.encode(_whole(held.policies)), indent=2).decode())


@policy.command(name="set")
def set_all(network: str, file: Path, *, staff: Staff) -> None:
    """Set all of a network's policies to those in FILE. Missing members get the release's defaults.

    Running servers apply them from their next request on. The change is recorded in the log.
    """
    policies = decode(file.read_bytes(), Policies)

    async def work(runtime: Runtime) -> PolicyVersion:
        return await operations.set_policies(runtime, await known_network(runtime, network), policies, set_by=staff)

    print(_version(run_on_installation(work)))


def _version(policies: PolicyVersion) -> str:
    by = "the network's setup" if policies.set_by is None else policies.set_by
    return f"version {policies.version}, set by {by} on {policies.recorded_at:%Y-%m-%d %H:%M} UTC"


def _whole(policies: Policies) -> dict[str, object]:
    """The policies, with the release's defaults for missing quotas."""
    return msgspec.structs.asdict(policies) | {"quotas": msgspec.structs.asdict(policies.quotas)}
