"""Cosignatures (C2SP tlog-cosignature, Ed25519): a witness states that at a time this was the largest tree it had seen.

The signed message does not name the witness. So a quorum counts a public key once, whatever names it has.
"""

from collections.abc import Iterable

from consent_registry.tlog.encoding import LARGEST_SIZE
from consent_registry.tlog.note import COSIGNATURE, NoteRefused, Signature, SignedNote, SignerKey, VerifierKey

_TIME = 8
_RAW = 64


def cosign(body: str, signer: SignerKey, at_seconds: int) -> Signature:
    """A witness's signature line for a checkpoint's text at a POSIX time; raises NoteRefused for another key kind."""
    if signer.kind != COSIGNATURE:
        raise NoteRefused(f"{signer.name} is not a key for cosignatures")
    raw = signer.private.sign(_message(body, at_seconds))
    return Signature(signer.name, signer.verifier.key_id, at_seconds.to_bytes(_TIME, "big") + raw)


def verify_cosignature(body: str, signature: Signature, key: VerifierKey) -> int:
    """Verify a witness's cosignature of a checkpoint's text and return its POSIX time; raises NoteRefused."""
    if len(signature.value) != _TIME + _RAW:
        raise NoteRefused(f"the cosignature of {key.name} has {len(signature.value)} bytes")
    at_seconds = int.from_bytes(signature.value[:_TIME], "big")
    key.require(_message(body, at_seconds), signature.value[_TIME:])
    return at_seconds


def cosignatures(note: SignedNote, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """The latest time at which each of these witnesses cosigned this note.

    Unknown keys are ignored. Raises NoteRefused if the cosignature of a known key is wrong.
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
        raise NoteRefused(f"a cosignature cannot have the time {at_seconds}")
    return f"cosignature/v1\ntime {at_seconds}\n{body}".encode()
