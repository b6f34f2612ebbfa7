"""Renewing an earlier consent by recording a new one (member `renews`): which grants may be renewed."""

from collections.abc import Sequence
from datetime import datetime

from consent_registry.domain.errors import NotFound
from consent_registry.domain.grants import Grant
from consent_registry.domain.law.proposed import ProposedConsent
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.commands import Command
from consent_registry.storage.consents.grants import find_grants_of_clients


async def earlier_grants(
    command: Command, client_ids: Sequence[str], consent: ProposedConsent, now: datetime
) -> list[Grant]:
    """The grants of the consent to be renewed that the caller may see. Empty if the consent renews nothing.

    Raises NotFound for an unknown consent, for another client's, and for one in which the caller has no part; the
    three cannot be distinguished.
    """
    if consent.renews is None:
        return []
    grants = await find_grants_of_clients(command.connection, command.network.network_id, client_ids)
    seen = visible_grants(grants, command.actor.partner_id, now)
    earlier = [grant for grant in seen if grant.consent_id == consent.renews]
    if not earlier:
        raise NotFound
    return earlier
