"""Reading and setting a network's policies, by the operator in the name of the network's administration.

Policies are set as a whole, as a new version. Running servers use a new version from their next request on, as with any
change of the catalogue.
"""

import re

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Conflict, Fault, Malformed
from consent_registry.domain.events.catalogue import PolicyEvent
from consent_registry.domain.flags import Policies, PolicyVersion
from consent_registry.operations.runtime.commands import administering, new_id
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.catalogue.catalogue import add_version
from consent_registry.storage.catalogue.policies import add_policies, load_policies

_STAFF = re.compile(r"[A-Za-z0-9-]{1,32}")


async def read_policies(runtime: Runtime, network: Network) -> PolicyVersion:
    """The version of the policies that is in force now."""
    async with administering(runtime, network) as command:
        return await load_policies(command.connection, network.network_id)


async def set_policies(runtime: Runtime, network: Network, policies: Policies, *, set_by: str) -> PolicyVersion:
    """Set all policies of a network as the next version.

    Raises Malformed if `set_by` is no staff reference, Conflict if the same policies are in force already.
    """
    if not _STAFF.fullmatch(set_by):
        detail = "must be a staff reference of 1 to 32 letters, digits and hyphens"
        raise Malformed(f"set_by {detail}.", faults=(Fault("/set_by", detail),))
    network_id = network.network_id
    async with administering(runtime, network, exclusive=True) as command:
        known = await load_policies(command.connection, network_id)
        if known.policies == policies:
            raise Conflict(f"These policies hold already, as version {known.version}.")
        now = await command.now()
        fresh = PolicyVersion(known.version + 1, policies, set_by, now)
        await add_policies(command.connection, network_id, fresh)
        await add_version(command.connection, network_id, now)
        logged = msgspec.to_builtins(policies)
        await command.append(PolicyEvent(id=new_id(now), version=fresh.version, policies=logged, set_by=set_by))
    return fresh
