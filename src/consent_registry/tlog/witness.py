"""The call add-checkpoint between a log and a witness (C2SP tlog-witness), and the witness's rules for it.

Everything here is bytes in and bytes out. The caller keeps the witness's state. It must compare and store the state
atomically, and store it durably before it answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint
from consent_registry.tlog.cosignature import verify_cosignature
from consent_registry.tlog.encoding import decode_decimal, decode_hash, encode_base64
from consent_registry.tlog.merkle import EMPTY_ROOT, ProofRefused, verify_consistency
from consent_registry.tlog.note import NoteRefused, Signature, SignedNote, VerifierKey
from consent_registry.tlog.refusal import TlogRefused

MOST_HASHES = 63
# Sixteen signatures of the longest kind, ML-DSA-44, and 63 hashes must fit (signed-note; tlog-witness).
LARGEST_REQUEST = 256 * 1024
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT, UNPROCESSABLE = 400, 403, 404, 409, 422


class SubmissionRefused(TlogRefused):
    """A witness's refusal: the HTTP status, the body and its media type."""

    def __init__(self, status: int, reason: str, media_type: str = TEXT_TYPE) -> None:
        super().__init__(reason.rstrip("\n"))
        self.status = status
        self.body = reason if reason.endswith("\n") else reason + "\n"
        self.media_type = media_type


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The body of add-checkpoint: the size the log last sent, the consistency path from there, and the checkpoint."""

    old_size: int
    path: tuple[bytes, ...]
    note: bytes

    def format(self) -> bytes:
        """The body's bytes."""
        hashes = "".join(f"{encode_base64(node)}\n" for node in self.path)
        return f"old {self.old_size}\n{hashes}\n".encode() + self.note

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a body; raises SubmissionRefused(400)."""
        if len(data) > LARGEST_REQUEST:
            raise SubmissionRefused(BAD_REQUEST, f"a request has at most {LARGEST_REQUEST} bytes")
        head, separator, note = data.partition(b"\n\n")
        first, *lines = head.decode("ascii", "replace").split("\n")
        if not separator or not first.startswith("old ") or len(lines) > MOST_HASHES:
            shape = f"a request is 'old <size>', at most {MOST_HASHES} hashes, an empty line, a checkpoint"
            raise SubmissionRefused(BAD_REQUEST, shape)
        try:
            return cls(decode_decimal(first.removeprefix("old ")), tuple(decode_hash(line) for line in lines), note)
        except ValueError as error:
            raise SubmissionRefused(BAD_REQUEST, str(error)) from error


def judge(
    request: AddCheckpoint, logs: Mapping[str, Sequence[VerifierKey]], latest: Checkpoint | None
) -> tuple[Checkpoint, SignedNote]:
    """Check a submitted checkpoint and return it if the witness may cosign it.

    `latest` is the latest checkpoint of the log that the witness cosigned; None before the first. `logs` are the keys
    of the known logs, by origin. A witness accepts the same size and root again. Raises SubmissionRefused.
    """
    # 1. It is a checkpoint of a known log (404), 2. with a valid signature of that log (403).
    try:
        origin = Checkpoint.parse(SignedNote.parse(request.note).text).origin
    except NoteRefused as error:
        raise SubmissionRefused(BAD_REQUEST, str(error)) from error
    if origin not in logs:
        raise SubmissionRefused(NOT_FOUND, "this witness does not know the log")
    try:
        opened = open_checkpoint(request.note, logs[origin])
    except NoteRefused as error:
        raise SubmissionRefused(FORBIDDEN, str(error)) from error
    new = opened.checkpoint
    # 3. The old size is not beyond the new size (400), 4. and is that of the latest cosigned checkpoint (409).
    if request.old_size > new.size:
        raise SubmissionRefused(BAD_REQUEST, f"the old size {request.old_size} is beyond the new size {new.size}")
    old_size, old_root = (0, EMPTY_ROOT) if latest is None else (latest.size, latest.root)
    if request.old_size != old_size:
        raise SubmissionRefused(CONFLICT, f"{old_size}\n", SIZE_TYPE)
    # 5. The new tree begins with the old tree. Equal sizes have equal roots; from size 0 the path is empty (422).
    try:
        verify_consistency(old_size, new.size, request.path, old_root, new.root)
    except ProofRefused as error:
        raise SubmissionRefused(UNPROCESSABLE, str(error)) from error
    return new, opened.note


def read_conflict_size(body: bytes) -> int:
    """The size in the body of a witness's answer 409; raises NoteRefused."""
    number, newline, rest = body.decode("ascii", "replace").partition("\n")
    try:
        size = decode_decimal(number)
    except ValueError as error:
        raise NoteRefused(f"a conflict without a size: {body[:40]!r}") from error
    if not newline or rest:
        raise NoteRefused(f"a conflict without a size on a line of its own: {body[:40]!r}")
    return size


def read_cosignatures(body: bytes, checkpoint_text: str, keys: Iterable[VerifierKey]) -> list[tuple[Signature, int]]:
    """The cosignatures in the body of a witness's answer 200, each with its time. Those of unknown keys are ignored.

    Raises NoteRefused for text that is not signature lines, and for a wrong cosignature of a known key.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteRefused("the answer is not UTF-8") from error
    if not text.endswith("\n"):
        raise NoteRefused("the answer is not signature lines")
    known = {(key.name, key.key_id): key for key in keys}
    signatures = [Signature.parse(line) for line in text[:-1].split("\n")]
    return [
        (signature, verify_cosignature(checkpoint_text, signature, known[signature.name, signature.key_id]))
        for signature in signatures
        if (signature.name, signature.key_id) in known
    ]
