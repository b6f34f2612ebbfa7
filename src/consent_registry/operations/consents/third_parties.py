"""Data about others than the client: whose consent they need, and where it is on record (docs/design/cases.md, case 7).

The registry knows no persons' relations. Who records says whether such data are in a grant and whether those others
agreed; their own consents to the same flow, which must be on record here, are what the grant then depends on.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import Fault
from consent_registry.domain.grants import Grant, permitted_categories
from consent_registry.operations.consents.resolve import Terms
from consent_registry.operations.consents.schemas import ConsentRequest, GrantRequest
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.running.commands import Command
from consent_registry.storage.consents.consents import find_consent
from consent_registry.storage.consents.grants import find_grants_of_consents

NORM = "Art. 6 Abs. 1 lit. a DSGVO"


class Others(msgspec.Struct, frozen=True):
    """The other persons' grants that one grant depends on, or what is wrong with what was said about them."""

    grant_ids: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


async def find_others(
    command: Command, request: ConsentRequest, terms: Sequence[Terms], client_ids: Sequence[str], now: datetime
) -> list[Others]:
    """For each grant of the request what it depends on; `client_ids` are all numbers of the client itself."""
    return [
        await _others(command, grant, one, client_ids, f"/grants/{number}", now)
        for number, (grant, one) in enumerate(zip(request.grants, terms, strict=True))
    ]


async def _others(
    command: Command, grant: GrantRequest, one: Terms, client_ids: Sequence[str], pointer: str, now: datetime
) -> Others:
    consented = grant.third_parties == "consented"
    if grant.third_parties is not None and one.third_parties is None:
        fault = Fault(f"{pointer}/third_parties", "None of these categories is about others.", "third_parties", NORM)
        return Others(faults=(fault,))
    if bool(grant.third_party_consents) is not consented:
        detail = "Name the others' own consents exactly when they agreed."
        return Others(faults=(Fault(f"{pointer}/third_party_consents", detail, "third_parties", NORM),))
    found: list[str] = []
    faults = []
    for number, consent_id in enumerate(grant.third_party_consents):
        own = await _grants_that_fit(command, consent_id, one, client_ids, now)
        found += own
        if not own:
            faults.append(
                Fault(
                    f"{pointer}/third_party_consents/{number}",
                    "There is no given consent of another person to the same flow and data that you may see.",
                    "third_parties",
                    NORM,
                )
            )
    return Others(tuple(found), tuple(faults))


async def _grants_that_fit(
    command: Command, consent_id: str, one: Terms, client_ids: Sequence[str], now: datetime
) -> list[str]:
    """Another client's grants in this consent for the same flow, live, with all that is about others."""
    network_id = command.network.network_id
    consent = await find_consent(command.connection, network_id, consent_id)
    if consent is None or consent.client_id in client_ids:
        return []
    grants = await find_grants_of_consents(command.connection, network_id, [consent_id])
    needed = {category.category_id for category in one.categories if category.flags.third_party_data}
    return [
        grant.grant_id
        for grant in visible_grants(grants, command.actor.partner_id, now)
        if _is_same_flow(grant, one) and needed <= permitted_categories(grant, now)
    ]


def _is_same_flow(grant: Grant, one: Terms) -> bool:
    return (grant.sender_id, grant.recipient_id, grant.purpose_id) == (
        one.sender.partner_id,
        one.recipient.partner_id,
        one.purpose.purpose_id,
    )
