"""Signed notes (C2SP signed-note): a text, an empty line, and signature lines of named keys.

A signature line names its key by name and key id, SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]. Type 0x01 signs the
text itself; type 0x04 is a witness's cosignature with a time (see cosignature.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent_registry.tlog.encoding import decode_base64, encode_base64
from consent_registry.tlog.refusal import TlogRefused

ED25519 = 0x01
COSIGNATURE = 0x04
KEY_LENGTH = 32
MOST_SIGNATURES = 100
LARGEST_NOTE = 1_000_000
_KEY_ID = 4
_DASH = "\N{EM DASH} "
_PRIVATE = "PRIVATE+KEY+"
_FIRST_PRINTABLE = " "


class NoteRefused(TlogRefused):
    """A note, a key or a signature is malformed or wrong; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the key's name and id, and the signature's bytes."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """The line of a note, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.value)}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read a line without its newline; raises NoteRefused."""
        name, separator, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not separator:
            raise NoteRefused(f"not a signature line: {line[:80]!r}")
        check_name(name)
        try:
            value = decode_base64(encoded)
        except ValueError as error:
            raise NoteRefused(f"the signature of {name} is {error}") from error
        if len(value) <= _KEY_ID:
            raise NoteRefused(f"the signature of {name} is too short")
        return cls(name, value[:_KEY_ID], value[_KEY_ID:])


@dataclass(frozen=True)
class VerifierKey:
    """A public key with the name it signs under and the type of its signatures."""

    name: str
    public: bytes
    kind: int = ED25519

    @cached_property
    def key_id(self) -> bytes:
        """The four bytes that name this key in a signature line."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_KEY_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read `<name>+<hex key id>+<base64(type ‖ public key)>`; raises NoteRefused, also for an unknown type."""
        name, key_id, kind, public = _split_key(text)
        key = cls(name, public, kind)
        if key.key_id.hex() != key_id:
            raise NoteRefused(f"the key of {name} does not have the id {key_id[:20]}")
        return key

    def wrote(self, signature: Signature) -> bool:
        """Whether a signature line names this key. The signature itself is not verified."""
        return (signature.name, signature.key_id) == (self.name, self.key_id)

    def require(self, message: bytes, raw: bytes) -> None:
        """Return if these 64 bytes are this key's Ed25519 signature of the message; raise NoteRefused otherwise."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw, message)
        except (InvalidSignature, ValueError) as error:
            raise NoteRefused(f"the signature of {self.name} does not hold") from error


@dataclass(frozen=True)
class SignerKey:
    """A private key with the name it signs under and the type of its signatures. Its repr shows no secret."""

    name: str
    private: Ed25519PrivateKey
    kind: int = ED25519

    @cached_property
    def verifier(self) -> VerifierKey:
        """The public half."""
        check_name(self.name)
        return VerifierKey(self.name, self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), self.kind)

    @classmethod
    def of_seed(cls, name: str, seed: bytes, kind: int = ED25519) -> "SignerKey":
        """The key of a 32-byte seed (RFC 8032); raises NoteRefused for another length."""
        if len(seed) != KEY_LENGTH:
            raise NoteRefused(f"a seed has {KEY_LENGTH} bytes, not {len(seed)}")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed), kind)

    @classmethod
    def parse(cls, text: str) -> "SignerKey":
        """Read `PRIVATE+KEY+<name>+<hex key id>+<base64(type ‖ seed)>`; raises NoteRefused, without the secret."""
        if not text.startswith(_PRIVATE):
            raise NoteRefused("a private key begins with PRIVATE+KEY+")
        name, key_id, kind, seed = _split_key(text.removeprefix(_PRIVATE))
        key = cls.of_seed(name, seed, kind)
        if key.verifier.key_id.hex() != key_id:
            raise NoteRefused(f"the private key of {name} does not have the id {key_id[:20]}")
        return key

    def format(self) -> str:
        """The private key as text, a secret: `PRIVATE+KEY+…`."""
        seed = bytes([self.kind]) + self.private.private_bytes_raw()
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encode_base64(seed)}"

    def sign(self, text: str) -> Signature:
        """The signature line of a text; Ed25519 is deterministic, so the same text gives the same bytes."""
        if self.kind != ED25519:
            raise NoteRefused(f"{self.name} is a key for cosignatures, not for notes")
        return Signature(self.name, self.verifier.key_id, self.private.sign(text.encode()))


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text that ends with a newline, and its signature lines in order."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> "SignedNote":
        """Read a note; raises NoteRefused. No signature is checked yet: use `verified`."""
        if len(data) > LARGEST_NOTE:
            raise NoteRefused("the note is too long")
        content = _decode(data)
        # The text may contain empty lines. The last empty line separates it from the signatures.
        text, separator, lines = content.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise NoteRefused("a note is a text, an empty line and signature lines, each ended by a newline")
        signatures = tuple(Signature.parse(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MOST_SIGNATURES:
            raise NoteRefused(f"a note has at most {MOST_SIGNATURES} signatures")
        return cls(text + "\n", signatures)

    def format(self) -> bytes:
        """The note's bytes. Only the first signature of a name and id is written: readers disagree about a second."""
        if not self.text.endswith("\n") or not self.signatures:
            raise NoteRefused("a note has a text that ends with a newline, and a signature")
        _decode(self.text.encode())
        first = {(signature.name, signature.key_id): signature for signature in reversed(self.signatures)}
        written = [signature for signature in self.signatures if first[signature.name, signature.key_id] is signature]
        return (self.text + "\n" + "".join(signature.line() for signature in written)).encode()

    def verified(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """The Ed25519 keys among `keys` that signed this text, in the order of the lines, each once.

        Unknown keys are ignored, even if they share the name or the id of a known key. Raises NoteRefused if a
        signature of a known key is wrong. The result is empty if none of the keys signed.
        """
        known = {(key.name, key.key_id): key for key in keys if key.kind == ED25519}
        signers: dict[VerifierKey, None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is not None:
                key.require(self.text.encode(), signature.value)
                signers[key] = None
        return tuple(signers)


def sign_note(text: str, signers: Sequence[SignerKey]) -> SignedNote:
    """Sign a text with each of these keys."""
    return SignedNote(text, tuple(signer.sign(text) for signer in signers))


def check_name(name: str) -> None:
    """Raise NoteRefused unless this can be a key's name: not empty, no Unicode space, no plus, no control character."""
    if not name or "+" in name or any(sign.isspace() or sign < _FIRST_PRINTABLE for sign in name):
        raise NoteRefused(f"not a name for a key: {name[:80]!r}")


def _split_key(text: str) -> tuple[str, str, int, bytes]:
    parts = text.split("+", 2)  # base64 may hold a plus, a name may not
    try:
        name, key_id, encoded = parts
        check_name(name)
        material = decode_base64(encoded)
    except ValueError:
        # The cause is not shown: the text may be a private key.
        raise NoteRefused("a key is written <name>+<key id in hex>+<base64 of type and key>") from None
    if material[:1] not in {bytes([ED25519]), bytes([COSIGNATURE])} or len(material) != 1 + KEY_LENGTH:
        raise NoteRefused(f"the key of {name} is neither Ed25519 (0x01) nor an Ed25519 cosignature (0x04)")
    return name, key_id, material[0], material[1:]


def _decode(data: bytes) -> str:
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteRefused("a note is UTF-8") from error
    if any(sign < _FIRST_PRINTABLE and sign != "\n" for sign in set(content)):
        raise NoteRefused("a note holds no control character but the newline")
    return content
