"""What a network's administration does: suspend a partner, reinstate it, revoke a secret. Each holds the catalogue
alone, so that the log never reads "partner suspended, permit".
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from consent_registry.domain.catalogue import Partner
from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound
from consent_registry.domain.events import Event
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.commands import Act, Done, Once, Performed, Shape, new_id, perform
from consent_registry.operations.context import Caller, Runtime
from consent_registry.operations.wire_members import LogEntry, Slug
from consent_registry.storage.access.credentials import revoke_credential
from consent_registry.storage.catalogue.catalogue import add_version
from consent_registry.storage.catalogue.suspensions import add_reinstatement, add_suspension, open_suspension


class SuspensionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The partner to suspend or to reinstate."""

    partner: Slug


class SuspensionAnswer(msgspec.Struct, frozen=True):
    """A suspension or reinstatement on record."""

    id: str
    partner: str
    recorded_at: AnsweredInstant
    log: LogEntry


class RevocationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The client id whose secret is revoked, for good."""

    client_id: Annotated[str, Meta(min_length=1, max_length=200)]


class RevocationAnswer(msgspec.Struct, frozen=True):
    """A revocation on record."""

    id: str
    client_id: str
    recorded_at: AnsweredInstant
    log: LogEntry


SUSPENSION = Shape("suspension", 1, SuspensionAnswer)


async def suspend_partner(
    runtime: Runtime, caller: Caller, request: SuspensionRequest, once: Once
) -> Performed[SuspensionAnswer]:
    """Suspend a partner: at its next request it is nobody, and nothing may be sent to it."""

    async def work(act: Act) -> Done[SuspensionAnswer]:
        partner = _partner(act, request.partner)
        if partner.suspended:
            raise Conflict("This partner is suspended already.")
        now = await act.now()
        suspension_id = new_id(now)
        await add_suspension(act.connection, act.network.network_id, suspension_id, partner.partner_id, now)
        await add_version(act.connection, act.network.network_id, now)
        place = (await act.append(now, Event("suspension", suspension_id, {"partner": partner.slug})))[0]
        return Done(SuspensionAnswer(suspension_id, partner.slug, format_instant(now), LogEntry.of(place)))

    return await perform(runtime, caller, work, keeping=SUSPENSION.by(once), exclusive=True)


REINSTATEMENT = Shape("reinstatement", 1, SuspensionAnswer)


async def reinstate_partner(
    runtime: Runtime, caller: Caller, request: SuspensionRequest, once: Once
) -> Performed[SuspensionAnswer]:
    """End a partner's suspension."""

    async def work(act: Act) -> Done[SuspensionAnswer]:
        partner = _partner(act, request.partner)
        suspension_id = await open_suspension(act.connection, act.network.network_id, partner.partner_id)
        if suspension_id is None:
            raise Conflict("This partner is not suspended.")
        now = await act.now()
        reinstatement_id = new_id(now)
        await add_reinstatement(act.connection, act.network.network_id, reinstatement_id, suspension_id, now)
        await add_version(act.connection, act.network.network_id, now)
        members = {"partner": partner.slug, "suspension": suspension_id}
        place = (await act.append(now, Event("reinstatement", reinstatement_id, members)))[0]
        return Done(SuspensionAnswer(reinstatement_id, partner.slug, format_instant(now), LogEntry.of(place)))

    return await perform(runtime, caller, work, keeping=REINSTATEMENT.by(once), exclusive=True)


CREDENTIAL_REVOCATION = Shape("credential_revocation", 1, RevocationAnswer)


async def revoke_secret(
    runtime: Runtime, caller: Caller, request: RevocationRequest, once: Once
) -> Performed[RevocationAnswer]:
    """Revoke a client's secret: tokens issued for it end at their next use."""

    async def work(act: Act) -> Done[RevocationAnswer]:
        if request.client_id not in act.catalogue.credentials:
            raise NotFound
        if act.catalogue.credentials[request.client_id].revoked:
            raise Conflict("This secret is revoked already.")
        now = await act.now()
        await revoke_credential(act.connection, act.network.network_id, request.client_id, now)
        await add_version(act.connection, act.network.network_id, now)
        revocation_id = new_id(now)
        members = {"client_id": request.client_id}
        place = (await act.append(now, Event("credential_revocation", revocation_id, members)))[0]
        return Done(RevocationAnswer(revocation_id, request.client_id, format_instant(now), LogEntry.of(place)))

    return await perform(runtime, caller, work, keeping=CREDENTIAL_REVOCATION.by(once), exclusive=True)


def _partner(act: Act, slug: str) -> Partner:
    if slug not in act.catalogue.partners:
        raise Malformed(faults=(Fault("/partner", f"{slug!r} is no partner of this network"),))
    return act.catalogue.partners[slug]
