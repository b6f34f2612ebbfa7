"""Proofs for one log entry as a file (C2SP tlog-proof, `.tlog-proof`): index, inclusion path and checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

from consent_registry.tlog.encoding import decode_base64, decode_decimal, decode_hash, encode_base64
from consent_registry.tlog.merkle import ProofRefused, leaf_hash, verify_inclusion
from consent_registry.tlog.policy import Policy, TrustedCheckpoint, open_trusted

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof: the entry's index, its inclusion path, the checkpoint as a note, and extra data that nobody signed."""

    index: int
    path: Sequence[bytes]
    note: bytes
    extra: bytes | None = None

    def format(self) -> bytes:
        """The file's bytes, with the checkpoint and all its signatures verbatim."""
        extra = "" if self.extra is None else f"extra {encode_base64(self.extra)}\n"
        hashes = "".join(f"{encode_base64(sibling)}\n" for sibling in self.path)
        return f"{HEADER}\n{extra}index {self.index}\n{hashes}\n".encode() + self.note

    @classmethod
    def parse(cls, data: bytes) -> "TlogProof":
        """Read a proof's file without verifying it; raises ProofRefused."""
        head, separator, note = data.partition(b"\n\n")
        header, *lines = head.decode("ascii", "replace").split("\n")
        if not separator or header != HEADER:
            raise ProofRefused(f"a proof begins with {HEADER} and has an empty line before its checkpoint")
        encoded = lines.pop(0).removeprefix("extra ") if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index ") or len(lines) > 1 + MOST_HASHES:
            raise ProofRefused("a proof has an index and at most 63 hashes")
        try:
            extra = None if encoded is None else decode_base64(encoded)
            return cls(
                decode_decimal(lines[0].removeprefix("index ")),
                tuple(decode_hash(line) for line in lines[1:]),
                note,
                extra,
            )
        except ValueError as error:
            raise ProofRefused(f"the proof cannot be read: {error}") from error

    def verify(self, entry: bytes, policy: Policy, *, demand_quorum: bool = True) -> TrustedCheckpoint:
        """Verify that this entry is at this index, and return the checkpoint that commits to it.

        In the order of the specification: leaf hash from the caller's own bytes (never from `extra`), log signature,
        quorum of witnesses, inclusion. Raises NoteRefused, PolicyRefused or ProofRefused.
        """
        leaf = leaf_hash(entry)
        trusted = open_trusted(self.note, policy, demand_quorum=demand_quorum)
        verify_inclusion(leaf, self.index, trusted.checkpoint.size, self.path, trusted.checkpoint.root)
        return trusted
