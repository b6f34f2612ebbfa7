"""`consent-registry credential`: issue a client id and secret for a partner's system, coordinating post or DPO."""

from consent_registry.cli.installation import run_on_installation
from consent_registry.operations.access.tokens import Holder
from consent_registry.operations.catalogue.network_setup import issue_credential
from consent_registry.operations.runtime.context import Runtime
from consent_registry.process.data_folder import CannotServe


def credential(network_slug: str, partner: str | None = None, *, dpo: bool = False, coordinating: bool = False) -> None:
    """Issue a client id and secret for a partner's system, or for the network's administration. It is shown once.

    Parameters
    ----------
    network_slug
        The network.
    partner
        The partner. Without a partner the credential is for the network's administration.
    dpo
        For the partner's data-protection officer: it allows only searches over that partner's events in the log.
    coordinating
        For the partner's coordinating post: it allows access to the catalogue, but to no client.
    """
    if dpo and coordinating:
        raise CannotServe("a credential is for a DPO or for a coordinating post, not for both")
    holder: Holder = "dpo" if dpo else "coordinating_post" if coordinating else "partner_system"

    async def work(runtime: Runtime) -> tuple[str, str]:
        known = await runtime.network(network_slug)
        if known is None:
            raise CannotServe(f"there is no network {network_slug}")
        partners = (await runtime.picture(known)).partners
        if partner is not None and partner not in partners:
            raise CannotServe(f"{partner} is not a partner of {network_slug}")
        return await issue_credential(runtime, known, None if partner is None else partners[partner], holder)

    client_id, client_secret = run_on_installation(work)
    print(f"client_id      {client_id}\nclient_secret  {client_secret}")
