"""Keys: four key files, each with one or more keys, the first of them current (design.md section 8).

`digest` finds references and codes, `sealing` hides what only its owner may read, `token` signs access tokens (ES256),
`log` signs receipts and, by network, the log. Keys live in files, never in the database.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent_registry.domain.errors import Unusable

FILES = ("digest", "sealing", "token", "log")
SECRET_LENGTH = 32
_NONCE_LENGTH = 12


class Key(msgspec.Struct, frozen=True):
    """One secret of 32 bytes and the id by which stored values name it."""

    id: str
    secret: bytes


class Keys:
    """The keys of one installation, ready for use."""

    def __init__(self, files: dict[str, tuple[Key, ...]]) -> None:
        self._files = files
        self._ciphers = {key.id: AESGCM(key.secret) for key in files["sealing"]}
        self._current_sealing = files["sealing"][0].id
        self._signers: dict[str, tuple[bytes, ed25519.Ed25519PrivateKey]] = {}
        self.token_kid, self.token_key = _token_key(files["token"][0])
        self.token_keys = dict(_token_key(key) for key in files["token"])

    def ids(self, name: str) -> list[str]:
        """The ids of the keys in one file, the current one first."""
        return [key.id for key in self._files[name]]

    @property
    def digest_key_id(self) -> str:
        """The id of the key that new digests are made with."""
        return self._files["digest"][0].id

    def digest(self, purpose: str, network_id: int, partner_id: int, value: str) -> bytes:
        """The keyed digest (HMAC-SHA256, 32 bytes) of a value, apart for each purpose, network and partner."""
        message = f"{purpose}\0{network_id}\0{partner_id}\0{value}".encode()
        return hmac.digest(self._files["digest"][0].secret, message, "sha256")

    def seal(self, value: bytes, context: str) -> bytes:
        """Encrypt (AES-256-GCM) for `context`: key id length, key id, nonce, ciphertext with tag."""
        key_id = self._current_sealing.encode()
        nonce = os.urandom(_NONCE_LENGTH)
        sealed = self._ciphers[self._current_sealing].encrypt(nonce, value, context.encode())
        return bytes([len(key_id)]) + key_id + nonce + sealed

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """What `seal` hid under the same context; raises Unusable when the key is gone or the bytes were altered."""
        end = 1 + int.from_bytes(sealed[:1], "big")
        cipher = self._ciphers.get(sealed[1:end].decode("utf-8", "replace"))
        if cipher is None:
            raise Unusable("a sealed value names a sealing key that is not in the key file")
        try:
            return cipher.decrypt(sealed[end : end + _NONCE_LENGTH], sealed[end + _NONCE_LENGTH :], context.encode())
        except (InvalidTag, ValueError) as error:
            raise Unusable("a sealed value was altered or belongs elsewhere") from error

    def sign_receipt(self, log_origin: str, claims: bytes) -> str:
        """A JWS (RFC 7515, compact, EdDSA of RFC 8037) over `claims` with the log's key."""
        header, key = self._receipt_signer(log_origin)
        signing_input = header + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
        return f"{signing_input.decode()}.{base64url(key.sign(signing_input))}"

    def _receipt_signer(self, log_origin: str) -> tuple[bytes, ed25519.Ed25519PrivateKey]:
        if log_origin not in self._signers:
            key = self.log_key(log_origin)
            header = {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": ed25519_thumbprint(key)}
            self._signers[log_origin] = (base64url(json.dumps(header, separators=(",", ":")).encode()).encode(), key)
        return self._signers[log_origin]

    def public_token_keys(self) -> list[dict[str, str]]:
        """The public token keys as JWKs (RFC 7517), the current one first."""
        return [
            {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, **_coordinates(key)}
            for kid, key in self.token_keys.items()
        ]

    def public_receipt_key(self, log_origin: str) -> dict[str, str]:
        """The public key of one network's log as a JWK (RFC 8037)."""
        key = self.log_key(log_origin)
        kid, x = ed25519_thumbprint(key), base64url(public_bytes(key))
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": kid,
            "x": x,
            "log_origin": log_origin,
        }

    def log_vkey(self, log_origin: str) -> str:
        """The verifier key of one network's log in the form of C2SP signed-note: name, key id, type and key."""
        public = public_bytes(self.log_key(log_origin))
        key_id = hashlib.sha256(log_origin.encode() + b"\n\x01" + public).digest()[:4]
        encoded = base64.b64encode(b"\x01" + public).decode()
        return f"{log_origin}+{key_id.hex()}+{encoded}"

    def log_key(self, log_origin: str) -> ed25519.Ed25519PrivateKey:
        """The signing key of one network's log, derived from the log secret and the log's origin (HKDF-SHA256)."""
        kdf = HKDF(hashes.SHA256(), SECRET_LENGTH, None, f"consent-registry log key\0{log_origin}".encode())
        return ed25519.Ed25519PrivateKey.from_private_bytes(kdf.derive(self._files["log"][0].secret))


def make_keys(directory: Path) -> None:
    """Make the key files that are missing, readable by their owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in FILES:
        path = directory / f"{name}.json"
        if not path.exists():
            secret = base64.b64encode(secrets.token_bytes(SECRET_LENGTH)).decode()
            content = json.dumps({"keys": [{"id": f"{name}-1", "secret": secret}]}, indent=1)
            temporary = path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)


def load_keys(directory: Path) -> Keys:
    """Read the key files; raises Unusable for one that is missing, open to others, or not what it should be."""
    return Keys({name: _read(directory / f"{name}.json") for name in FILES})


def _read(path: Path) -> tuple[Key, ...]:
    if not path.is_file():
        raise Unusable(f"key file {path} is missing")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Unusable(f"key file {path} is readable by others than its owner: chmod 600 {path}")
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, str]]])["keys"]
        keys = tuple(Key(one["id"], base64.b64decode(one["secret"], validate=True)) for one in entries)
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise Unusable(f"key file {path} is not a list of keys with id and secret") from error
    if not keys or any(len(key.secret) != SECRET_LENGTH or key.secret == bytes(SECRET_LENGTH) for key in keys):
        raise Unusable(f"key file {path} needs at least one key of {SECRET_LENGTH} bytes that is not all zero")
    return keys


def _token_key(key: Key) -> tuple[str, ec.EllipticCurvePrivateKey]:
    """The P-256 key that a secret stands for, and its RFC 7638 thumbprint as key id."""
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


def public_bytes(key: ed25519.Ed25519PrivateKey) -> bytes:
    """The 32 bytes of an Ed25519 public key."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def ed25519_thumbprint(key: ed25519.Ed25519PrivateKey) -> str:
    """The RFC 7638 thumbprint of an Ed25519 public key, the key id of receipts."""
    x = base64url(public_bytes(key))
    return base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def base64url(value: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
