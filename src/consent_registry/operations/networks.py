"""Setting up a network: its catalogue in one act, then credentials for its partners' systems."""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Category, Flow, Network, Partner, Purpose, advice_offices
from consent_registry.domain.errors import Fault, Refused
from consent_registry.domain.events import Event
from consent_registry.domain.flags import ATTENDANCE, NOT_A_PURPOSE, Policies
from consent_registry.operations.acts import new_id
from consent_registry.operations.runtime import ADMINISTRATION, Runtime
from consent_registry.operations.tokens import (
    ADMINISTRATION_SCOPES,
    HOLDER_SCOPES,
    Holder,
    secret_mac,
)
from consent_registry.storage import log, setup
from consent_registry.storage.catalogue import add_version, lock_catalogue
from consent_registry.storage.credentials import add_credential
from consent_registry.storage.database import transaction
from consent_registry.storage.grants import read_clock
from consent_registry.storage.networks import add_network

_ACTOR = (ADMINISTRATION, "administration")
SECRECY_NORM = "§ 203 StGB, § 65 SGB VIII"


class AgreementPlan(msgspec.Struct, frozen=True):
    """A version of the agreement to be adopted; the flows' own `agreement` is filled in."""

    version: str
    valid_from: datetime | None
    valid_until: datetime | None
    flows: Sequence[Flow]


class NetworkPlan(msgspec.Struct, frozen=True):
    """Everything a new network begins with. Texts: version → language → exact bytes, German among them."""

    network: Network
    policies: Policies
    partners: Sequence[Partner]
    categories: Sequence[Category]
    purposes: Sequence[Purpose]
    agreements: Sequence[AgreementPlan]
    texts: Mapping[str, Mapping[str, bytes]]
    demonstration: bool = False


async def establish_network(runtime: Runtime, plan: NetworkPlan) -> None:
    """Set up a network, all of it or nothing; its first log entry says so. Raises Refused with every fault."""
    if faults := list(plan_faults(plan)):
        raise Refused("This network's document breaks a rule.", faults=tuple(faults))
    network_id = plan.network.network_id
    async with transaction(runtime.pool, network_id, [ADMINISTRATION]) as connection:
        await lock_catalogue(connection, network_id, exclusive=True)
        now = await read_clock(connection)
        await add_network(connection, plan.network, plan.policies, demonstration=plan.demonstration, at=now)
        await setup.add_partners(connection, network_id, plan.partners, now)
        await setup.add_categories(connection, network_id, plan.categories)
        await setup.add_purposes(connection, network_id, plan.purposes)
        for agreement in plan.agreements:
            validity = (agreement.valid_from, agreement.valid_until)
            await setup.add_agreement(
                connection, network_id, new_id(now), agreement.version, validity, agreement.flows, now
            )
        for version, languages in plan.texts.items():
            await setup.add_text(connection, network_id, new_id(now), version, languages, now)
        await add_version(connection, network_id, now)
        members = {
            "partners": [one.slug for one in plan.partners],
            "agreements": [one.version for one in plan.agreements],
            "texts": list(plan.texts),
        }
        await log.append(connection, plan.network, _ACTOR, now, [Event("catalogue", new_id(now), members)])


def plan_faults(plan: NetworkPlan) -> Iterator[Fault]:
    """What a plan lists although its own flags forbid it, with its place in the document."""
    categories = {one.category_id: one for one in plan.categories}
    purposes = {one.purpose_id: one for one in plan.purposes}
    for number, purpose in enumerate(plan.purposes):
        if purpose.slug in NOT_A_PURPOSE:
            detail = f"{purpose.slug!r} is no purpose that a client could agree to."
            yield Fault(f"/purposes/{number}/slug", detail, "not_a_purpose", "Art. 5 Abs. 1 lit. b DSGVO")
        for slug in _never_shared(purpose.category_ids, categories):
            yield Fault(f"/purposes/{number}/categories", f"{slug!r} is never shared.", "never_shared", SECRECY_NORM)
    offices = advice_offices((flow for one in plan.agreements for flow in one.flows), purposes, categories)
    for at, agreement in enumerate(plan.agreements):
        for number, flow in enumerate(agreement.flows):
            pointer = f"/agreements/{at}/flows/{number}/categories"
            for slug in _never_shared(flow.category_ids, categories):
                yield Fault(pointer, f"{slug!r} is never shared.", "never_shared", SECRECY_NORM)
            if flow.sender_id in offices.get(flow.purpose_id, ()):
                for slug in sorted(categories[one].slug for one in flow.category_ids):
                    if slug not in ATTENDANCE:
                        detail = f"{slug!r} is more than attendance, and the sender advises for this purpose."
                        yield Fault(pointer, detail, "attendance_only", "Art. 5 Abs. 1 lit. c DSGVO")


def _never_shared(category_ids: Iterable[int], categories: Mapping[int, Category]) -> list[str]:
    chosen = (categories[one] for one in sorted(category_ids))
    return [one.slug for one in chosen if one.flags.default == "not_shareable"]


async def issue_credential(
    runtime: Runtime, network: Network, partner: Partner | None, holder: Holder = "partner_system"
) -> tuple[str, str]:
    """A new client id and machine-made secret (256 bits) for a partner, or for the network's administration (None).

    The secret is returned this once and kept as a keyed hash only. `holder` is who of the partner gets it; raises
    Refused for the coordinating post where the partner has none, and for a DPO of nobody: each controller has its own.
    """
    if fault := _holder_fault(partner, holder):
        raise Refused(fault.detail, faults=(fault,))
    slug = "admin" if partner is None else partner.slug
    client_id = f"{network.slug}.{slug}.{secrets.token_hex(4)}"
    client_secret = secrets.token_urlsafe(32)
    partner_id = None if partner is None else partner.partner_id
    scopes = ADMINISTRATION_SCOPES if partner is None else HOLDER_SCOPES[holder]
    async with transaction(runtime.pool, network.network_id, [ADMINISTRATION]) as connection:
        await lock_catalogue(connection, network.network_id, exclusive=True)
        now = await read_clock(connection)
        mac = secret_mac(runtime.keys, client_id, client_secret)
        await add_credential(connection, network.network_id, client_id, partner_id, scopes, mac, now)
        await add_version(connection, network.network_id, now)
        members = {"client_id": client_id, "partner": None if partner is None else partner.slug, "scopes": scopes}
        await log.append(connection, network, _ACTOR, now, [Event("credential", new_id(now), members)])
    return client_id, client_secret


def _holder_fault(partner: Partner | None, holder: Holder) -> Fault | None:
    if holder == "coordinating_post" and (partner is None or not partner.coordinating_post):
        detail = "This partner has no coordinating post."
        return Fault("/partner", detail, "coordinating_post", "Art. 5 Abs. 1 lit. c DSGVO")
    if holder == "dpo" and partner is None:
        detail = "A DPO is one partner's: nobody sees all partners' events."
        return Fault("/partner", detail, "dpo_of_partner", "Art. 37 Abs. 1 DSGVO")
    return None
