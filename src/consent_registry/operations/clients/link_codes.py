"""Issuing link codes: a client takes one from a partner that knows it to another partner.

There is no search by name or date of birth, and no identifier that two partners share. So only the client can link its
references.
"""

import secrets
from datetime import timedelta

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Committed, commit_to
from consent_registry.domain.errors import Fault, Malformed, NotFound, Refused
from consent_registry.domain.events.clients import LinkCodeEvent
from consent_registry.domain.identifiers import make_code
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.rules.all_rules import refusal
from consent_registry.operations.clients.clients import locked_client, require_reference
from consent_registry.operations.clients.links import link_code_digests
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import Reference, Slug
from consent_registry.storage.clients.link_codes import LinkCodeRow, add_link_code

LIFETIME = timedelta(days=7)


class LinkCodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The client that the code is about, and the only partner that may redeem it; without `partner` any partner may."""

    client: Reference
    partner: Slug | UnsetType = UNSET


class LinkCodeAnswer(msgspec.Struct, frozen=True):
    """The link code, which is shown once, and the instant until which it can be redeemed."""

    link_code: str
    expires_at: AnsweredInstant


LINK_CODE = StoredShape("link_code", 1, LinkCodeAnswer)


async def issue_link_code(
    runtime: Runtime, actor: Actor, request: LinkCodeRequest, idempotency_key: IdempotencyKey
) -> CommandResult[LinkCodeAnswer]:
    """Issue a link code for a client of the caller: one use, seven days. Raises NotFound for an unknown client."""
    require_reference(request.client, "/client")

    async def work(command: Command) -> WorkResult[LinkCodeAnswer]:
        for_partner_id = await _redeemer(command, request)
        known = await locked_client(command, request.client)
        if known is None:
            raise NotFound
        now = await command.now()
        code = make_code(secrets.token_bytes(8))
        row = LinkCodeRow(new_id(now), known.client_id, actor.partner_id, for_partner_id, now + LIFETIME, now)
        digest = (command.keys.digest_key_id, link_code_digests(command, code)[0])
        await add_link_code(command.connection, command.network.network_id, digest, row)
        expires_at = format_instant(row.expires_at)
        event = LinkCodeEvent(
            id=row.link_code_id,
            client=known.client_id,
            reference_commitment=commit_to(request.client),
            expires_at=expires_at,
            partner=None if request.partner is UNSET else request.partner,
            digest_key=digest[0],
            digest_commitment=Committed("link_code", digest[1]),
        )
        await command.append(event)
        return WorkResult(LinkCodeAnswer(code, expires_at), client_ids=(known.client_id,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=LINK_CODE, constant_time=CONSTANT_TIME
    )


async def _redeemer(command: Command, request: LinkCodeRequest) -> int | None:
    if isinstance(request.partner, UnsetType):
        return None
    partner = command.catalogue.partners.get(request.partner)
    if partner is None:
        raise Malformed(faults=(Fault("/partner", f"{request.partner!r} is no partner of this network"),))
    if partner.partner_id == command.actor.partner_id:
        raise Malformed(faults=(Fault("/partner", "must be another partner than the caller"),))
    if not partner.selectable:
        detail = "This partner cannot be chosen."
        fault = refusal("/partner", detail, "partner_selectable", await command.now(), command.regime)
        raise Refused(faults=(fault,))
    return partner.partner_id
