"""The service of a witness: it checks, cosigns and stores submitted checkpoints, one at a time per log (C2SP
tlog-witness).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from consent_registry.domain.errors import Unusable
from consent_registry.storage.files.witness_state import WitnessState
from consent_registry.tlog.checkpoint import Checkpoint
from consent_registry.tlog.cosignature import cosign, cosignatures
from consent_registry.tlog.note import (
    COSIGNATURE,
    KEY_LENGTH,
    NoteRefused,
    SignedNote,
    SignerKey,
    VerifierKey,
    check_name,
)
from consent_registry.tlog.witness import AddCheckpoint, judge


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness: its folder, its key, and its clock in POSIX seconds. Its methods may run in any number of threads."""

    state: WitnessState
    key: SignerKey
    clock: Callable[[], float]

    def add_checkpoint(self, body: bytes) -> bytes:
        """The witness's signature line for a submitted checkpoint; raises SubmissionRefused.

        The checkpoint is on the disk before this returns. Submissions for one log are checked one after the other, and
        each sees what the one before it stored; otherwise a tree could be rolled back between them (tlog-witness).
        """
        request, logs = AddCheckpoint.parse(body), self.state.logs()
        origin = _claimed_origin(request)
        if origin not in logs:
            judge(request, logs, None)  # raises: nothing is kept for an unknown log, not even a lock
        with self.state.hold(origin):
            checkpoint, note = judge(request, logs, self._latest(origin))
            cosignature = cosign(note.text, self.key, int(self.clock()))
            # Only signatures that were verified are kept: anybody can add lines to a note.
            log_lines = [line for line in note.signatures if any(key.wrote(line) for key in logs[origin])]
            self.state.store(checkpoint.origin, replace(note, signatures=(*log_lines, cosignature)))
        return cosignature.line().encode()

    def latest_checkpoint(self, origin_hash: str) -> bytes | None:
        """The stored note of the last cosigned checkpoint of the log whose origin has this SHA-256 (hex)."""
        return self.state.latest_bytes(origin_hash)

    def _latest(self, origin: str) -> Checkpoint | None:
        """The last cosigned checkpoint of this log; raises Unusable for a file without this witness's cosignature."""
        note = self.state.latest(origin)
        if note is None:
            return None
        latest = Checkpoint.parse(note.text)
        if latest.origin != origin or self.key.verifier not in cosignatures(note, [self.key.verifier]):
            raise Unusable(f"the checkpoint kept of {origin} does not bear this witness's cosignature")
        return latest


def make_witness(folder: Path, name: str) -> VerifierKey:
    """Make a witness's folder with a new key; returns its public key. Raises Unusable if it is a witness's already."""
    check_name(name)
    key = SignerKey.of_seed(name, secrets.token_bytes(KEY_LENGTH), COSIGNATURE)
    WitnessState(folder).make(key)
    return key.verifier


def trust_log(folder: Path, key: VerifierKey) -> list[VerifierKey]:
    """Let a witness, even a running one, cosign checkpoints that this key signed; returns all keys it trusts."""
    state = WitnessState(folder)
    state.trust(key)
    return [trusted for keys in state.logs().values() for trusted in keys]


def require_witness(folder: Path) -> None:
    """Raise Unusable for a folder whose key or list of logs cannot be read."""
    state = WitnessState(folder)
    state.key()
    state.logs()


def open_witness(folder: Path, clock: Callable[[], float]) -> Witness:
    """The witness of a folder; `clock` counts POSIX seconds."""
    state = WitnessState(folder)
    return Witness(state, state.key(), clock)


def _claimed_origin(request: AddCheckpoint) -> str:
    try:
        return Checkpoint.parse(SignedNote.parse(request.note).text).origin
    except NoteRefused:
        return ""  # judge() refuses it with the reason
