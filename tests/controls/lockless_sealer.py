"""A sealer that believes that it leads, whoever else does: `python -m tests.controls.lockless_sealer`."""

from consent_registry.cli.seal import seal
from consent_registry.operations import sealer
from consent_registry.storage.database import Connection


async def try_to_lead(_: Connection) -> bool:
    """Be sure of it."""
    return True


if __name__ == "__main__":
    vars(sealer)["try_to_lead"] = try_to_lead
    seal()
