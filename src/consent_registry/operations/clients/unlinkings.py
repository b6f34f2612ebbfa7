"""Unlinkings: a partner takes its reference out of a client it was linked to.

What was recorded under the reference stays under it and follows it; what the others recorded stays with them. Nothing
is moved, because it never was. What was permitted meanwhile on the others' consents is to be looked at:
`operations.findings`.
"""

import msgspec

from consent_registry.domain.commitments import commit_to
from consent_registry.domain.errors import NotFound
from consent_registry.domain.events.clients import UnlinkingEvent
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.clients.clients import locked_client, require_reference
from consent_registry.operations.running.actors import Actor
from consent_registry.operations.running.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.running.context import Runtime
from consent_registry.operations.running.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.running.wire_members import LogEntry, Reference
from consent_registry.storage.clients.links import add_memberships
from consent_registry.storage.clients.unlinkings import UnlinkingRow, add_unlinking, linked_since


class UnlinkingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the caller's references is to be a client of its own."""

    client: Reference


class UnlinkingAnswer(msgspec.Struct, frozen=True):
    """The reference that is a client of its own from now on."""

    unlinking_id: str
    client: str
    recorded_at: AnsweredInstant
    log: LogEntry


UNLINKING = StoredShape("unlinking", 1, UnlinkingAnswer)


async def unlink_client(
    runtime: Runtime, actor: Actor, request: UnlinkingRequest, idempotency_key: IdempotencyKey
) -> CommandResult[UnlinkingAnswer]:
    """Make the caller's reference a client of its own, also when it is one already: the answer does not depend on
    whether another reference means the client. Raises NotFound for an unknown reference.
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
        # Which group it left and since when it was in it are not said: the latest link may be one between others.
        event = UnlinkingEvent(id=row.unlinking_id, client=home, reference_commitment=commit_to(request.client))
        place = (await command.append(event))[0]
        answer = UnlinkingAnswer(row.unlinking_id, request.client, format_instant(now), LogEntry.of(place))
        return WorkResult(answer, client_ids=(home,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=UNLINKING, constant_time=CONSTANT_TIME
    )
