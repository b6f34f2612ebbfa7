"""A small log made by hand: events, leaves, tiles, checkpoint with cosignatures, bundle, receipts and proofs."""

import base64
import hashlib
import json
from dataclasses import dataclass, field

from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosign
from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent, format_bundle
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.leaf import canonical, make_leaf, reference_commitment
from consent_registry.tlog.merkle import leaf_hash, root
from consent_registry.tlog.note import COSIGNATURE, SignedNote, SignerKey
from consent_registry.tlog.policy import Policy, TrustedLog
from consent_registry.tlog.proof import TlogProof
from consent_registry.tlog.receipt import thumbprint
from consent_registry.tlog.tile import Bundle, Tile, encode_bundle, new_tiles
from consent_registry.tlog.tile_proofs import inclusion_path

ORIGIN = "registry.test/small"
KEY = SignerKey.of_seed(ORIGIN, bytes(range(32)))
OLD_KEY = SignerKey.of_seed(ORIGIN, bytes(range(1, 33)))
WITNESS = SignerKey.of_seed("w1.test", bytes([7]) * 32, COSIGNATURE)
NOW = 1_800_000_000
KEY_ONLY = Policy((TrustedLog(KEY.verifier),))
WITNESSED = Policy.parse(f"log {KEY.verifier}\nwitness W {WITNESS.verifier}\nquorum W\n".encode())
SALT = bytes(range(100, 132))
REFERENCE = "AWO-1001"


def event(index: int, kind: str = "decision", **members: object) -> OpenedEvent:
    """Return an event with its nonce; the same for the same arguments."""
    facts = {"v": 1, "kind": kind, "id": f"event-{index}", "network": "small", "client": None, **members}
    return OpenedEvent(index, canonical(facts), hashlib.sha256(b"%d" % index).digest())


@dataclass
class SmallLog:
    """A log whose every byte can be altered before it is signed, or after."""

    size: int
    events: list[OpenedEvent] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, size: int, **removals: list[list[int]]) -> "SmallLog":
        """Make a log. With `erasure=[[3, 5]]` its last event is a removal of these spans."""
        log = cls(size, [event(index) for index in range(size)])
        for kind, spans in removals.items():
            log.events[-1] = event(size - 1, kind, indices=spans)
        log.leaves = [make_leaf(opened.event, opened.nonce) for opened in log.events]
        log.publish()
        return log

    @property
    def hashes(self) -> list[bytes]:
        """Return the leaves' hashes."""
        return [leaf_hash(leaf) for leaf in self.leaves]

    def tiles(self) -> dict[Tile, bytes]:
        """Return all tiles of the tree."""
        return Frontier().extend(self.hashes)[1]

    def publish(self) -> None:
        """Write the files of the leaves as they are now."""
        size = len(self.leaves)
        self.files = {tile.path(): data for tile, data in self.tiles().items()}
        for tile in new_tiles(0, size):
            if tile.level == 0:
                first = tile.number * 256
                bundle = Bundle(tile.number, tile.width)
                self.files[bundle.path()] = encode_bundle(self.leaves[first : first + tile.width])
        self.files["checkpoint"] = self.checkpoint(size)

    def checkpoint(self, size: int, at: int = NOW, signers: tuple[SignerKey, ...] = (KEY,)) -> bytes:
        """Return the signed and cosigned checkpoint at a size."""
        note = sign_checkpoint(Checkpoint(ORIGIN, size, root(self.hashes[:size])), signers)
        return SignedNote(note.text, (*note.signatures, cosign(note.text, WITNESS, at))).format()

    def bundle(self, without: set[int] | None = None, **head: object) -> list[bytes]:
        """Return the bundle of events, without the events in `without`."""
        kept = [opened for opened in self.events if opened.index not in (without or set())]
        return list(format_bundle(BundleHead(**{"bundle": 1, "origin": ORIGIN, "size": self.size, **head}), kept))  # type: ignore[arg-type]

    def proof(self, index: int) -> bytes:
        """Return the proof file of a leaf under the checkpoint."""
        path = inclusion_path(index, len(self.leaves), self.tiles())
        return TlogProof(index, tuple(path), self.files["checkpoint"]).format()

    def receipt(self, index: int, signer: SignerKey = KEY, **changes: object) -> str:
        """Return the receipt that promised this leaf."""
        claims = {
            "iss": "https://registry.test",
            "iat": NOW - 1000,
            "exp": NOW - 700,
            "jti": f"event-{index}",
            "aud": "south",
            "network": "small",
            "sender": "north",
            "recipient": "south",
            "purpose": "support",
            "categories": ["identity"],
            "outcome": "permit",
            "log": {"origin": ORIGIN, "index": index, "leaf": base64.b64encode(self.leaves[index]).decode()},
            "client_commitment": base64url(reference_commitment(SALT, REFERENCE)),
        } | changes
        return jws(
            {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": thumbprint(signer.verifier.public)}, claims, signer
        )


def jws(header: dict[str, object], claims: dict[str, object], signer: SignerKey) -> str:
    """Return a compact JWS."""
    parts = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{parts}.{base64url(signer.private.sign(parts.encode()))}"


def base64url(value: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
