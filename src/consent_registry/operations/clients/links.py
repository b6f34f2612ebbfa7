"""Linking references: finding and locking the group of client numbers that mean one client, and joining groups.

Every reference keeps its *home*, the client number with which it was registered. What is recorded under a home stays
there. References mean one client if their homes are in one group (`storage/clients/links.py`).
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime

import structlog

from consent_registry.domain.commitments import commit_to
from consent_registry.domain.errors import Refused
from consent_registry.domain.events.clients import LinkEvent, LoggedWithdrawnByLink
from consent_registry.domain.events.event import LARGEST_GROUP
from consent_registry.domain.identifiers import read_code
from consent_registry.domain.law.rules.all_rules import refusal
from consent_registry.operations.clients.code_attempts import count_failure
from consent_registry.operations.runtime.commands import Command, LinkedMeanwhile, new_id
from consent_registry.storage.clients import links as storage
from consent_registry.storage.clients.link_codes import LinkCode, find_link_code
from consent_registry.storage.clients.links import ClientGroup

# What else a link does, with the ids of its events by client number: it withdraws what the client withdrew under one
# reference under the others too, which is a matter of consents.
AtLink = Callable[[Command, Mapping[str, str], datetime], Awaitable[Mapping[str, list[LoggedWithdrawnByLink]]]]

# A partner with more references for one person than this has made a mistake.
OF_ONE_PARTNER = 4

_log = structlog.get_logger(__name__)


async def locked_groups(command: Command, client_ids: Sequence[str]) -> dict[str, ClientGroup]:
    """The groups of these client numbers, under the exclusive locks of all their members until COMMIT."""
    lock = command.runtime.steps.lock_groups
    locked = await lock(command.connection, command.network.network_id, client_ids=client_ids)
    return await groups_within(command, client_ids, locked)


async def groups_within(command: Command, client_ids: Sequence[str], locked: set[str]) -> dict[str, ClientGroup]:
    """The groups of these client numbers. Raises LinkedMeanwhile if one of their members is not locked."""
    if not client_ids:
        return {}
    groups = await storage.find_groups(command.connection, command.network.network_id, client_ids)
    if not all(group.positions.keys() <= locked for group in groups.values()):
        raise LinkedMeanwhile(retry_after=1)
    return groups


def link_code_digests(command: Command, text: str) -> tuple[bytes, ...]:
    """The keyed digests of a link code, one for each digest key.

    A text that is no possible code gets digests as well, so a wrong check digit takes the same time as an unknown code.
    """
    return command.keys.digests("link code", command.network.network_id, 0, read_code(text) or text)


async def find_usable_code(command: Command, text: str) -> LinkCode | None:
    """The code if the caller can redeem it now, else None.

    It must be issued by another partner that is not suspended, for the caller or for any partner, and be neither used
    nor expired.
    """
    code = await find_link_code(command.connection, command.network.network_id, link_code_digests(command, text))
    if code is None or code.used or code.expired or code.partner_id == command.actor.partner_id:
        return None
    if command.catalogue.partner_by_id[code.partner_id].suspended:
        return None
    return code if code.for_partner_id in {None, command.actor.partner_id} else None


async def refuse_code(command: Command) -> Refused:
    """Record that the caller tried a wrong link code, and return the error, which is the same for every fault.

    The act must return the error and not raise it, so that the record is committed.
    """
    await count_failure(command, "link_code")
    detail = "Ask the client for a new code."
    fault = refusal("/link_code", detail, "link_code_usable", await command.now(), command.regime)
    return Refused("This link code cannot be redeemed. Nothing was recorded.", faults=(fault,))


async def may_be_one(command: Command, members: Collection[str], *, registers: bool) -> bool:
    """Whether these client numbers may mean one client. `registers` adds one more, for a new reference of the caller.

    False if the group would be too large. The caller gets the same error as for a wrong code, and a warning is logged
    for the operator. Raises Refused for too many references of the caller itself, which it can count.
    """
    counts = await storage.count_references(command.connection, command.network.network_id, sorted(members))
    caller_id = command.actor.partner_id
    counts[caller_id] = counts.get(caller_id, 0) + registers
    if counts[caller_id] > OF_ONE_PARTNER:
        detail = f"At most {OF_ONE_PARTNER} of your references can mean one client."
        fault = refusal("/link_code", detail, "links_of_one_client", await command.now(), command.regime)
        raise Refused(faults=(fault,))
    number = len(members) + registers
    if number > LARGEST_GROUP or max(counts.values()) > OF_ONE_PARTNER:
        _log.warning(
            "link refused: too many references would mean one client",
            network=command.network.slug,
            references=number,
            of_one_partner=max(counts.values()),
        )
        return False
    return True


async def link(
    command: Command, code: LinkCode, home: str, positions: dict[str, int], now: datetime, at_link: AtLink
) -> tuple[LinkEvent, list[LinkEvent]]:
    """Redeem a link code: all client numbers in `positions` become one client. The caller's number is `home`.

    The exclusive locks of all these numbers must be held. Returns the caller's event, whose id is also that of the
    group, and an event for each other number about that number alone. So if a number leaves the group and is erased,
    the events of the others still account for their state.
    """
    link_id = new_id(now)
    row = storage.LinkRow(link_id, code.link_code_id, home, command.actor.partner_id, now)
    await storage.add_link(command.connection, command.network.network_id, row)
    await storage.add_memberships(command.connection, command.network.network_id, link_id, positions, now)
    event_ids = {client_id: new_id(now) for client_id in sorted(positions)} | {home: link_id}
    withdrawn = await at_link(command, event_ids, now)
    others = [
        LinkEvent(id=event_id, actor=None, client=client_id, act=link_id, group=link_id, withdrawn=withdrawn[client_id])
        for client_id, event_id in event_ids.items()
        if client_id != home
    ]
    own = LinkEvent(
        id=link_id,
        client=home,
        group=link_id,
        # The code's id names another partner's event. It is a commitment, so that no two partners share an identifier.
        link_code_commitment=commit_to(code.link_code_id),
        withdrawn=withdrawn[home],
    )
    return own, others
