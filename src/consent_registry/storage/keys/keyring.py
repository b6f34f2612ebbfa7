"""The installation's keys, ready for use: digesting, encrypting and signing with the current ones (docs/keys.md).

`digest` keys find references and codes, `sealing` keys encrypt what only one partner may read, `token` keys sign access
tokens (ES256), `log` keys sign receipts and checkpoints. Keys are in files (key_files.py), never in the database.
"""

import base64
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent_registry.domain.errors import Unusable
from consent_registry.storage.files.key_files import KeyFiles, SecretKey, current_key, read_key_files
from consent_registry.storage.keys.log_keys import LogKeys, log_vkey, public_bytes

_NONCE_LENGTH = 12
# Set in a ciphertext's first byte (the key id's length) if the ciphertext is bound to its row. Old ones are not.
BOUND = 0x80


class Keys:
    """The keys of one installation as of one moment. Immutable: a rotation makes new Keys, and a request uses one
    Keys from beginning to end.
    """

    def __init__(self, files: KeyFiles, now: datetime) -> None:
        self._read = files
        self._files = {name: _current_first(name, keys, now) for name, keys in files.items()}
        self._now = now
        self._ciphers = {key.id: AESGCM(key.secret) for key in self._files["sealing"]}
        self._current_sealing = self._files["sealing"][0].id
        self._digest_secrets = {key.id: key.secret for key in self._files["digest"]}
        self._log = LogKeys(files["log"], now)
        self._signers: dict[tuple[str, str | None], tuple[bytes, ed25519.Ed25519PrivateKey]] = {}
        self.token_keys = dict(_token_key(key) for key in self._files["token"])
        self.token_kid, self.token_key = next(iter(self.token_keys.items()))

    def of(self, name: str) -> tuple[SecretKey, ...]:
        """The keys of one file: the current one first, then the others in the file's order, newest first."""
        return self._files[name]

    def ids(self, name: str) -> list[str]:
        """The ids of the keys in one file, the current one first."""
        return [key.id for key in self._files[name]]

    def successions(self, name: str) -> list[tuple[SecretKey, SecretKey]]:
        """The rotations of one file: pairs of a key and its predecessor, the oldest rotation first."""
        oldest_first = self._read[name][::-1]
        in_order = sorted(oldest_first, key=lambda key: key.started_at)
        return [(key, former) for former, key in pairwise(in_order)]

    @cached_property
    def changes_at(self) -> datetime | None:
        """When the next of these keys becomes current or stops signing; None if no change is planned."""
        instants = [at for keys in self._read.values() for key in keys for at in (key.active_from, key.until) if at]
        return min((at for at in instants if at > self._now), default=None)

    def as_of(self, now: datetime) -> "Keys":
        """The same keys at another moment."""
        return Keys(self._read, now)

    @property
    def digest_key_id(self) -> str:
        """The id of the key that new digests are made with."""
        return self._files["digest"][0].id

    def digest(self, purpose: str, network_id: int, partner_id: int, value: str) -> bytes:
        """The keyed digest (HMAC-SHA256, 32 bytes) of a value; it differs by purpose, network and partner."""
        return hmac.digest(self._files["digest"][0].secret, _message(purpose, network_id, partner_id, value), "sha256")

    def digests(self, purpose: str, network_id: int, partner_id: int, value: str) -> tuple[bytes, ...]:
        """A value's digests under every digest key, the current key's first. It is stored under one of them."""
        message = _message(purpose, network_id, partner_id, value)
        return tuple(hmac.digest(secret, message, "sha256") for secret in self._digest_secrets.values())

    def digest_with(self, key_id: str, purpose: str, network_id: int, partner_id: int, value: str) -> bytes | None:
        """A value's digest under the key with this id; None if that key was dropped."""
        secret = self._digest_secrets.get(key_id)
        message = _message(purpose, network_id, partner_id, value)
        return None if secret is None else hmac.digest(secret, message, "sha256")

    @property
    def ciphertext_prefix(self) -> bytes:
        """The first bytes of every ciphertext under the current key: the key id's length with BOUND, and the key id."""
        return bytes([BOUND | len(self._current_sealing)]) + self._current_sealing.encode()

    def encrypt(self, value: bytes, associated_data: str) -> bytes:
        """Encrypt a value with AES-256-GCM and bind it to its associated data (associated_data.py). Returns the key
        id's length, the key id, the nonce, and the ciphertext with its tag.
        """
        nonce = os.urandom(_NONCE_LENGTH)
        encrypted = self._ciphers[self._current_sealing].encrypt(nonce, value, associated_data.encode())
        return self.ciphertext_prefix + nonce + encrypted

    def decrypt(self, ciphertext: bytes, associated_data: str) -> bytes:
        """Decrypt what `encrypt` made with the same associated data. Raises Unusable if the key is missing, the bytes
        were altered or moved to another row, or the ciphertext is of the old form that is not bound to a row.
        """
        if not self.is_bound(ciphertext):
            raise Unusable("a sealed value is not bound to its row: run `consent-registry keys reseal`")
        return self._decrypt_any(ciphertext, associated_data)

    def decrypt_unbound(self, ciphertext: bytes, associated_data: str) -> bytes:
        """Decrypt a ciphertext of the old form, not bound to a row; for re-encryption only. Raises Unusable."""
        if self.is_bound(ciphertext):
            raise Unusable("a sealed value was altered or belongs elsewhere")
        return self._decrypt_any(ciphertext, associated_data)

    @staticmethod
    def is_bound(ciphertext: bytes) -> bool:
        """Whether a ciphertext is of the form that is bound to its row."""
        return ciphertext[:1] >= bytes([BOUND])

    def _decrypt_any(self, ciphertext: bytes, associated_data: str) -> bytes:
        end = 1 + (int.from_bytes(ciphertext[:1], "big") & ~BOUND)
        cipher = self._ciphers.get(ciphertext[1:end].decode("utf-8", "replace"))
        if cipher is None:
            raise Unusable("a sealed value names a sealing key that is not in the key file")
        try:
            nonce, encrypted = ciphertext[end : end + _NONCE_LENGTH], ciphertext[end + _NONCE_LENGTH :]
            return cipher.decrypt(nonce, encrypted, associated_data.encode())
        except (InvalidTag, ValueError) as error:
            raise Unusable("a sealed value was altered or belongs elsewhere") from error

    @property
    def log_key_id(self) -> str:
        """The id of the key that signs new receipts."""
        return self._files["log"][0].id

    def sign_receipt(self, log_origin: str, claims: bytes, key_id: str | None) -> str:
        """Sign a receipt: a JWS (RFC 7515, compact, EdDSA of RFC 8037) over `claims` with the log key `key_id`, so that
        a repeated receipt has the same bytes. None, in records from before key rotation, means the oldest key. If the
        key was dropped, the current key signs.
        """
        header, key = self._receipt_signer(log_origin, key_id)
        signing_input = header + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
        return f"{signing_input.decode()}.{base64url(key.sign(signing_input))}"

    def _receipt_signer(self, log_origin: str, key_id: str | None) -> tuple[bytes, ed25519.Ed25519PrivateKey]:
        if (log_origin, key_id) not in self._signers:
            ids = self.ids("log")
            wanted = self._read["log"][-1].id if key_id is None else key_id
            number = ids.index(wanted) if wanted in ids else 0
            key = self._log.all(log_origin)[number]
            header = {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": ed25519_thumbprint(key)}
            encoded = base64url(json.dumps(header, separators=(",", ":")).encode()).encode()
            self._signers[log_origin, key_id] = (encoded, key)
        return self._signers[log_origin, key_id]

    def public_token_keys(self) -> list[dict[str, str]]:
        """The public token keys as JWKs (RFC 7517), the current one first."""
        return [
            {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, **_coordinates(key)}
            for kid, key in self.token_keys.items()
        ]

    def public_receipt_keys(self, log_origin: str) -> list[dict[str, str]]:
        """The public keys of one network's log as JWKs (RFC 8037), the current one first."""
        return [_receipt_jwk(key, log_origin) for key in self._log.all(log_origin)]

    def log_vkey(self, log_origin: str) -> str:
        """The current verifier key of one network's log (C2SP signed-note): name, key id, type and key."""
        return log_vkey(log_origin, self.log_key(log_origin))

    def log_vkeys(self, log_origin: str) -> list[str]:
        """The verifier keys that check signatures of one network's log, the current one first."""
        return [log_vkey(log_origin, key) for key in self._log.all(log_origin)]

    def log_vkeys_by_id(self, log_origin: str) -> dict[str, str]:
        """The verifier keys of one network's log, by key id in `log.json`."""
        return dict(zip(self.ids("log"), self.log_vkeys(log_origin), strict=True))

    def log_key(self, log_origin: str) -> ed25519.Ed25519PrivateKey:
        """The current signing key of one network's log."""
        return self._log.all(log_origin)[0]

    def log_keys(self, log_origin: str) -> tuple[ed25519.Ed25519PrivateKey, ...]:
        """The keys that sign the checkpoints of one network's log now (log_keys.py)."""
        return self._log.signing(log_origin)


def load_keys(directory: Path, now: datetime | None = None) -> Keys:
    """Read the key files as of now. Raises Unusable for a file that is missing, unsafe or malformed."""
    return Keys(read_key_files(directory), now or datetime.now(UTC))


def _current_first(name: str, keys: tuple[SecretKey, ...], now: datetime) -> tuple[SecretKey, ...]:
    current = current_key(keys, now)
    if current is None:
        raise Unusable(f"no key in key file {name}.json is active yet: the time of its active_from has not come")
    return (current, *(key for key in keys if key is not current))


def _message(purpose: str, network_id: int, partner_id: int, value: str) -> bytes:
    return f"{purpose}\0{network_id}\0{partner_id}\0{value}".encode()


def _receipt_jwk(key: ed25519.Ed25519PrivateKey, log_origin: str) -> dict[str, str]:
    kid, x = ed25519_thumbprint(key), base64url(public_bytes(key))
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x, "log_origin": log_origin}


def _token_key(key: SecretKey) -> tuple[str, ec.EllipticCurvePrivateKey]:
    """The P-256 key derived from a secret, and its RFC 7638 thumbprint as key id."""
    kdf = HKDF(hashes.SHA256(), 48, None, b"consent-registry token key")
    # 48 bytes reduced modulo the group order: the bias is below 2^-128 (FIPS 186-5 A.2.1).
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    scalar = int.from_bytes(kdf.derive(key.secret), "big") % (order - 1) + 1
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    point = _coordinates(private)
    thumbprint = hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{point["x"]}","y":"{point["y"]}"}}'.encode()).digest()
    return base64url(thumbprint), private


def _coordinates(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}


def ed25519_thumbprint(key: ed25519.Ed25519PrivateKey) -> str:
    """The RFC 7638 thumbprint of an Ed25519 public key, the key id of receipts."""
    x = base64url(public_bytes(key))
    return base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def base64url(value: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
