"""The folder of a witness, which needs no database: its key, its logs, and its latest cosigned checkpoint of each log.

`key` (mode 0600) holds its private key as a line `PRIVATE+KEY+…`; `logs` holds a verifier key per line; `checkpoints/`
holds each log's latest cosigned checkpoint in a file named by the SHA-256 of the origin. Without `checkpoints` a
witness cosigns any history that it sees first. So keep the folder on a disk, and never restore an old copy of it.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from consent_registry.domain.errors import Unusable
from consent_registry.tlog.note import COSIGNATURE, ED25519, NoteRefused, SignedNote, SignerKey, VerifierKey

_COMMENT = "#"


class WitnessState:
    """The folder of one witness; any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, key: SignerKey) -> None:
        """Create the folder with this key and no logs. Raises Unusable if it has a key already."""
        self._checkpoints.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._key.exists():
            raise Unusable(f"{self._key} exists: a witness keeps its key, which others have in their policies")
        if not self._logs.exists():
            self._replace(self._logs, b"# One verifier key a line: the logs this witness cosigns.\n")
        self._replace(self._key, f"{key.format()}\n".encode())

    def key(self) -> SignerKey:
        """The witness's key. Raises Unusable for a file that is missing, readable by others, or no key."""
        if not self._key.is_file():
            raise Unusable(f"{self._key} is missing: consent-registry witness make {self._folder} NAME")
        if self._key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Unusable(f"{self._key} is readable by others than its owner: chmod 600 {self._key}")
        try:
            key = SignerKey.parse(self._key.read_text(encoding="utf-8").strip())
        except (NoteRefused, UnicodeDecodeError):
            raise Unusable(f"{self._key} is not a private key") from None  # the cause could quote the key
        if key.kind != COSIGNATURE:
            raise Unusable(f"{self._key} is not a key for cosignatures")
        return key

    def logs(self) -> dict[str, list[VerifierKey]]:
        """The verifier keys of the logs to cosign, by origin, read from disk each time. Raises Unusable
        with the line.
        """
        logs: dict[str, list[VerifierKey]] = {}
        for number, line in enumerate(self._logs.read_text(encoding="utf-8").splitlines(), 1):
            text = line.strip()
            if text and not text.startswith(_COMMENT):
                try:
                    key = VerifierKey.parse(text)
                except NoteRefused as error:
                    raise Unusable(f"{self._logs}, line {number}: {error}") from error
                if key.kind != ED25519:
                    raise Unusable(f"{self._logs}, line {number}: the key of {key.name} is no log's")
                logs.setdefault(key.name, []).append(key)
        return logs

    def trust(self, key: VerifierKey) -> None:
        """Add a log's verifier key, so that the witness cosigns this log."""
        if key not in self.logs().get(key.name, []):
            with self.hold("logs"):
                self._replace(self._logs, self._logs.read_bytes().rstrip(b"\n") + f"\n{key}\n".encode())

    @contextmanager
    def hold(self, origin: str) -> Iterator[None]:
        """Lock a log's checkpoint, so that no other thread or process reads and replaces it meanwhile."""
        with self._checkpoint(origin).with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by a kill
            yield

    def latest(self, origin: str) -> SignedNote | None:
        """The log's latest cosigned checkpoint, or None. Raises Unusable if the file cannot be read."""
        data = self.latest_bytes(sha256(origin.encode()).hexdigest())
        try:
            return None if data is None else SignedNote.parse(data)
        except NoteRefused as error:
            raise Unusable(f"{self._checkpoint(origin)} cannot be read; it is not begun anew: {error}") from error

    def latest_bytes(self, origin_hash: str) -> bytes | None:
        """The bytes of the latest cosigned checkpoint. `origin_hash` is the origin's SHA-256 in hexadecimal; the caller
        has checked its form.
        """
        try:
            return (self._checkpoints / origin_hash).read_bytes()
        except FileNotFoundError:
            return None

    def store(self, origin: str, note: SignedNote) -> None:
        """Replace a log's checkpoint; it is on disk when this returns. The caller holds the log (see `hold`)."""
        self._replace(self._checkpoint(origin), note.format())

    @property
    def _key(self) -> Path:
        return self._folder / "key"

    @property
    def _logs(self) -> Path:
        return self._folder / "logs"

    @property
    def _checkpoints(self) -> Path:
        return self._folder / "checkpoints"

    def _checkpoint(self, origin: str) -> Path:
        return self._checkpoints / sha256(origin.encode()).hexdigest()

    def _replace(self, path: Path, content: bytes) -> None:
        """Replace a file atomically: after a crash the old or the new file is complete. The new one is on disk when
        this returns.
        """
        draft = path.with_name(f"{path.name}.new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # makes the new name durable
        finally:
            os.close(folder)
