"""Registering clients. A partner registers its own reference for a client before it asks or records anything.

With a link code that the client brings from another partner, the reference is linked to that partner's reference.
"""

import uuid
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.commitments import commit_to
from consent_registry.domain.errors import Fault, Malformed, RegistryError, Unusable
from consent_registry.domain.events.clients import ClientEvent
from consent_registry.domain.identifiers import reference_fault
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.clients.code_attempts import require_few_failures
from consent_registry.operations.clients.links import (
    AtLink,
    find_usable_code,
    groups_within,
    link,
    may_be_one,
    refuse_code,
)
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import (
    CONSTANT_TIME_FOR_ALL_NUMBERS,
    Command,
    LinkedMeanwhile,
    new_id,
    run_command,
)
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import Reference
from consent_registry.storage.clients.clients import (
    ClientReference,
    EncryptedReference,
    add_client,
    add_reference,
    client_lock,
    find_references,
    lock_client_shared,
)
from consent_registry.storage.clients.link_codes import LinkCode
from consent_registry.storage.clients.links import ClientGroup, has_redeemed
from consent_registry.storage.keys.associated_data import associated_data_of_reference
from consent_registry.storage.keys.keyring import Keys


class ClientRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The caller's reference for a client, and the link code that the client brings from another partner, if any."""

    reference: Reference
    link_code: Annotated[str, Meta(min_length=1, max_length=40)] | UnsetType = UNSET


class ClientAnswer(msgspec.Struct, frozen=True):
    """The registered reference. `linked`: the caller itself redeemed a link code with it and has not unlinked it since.
    Links made by other partners do not show.
    """

    reference: str
    linked: bool
    created_at: AnsweredInstant


class KnownClient(msgspec.Struct, frozen=True):
    """The client that a reference of the caller means, under exclusive locks: the client number with which the
    reference was registered, when that was, and the group of numbers that mean the same client.
    """

    client_id: str
    recorded_at: datetime
    group: ClientGroup


CLIENT = StoredShape("client", 1, ClientAnswer)


async def register_client(
    runtime: Runtime,
    actor: Actor,
    request: ClientRequest,
    idempotency_key: IdempotencyKey | None = None,
    *,
    at_link: AtLink,
) -> CommandResult[ClientAnswer]:
    """Register a reference of the caller, unless it is registered already (`is_new` of the result is false then).

    With a link code the reference is linked to the client that the code is about; `at_link` withdraws what was
    withdrawn under either reference. Raises Refused for any fault of a
    code, always with the same error, and TooMany after too many wrong codes.
    """
    require_reference(request.reference, "/reference")

    async def work(command: Command) -> WorkResult[ClientAnswer] | RegistryError:
        if isinstance(request.link_code, UnsetType):
            return await _registered(command, request.reference)
        await require_few_failures(command, "link_code")
        code = await find_usable_code(command, request.link_code)
        if code is None:
            return await refuse_code(command)
        known, groups = await _locked_reference(command, request.reference, code.client_id)
        # Read again under the locks: the code may have been redeemed while this transaction waited.
        code = await find_usable_code(command, request.link_code)
        if code is None:
            return await refuse_code(command)
        positions = groups[code.client_id].positions | ({} if known is None else known.group.positions)
        if not await may_be_one(command, positions, registers=known is None):
            return await refuse_code(command)
        return await _linked(command, request.reference, known, code, positions, at_link)

    # Without a code only the caller's own reference is looked up, which needs no constant time.
    constant_time = 0 if isinstance(request.link_code, UnsetType) else CONSTANT_TIME_FOR_ALL_NUMBERS
    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=CLIENT, constant_time=constant_time
    )


async def _linked(
    command: Command,
    reference: str,
    known: KnownClient | None,
    code: LinkCode,
    positions: dict[str, int],
    at_link: AtLink,
) -> WorkResult[ClientAnswer]:
    """Redeem the code. A new reference is registered by the same event."""
    now = await command.now()
    home = await _register(command, reference, now) if known is None else known
    event, others = await link(command, code, home.client_id, {home.client_id: 0} | positions, now, at_link)
    event = msgspec.structs.replace(event, reference_commitment=commit_to(reference), registered=known is None)
    await command.append_padded(event, others)
    answer = ClientAnswer(reference, linked=True, created_at=format_instant(home.recorded_at))
    return WorkResult(answer, (home.client_id,), is_new=known is None)


async def _registered(command: Command, reference: str) -> WorkResult[ClientAnswer]:
    is_new = False
    known: ClientReference | KnownClient | None = await _own_reference(command, reference)
    if known is None:
        known, _ = await _locked_reference(command, reference)
    if known is None:
        now = await command.now()
        known = await _register(command, reference, now)
        event = ClientEvent(id=new_id(now), client=known.client_id, reference_commitment=commit_to(reference))
        await command.append(event)
        is_new = True
    linked = await has_redeemed(
        command.connection, command.network.network_id, command.actor.partner_id, known.client_id
    )
    answer = ClientAnswer(reference, linked=linked, created_at=format_instant(known.recorded_at))
    return WorkResult(answer, (known.client_id,), is_new=is_new)


async def _own_reference(command: Command, reference: str) -> ClientReference | None:
    """The caller's reference as registered, under the shared lock of its own client number. None if it is unknown.

    The work does not depend on how many other references mean the client.
    """
    network_id, digests = command.network.network_id, reference_digests(command, reference)
    known = await command.runtime.steps.find_reference(
        command.connection, network_id, command.actor.partner_id, digests
    )
    if known is None:
        return None
    await lock_client_shared(command.connection, network_id, client_lock(known.client_id))
    # Read again under the lock: the reference may have been erased while this transaction waited.
    known = await command.runtime.steps.find_reference(
        command.connection, network_id, command.actor.partner_id, digests
    )
    if known is not None:
        require_found(command.keys, network_id, command.actor.partner_id, known, reference)
    return known


async def _register(command: Command, reference: str, now: datetime) -> KnownClient:
    """Add a client and the caller's reference for it. The caller of this function holds the lock of the reference."""
    client_id, digest = str(uuid.uuid4()), reference_digests(command, reference)[0]
    await add_client(command.connection, command.network.network_id, client_id, now)
    await add_reference(
        command.connection,
        command.network.network_id,
        command.actor.partner_id,
        (command.keys.digest_key_id, digest),
        client_id,
        command.keys.encrypt(reference.encode(), _associated_data(command, client_id, digest)),
        now,
    )
    return KnownClient(client_id, now, ClientGroup.single(client_id))


def require_reference(reference: str, pointer: str) -> None:
    """Raise Malformed for a reference that breaks the rules of the API's contract."""
    if wrong := reference_fault(reference):
        raise Malformed(faults=(Fault(pointer, wrong),))


def reference_digests(command: Command, reference: str) -> tuple[bytes, ...]:
    """The keyed digests of the caller's reference, one for each digest key, that of the current key first."""
    return command.keys.digests("reference", command.network.network_id, command.actor.partner_id, reference)


async def locked_client(command: Command, reference: str) -> KnownClient | None:
    """Find the client of the caller's reference and lock it until COMMIT. None if the reference is not registered.

    It takes the exclusive locks of all client numbers that mean the client.
    """
    return (await _locked_reference(command, reference))[0]


async def _locked_reference(
    command: Command, reference: str, *others: str
) -> tuple[KnownClient | None, dict[str, ClientGroup]]:
    """As `locked_client`, and the groups of these other client numbers. All locks are taken in one ascending order."""
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    digests = reference_digests(command, reference)
    locked = await command.runtime.steps.lock_groups(
        command.connection, network_id, references=[(partner_id, digest) for digest in digests], client_ids=others
    )
    own = await command.runtime.steps.find_reference(command.connection, network_id, partner_id, digests)
    if own is not None:
        require_found(command.keys, network_id, partner_id, own, reference)
    if own is not None and own.client_id not in locked:
        raise LinkedMeanwhile(retry_after=1)
    groups = await groups_within(command, [*others, *([] if own is None else [own.client_id])], locked)
    return None if own is None else KnownClient(own.client_id, own.recorded_at, groups[own.client_id]), groups


async def own_references(command: Command, client_ids: list[str]) -> dict[str, str]:
    """The caller's own references for these clients, by client number. A partner sees no other name of a client."""
    references = await find_references(
        command.connection, command.network.network_id, command.actor.partner_id, client_ids
    )
    return {client_id: open_reference(command, stored) for client_id, stored in references.items()}


def open_reference(command: Command, stored: EncryptedReference) -> str:
    """A stored reference of the caller, decrypted. Raises Unusable if it was encrypted for another row."""
    return command.keys.decrypt(stored.ciphertext, _associated_data(command, stored.client_id, stored.digest)).decode()


def require_found(keys: Keys, network_id: int, partner_id: int, stored: ClientReference, reference: str) -> None:
    """Raise Unusable unless the row found by a reference's digest holds that reference. Somebody may swap digests."""
    bound_to = associated_data_of_reference(network_id, partner_id, stored.client_id, stored.digest)
    if keys.decrypt(stored.ciphertext, bound_to).decode() != reference:
        raise Unusable("a reference is found by another reference's digest")


def _associated_data(command: Command, client_id: str, digest: bytes) -> str:
    return associated_data_of_reference(command.network.network_id, command.actor.partner_id, client_id, digest)
