"""Setting up a network: the whole catalogue in one transaction, then credentials for its partners' systems."""

import hashlib
import secrets
from datetime import datetime

from consent_registry.domain.berlin import day_in_berlin
from consent_registry.domain.catalogue import Network, Partner
from consent_registry.domain.commitments import Committed
from consent_registry.domain.errors import Fault, Refused
from consent_registry.domain.events.partners import CredentialEvent
from consent_registry.domain.flags import PolicyVersion
from consent_registry.domain.law.rules.all_rules import network_refusal, refusal
from consent_registry.operations.access.tokens import ADMINISTRATION_SCOPES, HOLDER_SCOPES, Holder, secret_mac
from consent_registry.operations.catalogue.network_event import setup_event
from consent_registry.operations.catalogue.network_plan import NetworkPlan, plan_faults, text_faults
from consent_registry.operations.runtime.commands import administering, new_id
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.access.credentials import add_credential
from consent_registry.storage.catalogue import network_setup
from consent_registry.storage.catalogue.catalogue import add_version
from consent_registry.storage.catalogue.networks import add_network
from consent_registry.storage.catalogue.policies import add_policies


async def establish_network(runtime: Runtime, plan: NetworkPlan) -> None:
    """Set up a network in one transaction. Its first event holds the catalogue. Raises Refused with every fault."""
    if faults := list(plan_faults(plan)):
        raise Refused("This network's document breaks a rule.", faults=tuple(faults))
    network_id = plan.network.network_id
    if plan.network.log_origin in {network.log_origin for network in await runtime.networks()}:
        taken = network_refusal("/log_origin", "The log's origin is another network's.", "log_origin")
        raise Refused("This network's document breaks a rule.", faults=(taken,))
    async with administering(runtime, plan.network, exclusive=True) as command:
        connection, now = command.connection, await command.now()
        today = day_in_berlin(now)
        if faults := list(text_faults(plan, today)):
            raise Refused("This network's document breaks a rule.", faults=tuple(faults))
        await add_network(connection, plan.network, demonstration=plan.demonstration, at=now)
        await add_policies(connection, network_id, PolicyVersion(1, plan.policies, None, now))
        await network_setup.add_partners(connection, network_id, plan.partners, now)
        await network_setup.add_categories(connection, network_id, plan.categories)
        await network_setup.add_purposes(connection, network_id, plan.purposes)
        agreement_ids = {agreement.version: new_id(now) for agreement in plan.agreements}
        for agreement in plan.agreements:
            validity = (agreement.valid_from, agreement.valid_until)
            agreement_id = agreement_ids[agreement.version]
            await network_setup.add_agreement(
                connection, network_id, agreement_id, agreement.version, validity, agreement.flows, now
            )
        text_ids = {text.version: plan.text_ids.get(text.version) or new_id(now) for text in plan.texts}
        for text in plan.texts:
            since = text.in_use_since or today
            await network_setup.add_text(connection, network_id, text_ids[text.version], text, since, now)
        await add_version(connection, network_id, now)
        await command.append(setup_event(new_id(now), plan, agreement_ids, text_ids, today))


async def issue_credential(
    runtime: Runtime, network: Network, partner: Partner | None, holder: Holder = "partner_system"
) -> tuple[str, str]:
    """Issue a client id and a generated secret (256 bits) for a partner, or for the network's administration (None).

    The secret is returned once and stored only as a keyed hash. `holder` says who at the partner gets it. Raises
    Refused for a coordinating post at a partner without one, and for a DPO without a partner (Art. 37 Abs. 1 DSGVO).
    """
    slug = "admin" if partner is None else partner.slug
    client_id = f"{network.slug}.{slug}.{secrets.token_hex(4)}"
    client_secret = secrets.token_urlsafe(32)
    partner_id = None if partner is None else partner.partner_id
    scopes = ADMINISTRATION_SCOPES if partner is None else HOLDER_SCOPES[holder]
    async with administering(runtime, network, exclusive=True) as command:
        now = await command.now()
        if fault := _holder_fault(partner, holder, now):
            raise Refused(fault.detail, faults=(fault,))
        mac = secret_mac(runtime.keys, client_id, client_secret)
        await add_credential(command.connection, network.network_id, client_id, partner_id, scopes, mac, now)
        await add_version(command.connection, network.network_id, now)
        event = CredentialEvent(
            id=new_id(now),
            client_id=client_id,
            partner=None if partner is None else partner.slug,
            scopes=list(scopes),
            secret_key=mac[0],
            secret_commitment=Committed("secret", hashlib.sha256(mac[1]).digest()),
        )
        await command.append(event)
    return client_id, client_secret


def _holder_fault(partner: Partner | None, holder: Holder, now: datetime) -> Fault | None:
    if holder == "coordinating_post" and (partner is None or not partner.coordinating_post):
        detail = "This partner has no coordinating post."
        return refusal("/partner", detail, "coordinating_post", now, None if partner is None else partner.regime)
    if holder == "dpo" and partner is None:
        detail = "A DPO is one partner's: nobody sees all partners' events."
        return network_refusal("/partner", detail, "dpo_of_partner")
    return None
