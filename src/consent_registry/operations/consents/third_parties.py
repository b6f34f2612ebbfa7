"""Data about third parties: which consents of other persons a grant depends on (docs/design/cases.md, case 7).

The registry does not store how persons are related. The recording partner states whether a grant covers such data and
whether the third parties agreed. If they agreed, the request names their own consents to the same flow, recorded here,
and the new grant depends on these.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import Fault
from consent_registry.domain.grants import permitted_categories
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.commands import Command
from consent_registry.storage.consents.consents import find_consent
from consent_registry.storage.consents.grants import find_grants_of_consents


class ThirdPartyGrants(msgspec.Struct, frozen=True):
    """The grants of other persons on which a grant depends, or the faults of what the request names for them."""

    grant_ids: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


async def find_third_party_grants(
    command: Command, consent: ProposedConsent, client_ids: Sequence[str], now: datetime
) -> list[ThirdPartyGrants]:
    """Find, for each proposed grant, the grants of other persons on which it depends. `client_ids` are all client
    numbers of the client.
    """
    return [
        await _third_party_grants(command, grant, client_ids, f"/grants/{number}", now)
        for number, grant in enumerate(consent.grants)
    ]


async def _third_party_grants(
    command: Command, grant: ProposedGrant, client_ids: Sequence[str], pointer: str, now: datetime
) -> ThirdPartyGrants:
    consented = grant.stated_third_parties == "consented"
    if grant.stated_third_parties is not None and grant.third_parties is None:
        fault = Fault(f"{pointer}/third_parties", "None of these categories is about others.", "third_parties")
        return ThirdPartyGrants(faults=(fault,))
    if bool(grant.third_party_consents) is not consented:
        detail = "Name the others' own consents exactly when they agreed."
        return ThirdPartyGrants(faults=(Fault(f"{pointer}/third_party_consents", detail, "third_parties"),))
    found: list[str] = []
    faults = []
    for number, consent_id in enumerate(grant.third_party_consents):
        own = await _grants_that_fit(command, consent_id, grant, client_ids, now)
        found += own
        if not own:
            faults.append(
                Fault(
                    f"{pointer}/third_party_consents/{number}",
                    "There is no given consent of another person to the same flow and data that you may see.",
                    "third_parties",
                )
            )
    return ThirdPartyGrants(tuple(found), tuple(faults))


async def _grants_that_fit(
    command: Command, consent_id: str, wanted: ProposedGrant, client_ids: Sequence[str], now: datetime
) -> list[str]:
    """The grants of another client's consent that fit: same flow, live, covering every category about third parties."""
    network_id = command.network.network_id
    consent = await find_consent(command.connection, network_id, consent_id)
    if consent is None or consent.client_id in client_ids:
        return []
    grants = await find_grants_of_consents(command.connection, network_id, [consent_id])
    needed = {category.category_id for category in wanted.categories if category.flags.third_party_data}
    return [
        grant.grant_id
        for grant in visible_grants(grants, command.actor.partner_id, now)
        if grant.flow == wanted.flow and needed <= permitted_categories(grant, now)
    ]
