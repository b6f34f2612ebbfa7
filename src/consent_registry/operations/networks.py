"""Setting up a network: its catalogue in one act, then credentials for its partners' systems."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from consent_registry.domain.catalogue import Category, Flow, Network, Partner, Purpose
from consent_registry.domain.events import Event
from consent_registry.operations.acts import new_id
from consent_registry.operations.runtime import ADMINISTRATION, Runtime
from consent_registry.operations.tokens import ADMINISTRATION_SCOPES, PARTNER_SCOPES, secret_mac
from consent_registry.storage import log, setup
from consent_registry.storage.catalogue import add_version, lock_catalogue
from consent_registry.storage.credentials import add_credential
from consent_registry.storage.database import transaction
from consent_registry.storage.grants import read_clock
from consent_registry.storage.networks import add_network

_ACTOR = (ADMINISTRATION, "administration")


class AgreementPlan(msgspec.Struct, frozen=True):
    """A version of the agreement to be adopted; the flows' own `agreement` is filled in."""

    version: str
    valid_from: datetime | None
    valid_until: datetime | None
    flows: Sequence[Flow]


class NetworkPlan(msgspec.Struct, frozen=True):
    """Everything a new network begins with. Texts: version → language → exact bytes, German among them."""

    network: Network
    policies: Mapping[str, Any]
    partners: Sequence[Partner]
    coordinating: frozenset[str]
    categories: Sequence[Category]
    purposes: Sequence[Purpose]
    agreements: Sequence[AgreementPlan]
    texts: Mapping[str, Mapping[str, bytes]]
    demonstration: bool = False


async def establish_network(runtime: Runtime, plan: NetworkPlan) -> None:
    """Set up a network, all of it or nothing; its first log entry says so."""
    network_id = plan.network.network_id
    async with transaction(runtime.pool, network_id, [ADMINISTRATION]) as connection:
        await lock_catalogue(connection, network_id, exclusive=True)
        now = await read_clock(connection)
        await add_network(connection, plan.network, dict(plan.policies), demonstration=plan.demonstration, at=now)
        await setup.add_partners(connection, network_id, plan.partners, plan.coordinating, now)
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


async def issue_credential(runtime: Runtime, network: Network, partner: Partner | None) -> tuple[str, str]:
    """A new client id and machine-made secret (256 bits) for a partner's system, or for the administration (None).

    The secret is returned this once and kept as a keyed hash only.
    """
    slug = "admin" if partner is None else partner.slug
    client_id = f"{network.slug}.{slug}.{secrets.token_hex(4)}"
    client_secret = secrets.token_urlsafe(32)
    partner_id = None if partner is None else partner.partner_id
    scopes = ADMINISTRATION_SCOPES if partner is None else PARTNER_SCOPES
    async with transaction(runtime.pool, network.network_id, [ADMINISTRATION]) as connection:
        await lock_catalogue(connection, network.network_id, exclusive=True)
        now = await read_clock(connection)
        mac = secret_mac(runtime.keys, client_id, client_secret)
        await add_credential(connection, network.network_id, client_id, partner_id, scopes, mac, now)
        await add_version(connection, network.network_id, now)
        members = {"client_id": client_id, "partner": None if partner is None else partner.slug}
        await log.append(connection, network, _ACTOR, now, [Event("credential", new_id(now), members)])
    return client_id, client_secret
