"""Clients: a partner registers its own reference before it asks or records anything (api.md section 4)."""

import uuid
from datetime import datetime

import msgspec

from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.events import Event
from consent_registry.domain.identifiers import reference_fault
from consent_registry.domain.instants import format_instant
from consent_registry.operations.acts import Act, Done, Once, Reply, new_id, perform
from consent_registry.operations.decisions import Reference
from consent_registry.operations.runtime import Caller, Runtime
from consent_registry.storage.clients import (
    ClientReference,
    add_client,
    add_reference,
    client_lock,
    digest_locks,
    find_reference,
    find_references,
    lock_client,
)


class ClientRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client as the caller knows it."""

    reference: Reference


class ClientAnswer(msgspec.Struct, frozen=True):
    """The registered reference; `linked` says whether another partner's reference means the same client."""

    reference: str
    linked: bool
    created_at: str


async def register_client(runtime: Runtime, caller: Caller, request: ClientRequest, once: Once | None = None) -> Reply:
    """Register a reference: 201 with a new client behind it, or 200 when the caller has registered it before."""
    require_reference(request.reference, "/reference")

    async def work(act: Act) -> Done:
        digests = reference_digests(act, request.reference)
        # The numbers that decisions lock for an unknown reference: none is under way while it becomes known. All of
        # them, because a server that uses another digest key already (or still) registers under another digest.
        for number in digest_locks(digests):
            await lock_client(act.connection, act.network.network_id, number)
        known = await find_reference(act.connection, act.network.network_id, caller.partner_id, digests)
        if known is not None:
            return Done(200, _answer(request, known.recorded_at), client_ids=(known.client_id,))
        now = await act.clock()
        client_id = str(uuid.uuid4())
        await add_client(act.connection, act.network.network_id, client_id, now)
        await add_reference(
            act.connection,
            act.network.network_id,
            caller.partner_id,
            (act.keys.digest_key_id, digests[0]),
            client_id,
            act.keys.seal(request.reference.encode(), _context(act)),
            now,
        )
        await act.append(now, Event("client", new_id(now), {}, client_id, request.reference))
        return Done(201, _answer(request, now), client_ids=(client_id,))

    return await perform(runtime, caller, work, once=once)


def _answer(request: ClientRequest, created_at: datetime) -> ClientAnswer:
    return ClientAnswer(request.reference, linked=False, created_at=format_instant(created_at))


def require_reference(reference: str, pointer: str) -> None:
    """Raise Malformed for a reference that breaks the contract's rules."""
    if wrong := reference_fault(reference):
        raise Malformed(faults=(Fault(pointer, wrong),))


def reference_digests(act: Act, reference: str) -> tuple[bytes, ...]:
    """The digests by which the caller's own reference is found, one for each digest key, the current one's first."""
    return act.keys.digests("reference", act.network.network_id, act.caller.partner_id, reference)


async def locked_client(act: Act, reference: str) -> ClientReference | None:
    """The client behind the caller's reference, held alone until the act ends; None when it is not registered.

    The reference may come to mean another client while the lock is waited for; then that one is locked as well.
    """
    digests = reference_digests(act, reference)
    network_id = act.network.network_id
    known = await find_reference(act.connection, network_id, act.caller.partner_id, digests)
    while known is not None:
        await lock_client(act.connection, network_id, client_lock(known.client_id))
        after = await find_reference(act.connection, network_id, act.caller.partner_id, digests)
        if after is None or after.client_id == known.client_id:
            return after
        known = after
    return None


async def own_references(act: Act, client_ids: list[str]) -> dict[str, str]:
    """The caller's own references for these clients, by client; the only name a partner ever uses."""
    sealed = await find_references(act.connection, act.network.network_id, act.caller.partner_id, client_ids)
    return {client_id: act.keys.unseal(value, _context(act)).decode() for client_id, value in sealed.items()}


def _context(act: Act) -> str:
    return f"reference {act.network.network_id} {act.caller.partner_id}"
