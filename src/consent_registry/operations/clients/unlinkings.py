"""Unlinking: a partner takes its reference out of the group of references that mean one client.

What was recorded under a reference stays under it. No row is moved, because linking moved none. Permits that rested on
the other references' consents in the meantime become findings.
"""

import msgspec

from consent_registry.domain.commitments import commit_to
from consent_registry.domain.errors import NotFound
from consent_registry.domain.events.clients import UnlinkingEvent
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.clients.clients import locked_client, require_reference
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry, Reference
from consent_registry.storage.clients.links import add_memberships
from consent_registry.storage.clients.unlinkings import UnlinkingRow, add_unlinking, linked_since


class UnlinkingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The caller's reference that is to mean a client of its own again."""

    client: Reference


class UnlinkingAnswer(msgspec.Struct, frozen=True):
    """The recorded unlinking: the reference means a client of its own from now on."""

    unlinking_id: str
    client: str
    recorded_at: AnsweredInstant
    log: LogEntry


UNLINKING = StoredShape("unlinking", 1, UnlinkingAnswer)


async def unlink_client(
    runtime: Runtime, actor: Actor, request: UnlinkingRequest, idempotency_key: IdempotencyKey
) -> CommandResult[UnlinkingAnswer]:
    """Unlink the caller's reference, so that it means a client by itself. Raises NotFound for an unknown reference.

    A reference that was never linked gets the same answer, so the answer does not show whether there were others.
    """
    require_reference(request.client, "/client")

    async def work(command: Command) -> WorkResult[UnlinkingAnswer]:
        known = await locked_client(command, request.client)
        if known is None:
            raise NotFound
        now = await command.now()
        network_id, home = command.network.network_id, known.client_id
        linked_at = await linked_since(command.connection, network_id, home) or now
        row = UnlinkingRow(new_id(now), home, actor.partner_id, known.group.group_id, linked_at, now)
        await add_unlinking(command.connection, network_id, row)
        await add_memberships(
            command.connection, network_id, row.unlinking_id, {home: known.group.positions[home]}, now
        )
        # The event names neither the group nor the time of the link: another partner may have made the latest link.
        event = UnlinkingEvent(id=row.unlinking_id, client=home, reference_commitment=commit_to(request.client))
        place = (await command.append(event))[0]
        answer = UnlinkingAnswer(row.unlinking_id, request.client, format_instant(now), LogEntry.of(place))
        return WorkResult(answer, client_ids=(home,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=UNLINKING, constant_time=CONSTANT_TIME
    )
