"""The signing keys of the logs, each derived from a log secret and its log's origin.

Of the four key files a sealer reads `log.json` alone: a signer set apart holds no secret that opens or finds anything.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent_registry.domain.errors import Unusable
from consent_registry.storage.files.key_files import SECRET_LENGTH, Key, current_key, read_key_file
from consent_registry.tlog.note import SignerKey


class LogKeys:
    """The logs' keys as of one moment, the current one first."""

    def __init__(self, keys: Sequence[Key], now: datetime) -> None:
        current = current_key(keys, now)
        if current is None:
            raise Unusable("no key in key file log.json is active yet: the time of its active_from has not come")
        self._keys = (current, *(key for key in keys if key is not current))
        self._now = now
        self._derived: dict[str, tuple[ed25519.Ed25519PrivateKey, ...]] = {}

    def all(self, origin: str) -> tuple[ed25519.Ed25519PrivateKey, ...]:
        """Every key of one network's log, the current one first: what its signatures may be checked with."""
        if origin not in self._derived:
            self._derived[origin] = tuple(_derive(key, origin) for key in self._keys)
        return self._derived[origin]

    def signing(self, origin: str) -> tuple[ed25519.Ed25519PrivateKey, ...]:
        """The keys that sign the checkpoints of one network's log now: the current one, then, while their overlap
        lasts, the earlier ones. One that is not current yet does not sign.
        """
        return tuple(
            private
            for number, (key, private) in enumerate(zip(self._keys, self.all(origin), strict=True))
            if number == 0 or (key.is_active(self._now) and (key.until is None or key.until > self._now))
        )


def load_log_keys(directory: Path) -> LogKeys:
    """Read `log.json` in a folder of key files; raises Unusable."""
    return LogKeys(read_key_file(directory, "log"), datetime.now(UTC))


def log_vkey(origin: str, key: ed25519.Ed25519PrivateKey) -> str:
    """The verifier key that belongs to a log's signing key (C2SP signed-note): name, key id, type and key."""
    return str(SignerKey(origin, key).verifier)


def public_bytes(key: ed25519.Ed25519PrivateKey) -> bytes:
    """The 32 bytes of an Ed25519 public key."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _derive(key: Key, origin: str) -> ed25519.Ed25519PrivateKey:
    """HKDF-SHA256 of the log secret, apart for each origin."""
    kdf = HKDF(hashes.SHA256(), SECRET_LENGTH, None, f"consent-registry log key\0{origin}".encode())
    return ed25519.Ed25519PrivateKey.from_private_bytes(kdf.derive(key.secret))
