"""The logs' signing keys: each is derived from a secret in `log.json` and the log's origin.

A sealer on its own machine needs only `log.json`: it holds no secret that decrypts a value or finds a reference.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent_registry.domain.errors import Unusable
from consent_registry.storage.files.key_files import SECRET_LENGTH, SecretKey, current_key, read_key_file
from consent_registry.tlog.note import SignerKey


class LogKeys:
    """The signing keys of all logs as of one moment, the current one first."""

    def __init__(self, keys: Sequence[SecretKey], now: datetime) -> None:
        current = current_key(keys, now)
        if current is None:
            raise Unusable("no key in key file log.json is active yet: the time of its active_from has not come")
        self._keys = (current, *(key for key in keys if key is not current))
        self._now = now
        self._derived: dict[str, tuple[ed25519.Ed25519PrivateKey, ...]] = {}

    def all(self, origin: str) -> tuple[ed25519.Ed25519PrivateKey, ...]:
        """Every key that may have signed one network's log, the current one first."""
        if origin not in self._derived:
            self._derived[origin] = tuple(_derive(key, origin) for key in self._keys)
        return self._derived[origin]

    def signing(self, origin: str) -> tuple[ed25519.Ed25519PrivateKey, ...]:
        """The keys that sign checkpoints of one network's log now: the current one, then earlier ones during their
        overlap. A key that is not active yet does not sign.
        """
        return tuple(
            private
            for number, (key, private) in enumerate(zip(self._keys, self.all(origin), strict=True))
            if number == 0 or (key.is_active(self._now) and (key.until is None or key.until > self._now))
        )


def load_log_keys(directory: Path) -> LogKeys:
    """Read the log keys from `log.json` in a folder of key files. Raises Unusable."""
    return LogKeys(read_key_file(directory, "log"), datetime.now(UTC))


def log_vkey(origin: str, key: ed25519.Ed25519PrivateKey) -> str:
    """The verifier key of a log's signing key (C2SP signed-note): name, key id, type and key."""
    return str(SignerKey(origin, key).verifier)


def public_bytes(key: ed25519.Ed25519PrivateKey) -> bytes:
    """The 32 bytes of an Ed25519 public key."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _derive(key: SecretKey, origin: str) -> ed25519.Ed25519PrivateKey:
    """HKDF-SHA256 of the log secret, with the origin in `info`."""
    kdf = HKDF(hashes.SHA256(), SECRET_LENGTH, None, f"consent-registry log key\0{origin}".encode())
    return ed25519.Ed25519PrivateKey.from_private_bytes(kdf.derive(key.secret))
