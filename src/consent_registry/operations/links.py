"""Which references mean one client, held while an act happens; and what makes them one (api.md section 4).

Every reference keeps its *home*, the client number it was registered with, and what is recorded under it stays there.
References mean one client when their homes are in one group (`storage/links.py`).
"""

from collections.abc import Sequence
from datetime import datetime

from consent_registry.domain.errors import Fault, Refused
from consent_registry.domain.events import Event
from consent_registry.domain.identifiers import read_code
from consent_registry.operations.acts import Act, LinkedMeanwhile, new_id
from consent_registry.operations.code_failures import count_failure
from consent_registry.storage import links as storage
from consent_registry.storage.link_codes import LinkCode, find_link_code
from consent_registry.storage.links import Group

# So many references of one person are a mistake, or an attempt to make one decision take all locks.
LARGEST_GROUP = 32


async def held_groups(act: Act, client_ids: Sequence[str]) -> dict[str, Group]:
    """The groups these client numbers are in, held alone until the act ends."""
    locked = await storage.lock_groups(act.connection, act.network.network_id, client_ids=client_ids)
    return await groups_within(act, client_ids, locked)


async def groups_within(act: Act, client_ids: Sequence[str], locked: set[str]) -> dict[str, Group]:
    """The groups these client numbers are in; raises LinkedMeanwhile when somebody in them is not locked."""
    if not client_ids:
        return {}
    groups = await storage.find_groups(act.connection, act.network.network_id, client_ids)
    if not all(group.positions.keys() <= locked for group in groups.values()):
        raise LinkedMeanwhile(retry_after=1)
    return groups


def link_code_digests(act: Act, text: str) -> tuple[bytes, ...]:
    """The digests by which a link code is found, one for each digest key. What cannot be a code has some as well: a
    wrong check digit costs the same look as a code that nobody issued.
    """
    return act.keys.digests("link code", act.network.network_id, 0, read_code(text) or text)


async def find_usable_code(act: Act, text: str) -> LinkCode | None:
    """The code, if the caller can redeem it now: issued by another partner that is not suspended, for the caller or
    for anybody, neither used nor expired.
    """
    code = await find_link_code(act.connection, act.network.network_id, link_code_digests(act, text))
    if code is None or code.used or code.expired or code.partner_id == act.caller.partner_id:
        return None
    if act.catalogue.partner_by_id[code.partner_id].suspended:
        return None
    return code if code.for_partner_id in {None, act.caller.partner_id} else None


async def refuse_code(act: Act) -> Refused:
    """Count a failed attempt, and the one error for whatever was wrong; to be returned, so that the count commits."""
    await count_failure(act, "link_code")
    fault = Fault("/link_code", "Ask the client for a new code.", "link_code_usable", "Art. 5 Abs. 1 lit. f DSGVO")
    return Refused("This link code cannot be redeemed. Nothing was recorded.", faults=(fault,))


async def link(
    act: Act, code: LinkCode, home: str, groups: dict[str, Group], reference: str, now: datetime
) -> list[Event]:
    """Redeem a code for the caller's reference: both clients become one. Both groups are held.

    Returns an event for each number that is in the group from now on, each about that number alone: whoever leaves and
    is erased takes along nothing that the others' state is told by. The redeemer's own has the id of the group.
    """
    positions = groups[code.client_id].positions | groups[home].positions
    if len(positions) > LARGEST_GROUP:
        fault = Fault("/link_code", f"At most {LARGEST_GROUP} references can mean one client.", "links_of_one_client")
        raise Refused("Too many references would mean one client.", faults=(fault,))
    link_id = new_id(now)
    row = storage.LinkRow(link_id, code.link_code_id, home, act.caller.partner_id, now)
    await storage.add_link(act.connection, act.network.network_id, row)
    await storage.add_memberships(act.connection, act.network.network_id, link_id, positions, now)
    members = {"group": link_id, "link_code": code.link_code_id}
    others = [Event("link", new_id(now), members, one) for one in sorted(positions) if one != home]
    return [Event("link", link_id, members, home, reference), *others]
