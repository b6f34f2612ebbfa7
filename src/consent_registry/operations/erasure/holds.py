"""Legal holds: while one is open, the person's data are kept from erasure and retention (Art. 17 Abs. 3 DSGVO).

They are operators' commands, with the application's login, as the network's administration. No partner sees them.
"""

import re

from consent_registry.domain.catalogue import Network
from consent_registry.domain.erasures import HOLD_NORMS
from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound
from consent_registry.domain.events.erasure import HoldEvent, HoldLiftingEvent
from consent_registry.domain.identifiers import is_uuid
from consent_registry.operations.clients.clients import require_found
from consent_registry.operations.erasure.erasures import ByConsent, ByReference
from consent_registry.operations.runtime.actors import ADMINISTRATION
from consent_registry.operations.runtime.commands import administering, new_id
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.clients.clients import client_lock, find_reference, lock_client
from consent_registry.storage.consents.consents import find_consent
from consent_registry.storage.database.database import Connection, widen_partners
from consent_registry.storage.erasure import holds as storage

_STAFF = re.compile(r"[A-Za-z0-9-]{1,32}")


async def place_hold(
    runtime: Runtime, network: Network, target: ByReference | ByConsent, *, norm: str, placed_by: str
) -> str:
    """Place a hold on a person; returns its id. Raises NotFound for an unknown person, Malformed for an unknown norm or
    a bad staff reference.
    """
    if norm not in HOLD_NORMS:
        raise _malformed("/norm", f"must be one of {', '.join(HOLD_NORMS)}")
    _require_staff(placed_by, "/placed_by")
    async with administering(runtime, network) as command:
        connection = command.connection
        client_id = await _client_id(runtime, connection, network, target)
        await lock_client(connection, network.network_id, client_lock(client_id))
        if await _client_id(runtime, connection, network, target) != client_id:
            raise NotFound("There is no such client.")
        now = await command.now()
        hold_id = new_id(now)
        await storage.add_hold(connection, network.network_id, hold_id, client_id, norm, placed_by, now)
        await command.append(HoldEvent(id=hold_id, client=client_id, norm=norm, placed_by=placed_by))
    return hold_id


async def lift_hold(runtime: Runtime, network: Network, hold_id: str, *, lifted_by: str) -> None:
    """Lift a hold. Raises NotFound for an unknown hold, Conflict if it was lifted already."""
    _require_staff(lifted_by, "/lifted_by")
    async with administering(runtime, network) as command:
        connection = command.connection
        hold = await storage.find_hold(connection, network.network_id, hold_id) if is_uuid(hold_id) else None
        if hold is None:
            raise NotFound("There is no such hold.")
        await lock_client(connection, network.network_id, client_lock(hold.client_id))
        hold = await storage.find_hold(connection, network.network_id, hold_id)
        if hold is None or hold.lifted_at is not None:
            raise Conflict("This hold was lifted already.")
        now = await command.now()
        await storage.add_lifting(connection, network.network_id, hold_id, hold.client_id, lifted_by, now)
        event = HoldLiftingEvent(id=new_id(now), client=hold.client_id, hold=hold_id, lifted_by=lifted_by)
        await command.append(event)


async def list_holds(runtime: Runtime, network: Network) -> list[storage.Hold]:
    """All holds of a network, open and lifted."""
    async with administering(runtime, network) as command:
        return await storage.list_holds(command.connection, network.network_id)


async def _client_id(
    runtime: Runtime, connection: Connection, network: Network, target: ByReference | ByConsent
) -> str:
    """The client id of the target, searched with the rights of all partners of the network; raises NotFound."""
    partners = (await runtime.catalogue(connection, network)).partners
    await widen_partners(connection, [ADMINISTRATION, *(partner.partner_id for partner in partners.values())])
    client_id = None
    if isinstance(target, ByConsent):
        if is_uuid(target.consent_id):
            consent = await find_consent(connection, network.network_id, target.consent_id)
            client_id = None if consent is None else consent.client_id
    elif target.partner in partners:
        number = partners[target.partner].partner_id
        digests = runtime.keys.digests("reference", network.network_id, number, target.reference)
        known = await find_reference(connection, network.network_id, number, digests)
        if known is not None:
            require_found(runtime.keys, network.network_id, number, known, target.reference)
        client_id = None if known is None else known.client_id
    if client_id is None:
        raise NotFound("There is no such client.")
    return client_id


def _require_staff(reference: str, pointer: str) -> None:
    if not _STAFF.fullmatch(reference):
        raise _malformed(pointer, "must be a staff reference of 1 to 32 letters, digits and hyphens")


def _malformed(pointer: str, detail: str) -> Malformed:
    return Malformed(f"{pointer[1:]} {detail}.", faults=(Fault(pointer, detail),))
