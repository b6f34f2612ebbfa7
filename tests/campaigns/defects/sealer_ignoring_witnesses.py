"""A sealer that publishes without the witnesses' quorum (the tests with witnesses must find it)."""

from consent_registry.cli.seal import seal
from consent_registry.operations.log.witnesses import BelowQuorum, Prove, Witnesses


async def cosign(self: Witnesses, note: bytes, size: int, prove: Prove) -> bytes:
    """Ask, and go on without an answer."""
    try:
        return await _real(self, note, size, prove)
    except BelowQuorum:
        return note


_real = Witnesses.cosign

if __name__ == "__main__":
    setattr(Witnesses, "cosign", cosign)  # noqa: B010 - a method is replaced
    seal()
