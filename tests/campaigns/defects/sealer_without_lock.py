"""A sealer that leads without the sealers' lock: `python -m tests.campaigns.defects.sealer_without_lock`.

It lingers for a random moment before its promise, so that two of them meet there however quick the machine is.
"""

import random
import time

from consent_registry.cli.seal import seal
from consent_registry.operations.log import sealer
from consent_registry.storage.database.database import Connection
from consent_registry.storage.files.signed_heads import SignedHead, SignedHeads

LINGER_S = 0.2


async def try_to_lead(_: Connection) -> bool:
    """Be sure of it."""
    return True


def advance(self: SignedHeads, slug: str, origin: str, old: SignedHead | None, new: SignedHead) -> None:
    """Remember a head as ever, a moment later."""
    time.sleep(random.uniform(0, LINGER_S))
    _advance(self, slug, origin, old, new)


_advance = SignedHeads.advance

if __name__ == "__main__":
    vars(sealer)["try_to_lead"] = try_to_lead
    setattr(SignedHeads, "advance", advance)  # noqa: B010 - a method is replaced
    seal()
