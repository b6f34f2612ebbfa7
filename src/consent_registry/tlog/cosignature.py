"""Cosignatures (C2SP tlog-cosignature, Ed25519): a witness says that at a time this was the largest tree it had seen.

The message does not name the witness, so a cosigner's key belongs to one name, and a quorum counts a public key once.
"""

from collections.abc import Iterable

from consent_registry.tlog.encoding import LARGEST_SIZE
from consent_registry.tlog.note import COSIGNATURE, NoteRefused, Signature, SignedNote, SignerKey, VerifierKey

_TIME = 8
_RAW = 64


def cosign(body: str, signer: SignerKey, at_seconds: int) -> Signature:
    """The signature line of a witness for a checkpoint's text, at a POSIX time. Raises NoteRefused for another key."""
    if signer.kind != COSIGNATURE:
        raise NoteRefused(f"{signer.name} is no key for cosignatures")
    raw = signer.private.sign(_message(body, at_seconds))
    return Signature(signer.name, signer.verifier.key_id, at_seconds.to_bytes(_TIME, "big") + raw)


def verify_cosignature(body: str, signature: Signature, key: VerifierKey) -> int:
    """The POSIX time at which this witness cosigned this checkpoint's text; raises NoteRefused."""
    if len(signature.value) != _TIME + _RAW:
        raise NoteRefused(f"the cosignature of {key.name} has {len(signature.value)} bytes")
    at_seconds = int.from_bytes(signature.value[:_TIME], "big")
    key.require(_message(body, at_seconds), signature.value[_TIME:])
    return at_seconds


def cosignatures(note: SignedNote, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """When each of these witnesses cosigned this note; the latest time where one did twice.

    Unknown keys are ignored; a cosignature of a known one that does not hold refuses the note: NoteRefused.
    """
    known = {(key.name, key.key_id): key for key in keys if key.kind == COSIGNATURE}
    times: dict[VerifierKey, int] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            at_seconds = verify_cosignature(note.text, signature, key)
            times[key] = max(at_seconds, times.get(key, at_seconds))
    return times


def _message(body: str, at_seconds: int) -> bytes:
    if not 0 <= at_seconds <= LARGEST_SIZE:
        raise NoteRefused(f"no time for a cosignature: {at_seconds}")
    return f"cosignature/v1\ntime {at_seconds}\n{body}".encode()
