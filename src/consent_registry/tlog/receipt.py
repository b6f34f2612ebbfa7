"""Receipts: a decision's answer signed by the network's log (JWS, RFC 7515, EdDSA). It promises a leaf of the log."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import TypeVar

import msgspec

from consent_registry.tlog.encoding import decode_base64
from consent_registry.tlog.leaf import LEAF_LENGTH, LEAF_VERSION, reference_commitment
from consent_registry.tlog.note import ED25519, NoteRefused, VerifierKey
from consent_registry.tlog.refusal import TlogRefused

TYPE = "consent-receipt+jwt"
_BASE64URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
LARGEST_RECEIPT = 64 * 1024
T = TypeVar("T")


class ReceiptRefused(TlogRefused):
    """A receipt is malformed, or no known log signed it."""


class ReceiptPlace(msgspec.Struct, frozen=True):
    """The position of the decision's record: the log, the index there, and the leaf (33 bytes) in base64."""

    origin: str
    index: int
    leaf: str


class ReceiptClaims(msgspec.Struct, frozen=True):
    """A receipt's signed content. Times are POSIX seconds; the answer could be used until `exp`."""

    iss: str
    iat: int
    exp: int
    jti: str
    aud: str
    network: str
    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    outcome: str
    log: ReceiptPlace
    client_commitment: str


class ReceiptHeader(msgspec.Struct, frozen=True):
    """The protected header of a JWS (RFC 7515)."""

    alg: str
    typ: str
    kid: str
    crit: object = msgspec.UNSET


class Receipt(msgspec.Struct, frozen=True):
    """A receipt with verified signature: its claims, the leaf's bytes, and the id of the log key that signed it."""

    claims: ReceiptClaims
    leaf: bytes
    kid: str

    def is_about(self, reference: str, client_salt: str) -> bool:
        """Whether the receipt is about the client with this reference; `client_salt` is in the decision's answer."""
        try:
            salt, commitment = _decode(client_salt), _decode(self.claims.client_commitment)
        except ReceiptRefused:
            return False
        return hmac.compare_digest(reference_commitment(salt, reference), commitment)


def require_receipt_shape(text: str) -> None:
    """Raise ReceiptRefused for a text that does not have a receipt's form. The signature is not verified."""
    if not all(part and set(part) <= _BASE64URL for part in _split(text)):
        raise ReceiptRefused("a receipt is three parts in base64url with dots between them")


def _split(text: str) -> tuple[str, str, str]:
    if len(text) > LARGEST_RECEIPT or text.count(".") != 2:  # noqa: PLR2004 - header, claims, signature
        raise ReceiptRefused("a receipt is three parts in base64url with dots between them")
    header, claims, signature = text.split(".")
    return header, claims, signature


def open_receipt(text: str, log_keys: Iterable[VerifierKey]) -> Receipt:
    """Read a receipt and verify its signature with the key of the log that it names. Raises ReceiptRefused.

    The key among `log_keys` is found by the log's origin and the header's `kid` (RFC 7638). Keys that the log no longer
    uses count too. `exp` is not checked: a receipt stays valid evidence after the answer expired.
    """
    encoded_header, encoded_claims, encoded_signature = _split(text)
    # 1. Algorithm and type are fixed. The header chooses nothing except the key.
    header = _read(encoded_header, ReceiptHeader, "header")
    if (header.alg, header.typ) != ("EdDSA", TYPE):
        raise ReceiptRefused(f"a receipt is of type {TYPE}, signed with EdDSA")
    if header.crit is not msgspec.UNSET:  # RFC 7515 section 4.1.11: an unknown extension must be refused
        raise ReceiptRefused("the receipt's header demands an extension that is not known here")
    # 2. The key with this id signed these bytes.
    keys = [key for key in log_keys if key.kind == ED25519 and thumbprint(key.public) == header.kid]
    if not keys:
        raise ReceiptRefused("no known log key has the receipt's key id")
    try:
        keys[0].require(f"{encoded_header}.{encoded_claims}".encode(), _decode(encoded_signature))
    except NoteRefused as error:
        raise ReceiptRefused("the signature of the receipt does not hold") from error
    # 3. The key belongs to the log that the claims name, and the claims contain a well-formed leaf.
    claims = _read(encoded_claims, ReceiptClaims, "claims")
    if all(key.name != claims.log.origin for key in keys):
        raise ReceiptRefused(f"the receipt names the log {claims.log.origin}, which did not sign it")
    return Receipt(claims, _leaf(claims.log.leaf), header.kid)


def thumbprint(public: bytes) -> str:
    """The RFC 7638 thumbprint of an Ed25519 public key: the `kid` of receipts."""
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    digest = sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _leaf(encoded: str) -> bytes:
    try:
        leaf = decode_base64(encoded)
    except ValueError as error:
        raise ReceiptRefused(f"the leaf is {error}") from error
    if len(leaf) != LEAF_LENGTH or not leaf.startswith(LEAF_VERSION):
        raise ReceiptRefused(f"a leaf has {LEAF_LENGTH} bytes and begins with its version")
    return leaf


def _read(encoded: str, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(_decode(encoded), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReceiptRefused(f"the receipt's {name} cannot be read: {error}") from error


def _decode(encoded: str) -> bytes:
    """Decode canonical base64url without padding (RFC 7515 section 2)."""
    try:
        value = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReceiptRefused("a part of the receipt is not base64url") from error
    if base64.urlsafe_b64encode(value).rstrip(b"=").decode() != encoded:
        raise ReceiptRefused("a part of the receipt is not base64url in its one spelling")
    return value
