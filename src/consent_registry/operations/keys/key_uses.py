"""How many stored values need each key, and whether a key may be dropped."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from consent_registry.operations.access.access_tokens import LIFETIME
from consent_registry.operations.runtime.actors import ADMINISTRATION
from consent_registry.operations.runtime.commands import administering
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import widen_partners
from consent_registry.storage.keys.key_uses import count_key_uses as count_in_network
from consent_registry.storage.keys.key_uses import list_partner_ids
from consent_registry.storage.keys.keyring import Keys

# After this time every server uses the successor, and requests begun with the former key have ended.
SETTLED = timedelta(seconds=60)


class KeyUse(msgspec.Struct, frozen=True):
    """How many stored values of one kind were made with a key."""

    key_file: str
    key_id: str
    what: str
    number: int


async def count_key_uses(runtime: Runtime) -> list[KeyUse]:
    """Count the stored values of all networks by key and kind."""
    found: dict[tuple[str, str, str], int] = {}
    for network in await runtime.networks():
        async with administering(runtime, network) as command:
            connection = command.connection
            partners = await list_partner_ids(connection, network.network_id)
            await widen_partners(connection, [ADMINISTRATION, *partners])
            for *kind, number in await count_in_network(connection, network.network_id):
                key_file, key_id, what = kind
                found[key_file, key_id, what] = found.get((key_file, key_id, what), 0) + number
    return [KeyUse(*kind, number) for kind, number in sorted(found.items())]


def still_needed(
    keys: Keys, name: str, key_id: str, uses: Sequence[KeyUse], now: datetime, *, leaked: bool = False
) -> str | None:
    """Why this key must not be dropped yet, or None. `leaked`: valid tokens are no reason to keep it."""
    if name == "log":
        return "receipts and checkpoints signed with it are verified for as long as anybody keeps them: keep it"
    successor = next((key for key, former in keys.successions(name) if former.id == key_id), None)
    if successor is None:
        return "it has no successor"
    # A key without `active_from` was made current by hand, as in the first release, at an unknown time.
    since = successor.active_from or now - SETTLED
    if since + SETTLED > now:
        return "its successor must have been current for a minute"
    if name == "token":
        over = since + timedelta(seconds=LIFETIME) + SETTLED
        return None if leaked or over <= now else f"tokens signed with it are valid until {over:%H:%M:%S} UTC"
    kept = [f"{use.number} {use.what}" for use in uses if (use.key_file, use.key_id) == (name, key_id)]
    return f"{', '.join(kept)} were made with it" if kept else None
