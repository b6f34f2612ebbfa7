"""Checkpoints (C2SP tlog-checkpoint): a log's origin, size and root, as the text of a signed note."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consent_registry.tlog.encoding import decode_decimal, decode_hash, encode_base64
from consent_registry.tlog.note import NoteRefused, SignedNote, SignerKey, VerifierKey, check_name, sign_note

# Origin, size and root, each ended by a newline.
_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement: the tree of `origin` has this root at this size."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a note's text. Lines after the third are allowed and dropped. Raises NoteRefused."""
        lines = text.split("\n")
        if len(lines) <= _LINES or "" in lines[:-1] or lines[-1]:
            raise NoteRefused("a checkpoint has at least three lines, none of them empty, each ended by a newline")
        try:
            return cls(lines[0], decode_decimal(lines[1]), decode_hash(lines[2]))
        except ValueError as error:
            raise NoteRefused(f"the checkpoint of {lines[0][:80]!r} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint whose log signature was verified, the note it came in, and the log's keys that signed it."""

    checkpoint: Checkpoint
    note: SignedNote
    keys: tuple[VerifierKey, ...]


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[SignerKey]) -> SignedNote:
    """The checkpoint signed by the log's keys, of which there are two during a key rotation.

    The same checkpoint and keys give the same bytes. Raises NoteRefused for a key whose name is not the origin.
    """
    check_name(checkpoint.origin)
    if any(signer.name != checkpoint.origin for signer in signers):
        raise NoteRefused(f"a key of the log {checkpoint.origin} must have the origin as its name")
    return sign_note(checkpoint.body(), signers)


def open_checkpoint(data: bytes, log_keys: Iterable[VerifierKey]) -> OpenedCheckpoint:
    """Read a checkpoint and verify the log's signature with those of `log_keys` that belong to its origin.

    Raises NoteRefused if it is malformed, if no known key of its origin signed it, or if such a signature is wrong.
    """
    note = SignedNote.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    keys = note.verified(key for key in log_keys if key.name == checkpoint.origin)
    if not keys:
        raise NoteRefused(f"no known key of the log {checkpoint.origin} signed this checkpoint")
    return OpenedCheckpoint(checkpoint, note, keys)
