"""A sealer that signs although it could not write the head to its own disk (the test with a full disk must find it)."""

from contextlib import suppress

from consent_registry.cli.seal import seal
from consent_registry.storage.files.signed_heads import HeadNotKept, SignedHead, SignedHeads


def advance(self: SignedHeads, slug: str, origin: str, old: SignedHead | None, new: SignedHead) -> None:
    """Try to remember, and go on without."""
    with suppress(HeadNotKept):
        _real(self, slug, origin, old, new)


_real = SignedHeads.advance

if __name__ == "__main__":
    setattr(SignedHeads, "advance", advance)  # noqa: B010 - a method is replaced
    seal()
