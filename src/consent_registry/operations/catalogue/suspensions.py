"""Suspending and reinstating partners and revoking secrets, by the network's administration.

Each act takes the exclusive lock of the catalogue, so the log never reads "partner suspended, permit".
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from consent_registry.domain.catalogue import Partner, SuspensionReason
from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound
from consent_registry.domain.events.partners import CredentialRevocationEvent, ReinstatementEvent, SuspensionEvent
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry, Slug
from consent_registry.storage.access.credentials import revoke_credential
from consent_registry.storage.catalogue.catalogue import add_version
from consent_registry.storage.catalogue.suspensions import add_reinstatement, add_suspension, open_suspension


class SuspensionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The partner to suspend, and why: unless it is for security, the partner can still record withdrawals."""

    partner: Slug
    reason: SuspensionReason = "security"


class ReinstatementRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The partner to reinstate."""

    partner: Slug


class SuspensionAnswer(msgspec.Struct, frozen=True):
    """The recorded suspension or reinstatement of a partner."""

    id: str
    partner: str
    recorded_at: AnsweredInstant
    log: LogEntry


class RevocationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The client id whose secret is revoked. A revocation cannot be undone."""

    client_id: Annotated[str, Meta(min_length=1, max_length=200)]


class RevocationAnswer(msgspec.Struct, frozen=True):
    """The recorded revocation of a secret."""

    id: str
    client_id: str
    recorded_at: AnsweredInstant
    log: LogEntry


SUSPENSION = StoredShape("suspension", 1, SuspensionAnswer)


async def suspend_partner(
    runtime: Runtime, actor: Actor, request: SuspensionRequest, idempotency_key: IdempotencyKey
) -> CommandResult[SuspensionAnswer]:
    """Suspend a partner. Its next request is refused, and decisions permit nothing to be sent to it. Unless it is for
    security it still gets tokens, with which it can record withdrawals and nothing else.
    """

    async def work(command: Command) -> WorkResult[SuspensionAnswer]:
        partner = _partner(command, request.partner)
        if partner.suspended:
            raise Conflict("This partner is suspended already.")
        now = await command.now()
        suspension_id = new_id(now)
        await add_suspension(
            command.connection, command.network.network_id, suspension_id, partner.partner_id, request.reason, now
        )
        await add_version(command.connection, command.network.network_id, now)
        event = SuspensionEvent(id=suspension_id, partner=partner.slug, reason=request.reason)
        place = (await command.append(event))[0]
        return WorkResult(SuspensionAnswer(suspension_id, partner.slug, format_instant(now), LogEntry.of(place)))

    return await run_command(runtime, actor, work, idempotency_key=idempotency_key, shape=SUSPENSION, exclusive=True)


REINSTATEMENT = StoredShape("reinstatement", 1, SuspensionAnswer)


async def reinstate_partner(
    runtime: Runtime, actor: Actor, request: ReinstatementRequest, idempotency_key: IdempotencyKey
) -> CommandResult[SuspensionAnswer]:
    """End the suspension of a partner."""

    async def work(command: Command) -> WorkResult[SuspensionAnswer]:
        partner = _partner(command, request.partner)
        suspension_id = await open_suspension(command.connection, command.network.network_id, partner.partner_id)
        if suspension_id is None:
            raise Conflict("This partner is not suspended.")
        now = await command.now()
        reinstatement_id = new_id(now)
        await add_reinstatement(command.connection, command.network.network_id, reinstatement_id, suspension_id, now)
        await add_version(command.connection, command.network.network_id, now)
        event = ReinstatementEvent(id=reinstatement_id, partner=partner.slug, suspension=suspension_id)
        place = (await command.append(event))[0]
        return WorkResult(SuspensionAnswer(reinstatement_id, partner.slug, format_instant(now), LogEntry.of(place)))

    return await run_command(runtime, actor, work, idempotency_key=idempotency_key, shape=REINSTATEMENT, exclusive=True)


CREDENTIAL_REVOCATION = StoredShape("credential_revocation", 1, RevocationAnswer)


async def revoke_secret(
    runtime: Runtime, actor: Actor, request: RevocationRequest, idempotency_key: IdempotencyKey
) -> CommandResult[RevocationAnswer]:
    """Revoke the secret of a client id. Access tokens issued for it are refused from now on."""

    async def work(command: Command) -> WorkResult[RevocationAnswer]:
        if request.client_id not in command.catalogue.credentials:
            raise NotFound
        if command.catalogue.credentials[request.client_id].revoked:
            raise Conflict("This secret is revoked already.")
        now = await command.now()
        await revoke_credential(command.connection, command.network.network_id, request.client_id, now)
        await add_version(command.connection, command.network.network_id, now)
        revocation_id = new_id(now)
        event = CredentialRevocationEvent(id=revocation_id, client_id=request.client_id)
        place = (await command.append(event))[0]
        return WorkResult(RevocationAnswer(revocation_id, request.client_id, format_instant(now), LogEntry.of(place)))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=CREDENTIAL_REVOCATION, exclusive=True
    )


def _partner(command: Command, slug: str) -> Partner:
    if slug not in command.catalogue.partners:
        raise Malformed(faults=(Fault("/partner", f"{slug!r} is no partner of this network"),))
    return command.catalogue.partners[slug]
