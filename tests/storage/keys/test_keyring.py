"""Digests, encrypted values, signatures and public keys, and which key is current when."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent_registry.domain.errors import Unusable
from consent_registry.storage.files.key_files import make_keys, read_key_files, rotate_key
from consent_registry.storage.keys.keyring import Keys, base64url, ed25519_thumbprint, load_keys
from consent_registry.storage.keys.log_keys import log_vkey

ORIGIN = "registry.test/small"
SECRET = hashlib.sha256(b"a test's").digest()
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AFTER = timedelta(seconds=15)
OVERLAP = timedelta(days=7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with new key files."""
    make_keys(tmp_path / "keys", NOW)
    return tmp_path / "keys"


@pytest.fixture
def keys(folder: Path) -> Keys:
    """New keys."""
    return load_keys(folder)


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_what_is_sealed_is_opened_under_its_own_context(keys: Keys) -> None:
    """A value decrypts under its own context only, and two ciphertexts of one value differ."""
    ciphertext = keys.encrypt(b"AWO-1001", "reference 1 2")
    assert keys.decrypt(ciphertext, "reference 1 2") == b"AWO-1001"
    assert b"AWO-1001" not in ciphertext
    assert keys.encrypt(b"AWO-1001", "reference 1 2") != ciphertext
    for context in ("reference 1 3", "reference 12", ""):
        with pytest.raises(Unusable, match="altered or belongs elsewhere"):
            keys.decrypt(ciphertext, context)


def test_any_altered_seal_is_refused(keys: Keys) -> None:
    """A ciphertext with a flipped bit or a cut raises Unusable, never another error or another value."""
    ciphertext = keys.encrypt(b"AWO-1001", "c")
    number = int.from_bytes(ciphertext, "big")
    altered = [(number ^ 1 << bit).to_bytes(len(ciphertext), "big") for bit in range(len(ciphertext) * 8)]
    altered += [ciphertext[:length] for length in range(len(ciphertext))]
    for ciphertext in altered:
        with pytest.raises(Unusable):
            keys.decrypt(ciphertext, "c")


def test_another_installations_seal_names_an_unknown_key(keys: Keys, folder: Path) -> None:
    """A value under a dropped key is refused with that reason; if the key is kept behind a new one, it decrypts."""
    path = folder / "sealing.json"
    old = json.loads(path.read_bytes())["keys"][0]
    ciphertext = keys.encrypt(b"x", "c")
    new = {"id": "sealing-2", "secret": base64.b64encode(SECRET).decode()}
    path.write_text(json.dumps({"keys": [new]}))
    with pytest.raises(Unusable, match="not in the key file"):
        load_keys(folder).decrypt(ciphertext, "c")
    path.write_text(json.dumps({"keys": [new, old]}))
    rotated = load_keys(folder)
    assert rotated.decrypt(ciphertext, "c") == b"x"
    assert rotated.encrypt(b"x", "c").startswith(b"\x89sealing-2")
    assert rotated.ids("sealing") == ["sealing-2", "sealing-1"]


def test_digests_stay_apart(keys: Keys, tmp_path: Path) -> None:
    """A value's digest differs by purpose, network, partner and installation, and is otherwise stable."""
    make_keys(tmp_path / "other", NOW)
    asked = [
        ("reference", 1, 2, "A"),
        ("receipt code", 1, 2, "A"),
        ("reference", 2, 2, "A"),
        ("reference", 1, 3, "A"),
        ("reference", 1, 2, "B"),
        ("reference", 12, 2, "A"),
        ("reference", 1, 22, "A"),
    ]
    digests = {keys.digest(*arguments) for arguments in asked} | {load_keys(tmp_path / "other").digest(*asked[0])}
    assert len(digests) == len(asked) + 1
    assert {len(digest) for digest in digests} == {32}
    assert keys.digest(*asked[0]) == keys.digest(*asked[0])


class WithoutPartner(Keys):
    """Keys whose digests are the same for all partners."""

    def digest(self, purpose: str, network_id: int, partner_id: int, value: str) -> bytes:
        """The digest as if every reference were partner 0's."""
        return super().digest(purpose, network_id, 0 * partner_id, value)


def test_digests_that_forget_the_partner_are_found(folder: Path) -> None:
    """Control: without the partner two partners' digests are equal, which the test above would find."""
    keys = WithoutPartner(read_key_files(folder), NOW)
    assert keys.digest("reference", 1, 2, "A") == keys.digest("reference", 1, 3, "A")


def _thumbprint(jwk: dict[str, str], members: set[str]) -> str:
    required = {name: jwk[name] for name in sorted(members)}
    return base64url(hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest())


def test_public_keys_are_named_by_their_thumbprints(keys: Keys) -> None:
    """Each key id is the RFC 7638 thumbprint of its key."""
    (token,) = keys.public_token_keys()
    assert token["kid"] == keys.token_kid == _thumbprint(token, {"crv", "kty", "x", "y"})
    receipt = keys.public_receipt_keys(ORIGIN)[0]
    assert receipt["kid"] == _thumbprint(receipt, {"crv", "kty", "x"})
    assert "d" not in token.keys() | receipt.keys()


def test_the_thumbprint_of_the_standards_key() -> None:
    """The Ed25519 key of RFC 8037, appendix A, has the thumbprint of appendix A.3."""
    secret = _from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    thumbprint = ed25519_thumbprint(Ed25519PrivateKey.from_private_bytes(secret))
    assert thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_logs_verifier_key_has_the_form_of_a_signed_note(keys: Keys) -> None:
    """C2SP signed-note: name, first four bytes of SHA-256(name, line feed, type and key), type 1 and key in base64."""
    name, key_id, encoded = keys.log_vkey(ORIGIN).split("+", 2)
    material = base64.b64decode(encoded, validate=True)
    assert (name, material[:1], len(material)) == (ORIGIN, b"\x01", 33)
    assert key_id == hashlib.sha256(ORIGIN.encode() + b"\n" + material).hexdigest()[:8]
    assert material[1:] == _from_base64url(keys.public_receipt_keys(ORIGIN)[0]["x"])


def test_each_network_has_a_log_key_of_its_own(keys: Keys, folder: Path) -> None:
    """Two logs of one installation have different keys, which a restart does not change."""
    foreign = keys.log_vkey("registry.test/other").rpartition("+")[2]
    assert keys.log_vkey(ORIGIN).rpartition("+")[2] != foreign
    assert load_keys(folder).log_vkey(ORIGIN) == keys.log_vkey(ORIGIN)


def test_a_receipt_verifies_with_the_published_key(keys: Keys) -> None:
    """A receipt names algorithm, type and key id, and verifies with the published JWK unless altered."""
    header, claims, signature = keys.sign_receipt(ORIGIN, b'{"a":1}', None).split(".")
    jwk = keys.public_receipt_keys(ORIGIN)[0]
    assert json.loads(_from_base64url(header)) == {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": jwk["kid"]}
    assert _from_base64url(claims) == b'{"a":1}'
    public = Ed25519PublicKey.from_public_bytes(_from_base64url(jwk["x"]))
    public.verify(_from_base64url(signature), f"{header}.{claims}".encode())
    with pytest.raises(InvalidSignature):
        public.verify(_from_base64url(signature), f"{header}.{claims}x".encode())


@pytest.mark.parametrize("name", ["digest", "sealing", "token", "log"])
def test_a_new_key_is_known_before_it_is_current(folder: Path, name: str) -> None:
    """A new key reads and verifies at once, and becomes current at its time."""
    now = datetime.now(UTC)
    fresh = rotate_key(folder, name, now, AFTER, OVERLAP)
    published = load_keys(folder)
    assert published.ids(name) == [f"{name}-1", f"{name}-2"]
    assert published.changes_at == fresh.active_from == now + AFTER
    assert published.as_of(now + AFTER - timedelta(microseconds=1)).ids(name) == [f"{name}-1", f"{name}-2"]
    assert published.as_of(now + AFTER).ids(name) == [f"{name}-2", f"{name}-1"]


def test_what_the_new_key_made_is_read_by_who_still_uses_the_old_one(folder: Path) -> None:
    """During a rotation servers with the old and with the new current key read each other's digests, ciphertexts and
    tokens.
    """
    now = datetime.now(UTC)
    for name in ("digest", "sealing", "token"):
        rotate_key(folder, name, now, AFTER, OVERLAP)
    before = load_keys(folder)
    after = before.as_of(now + AFTER)
    for maker, reader in ((before, after), (after, before)):
        assert reader.decrypt(maker.encrypt(b"x", "c"), "c") == b"x"
        assert maker.digest("reference", 1, 2, "A") in reader.digests("reference", 1, 2, "A")
        assert maker.digest("reference", 1, 2, "A") == reader.digest_with(maker.digest_key_id, "reference", 1, 2, "A")
        assert maker.token_kid in reader.token_keys
        assert maker.token_kid in [key["kid"] for key in reader.public_token_keys()]
    assert before.digest("reference", 1, 2, "A") != after.digest("reference", 1, 2, "A")
    assert before.token_kid != after.token_kid
    assert after.digests("reference", 1, 2, "A")[0] == after.digest("reference", 1, 2, "A")
    assert after.digest_with("digest-3", "reference", 1, 2, "A") is None


def test_the_previous_log_key_signs_checkpoints_for_the_overlap(folder: Path) -> None:
    """Checkpoints are signed by the old log key, then by both with the new one first, then by the new one; verifiers
    get both.
    """
    old = load_keys(folder)
    now = datetime.now(UTC)
    rotate_key(folder, "log", now, AFTER, OVERLAP)
    published = load_keys(folder)
    during, over = published.as_of(now + AFTER), published.as_of(now + AFTER + OVERLAP)

    def signing(keys: Keys) -> list[str]:
        return [log_vkey(ORIGIN, key) for key in keys.log_keys(ORIGIN)]

    (old_vkey,) = old.log_vkeys(ORIGIN)
    new_vkey = during.log_vkey(ORIGIN)
    assert signing(old) == signing(published) == [old_vkey]
    assert signing(during) == [new_vkey, old_vkey]
    assert signing(over) == [new_vkey]
    assert published.log_vkeys(ORIGIN) == [old_vkey, new_vkey]
    assert during.log_vkeys(ORIGIN) == over.log_vkeys(ORIGIN) == [new_vkey, old_vkey]
    assert during.changes_at == now + AFTER + OVERLAP
    assert over.changes_at is None


def test_receipts_of_an_earlier_log_key_verify_with_the_published_keys(folder: Path) -> None:
    """After a rotation the key set still has the key of an old receipt, and a new receipt names the new key."""
    old = load_keys(folder)
    receipt = old.sign_receipt(ORIGIN, b"{}", old.log_key_id)
    now = datetime.now(UTC)
    rotate_key(folder, "log", now, AFTER, OVERLAP)
    after = load_keys(folder).as_of(now + AFTER)
    assert receipt == after.sign_receipt(ORIGIN, b"{}", "log-1") == after.sign_receipt(ORIGIN, b"{}", None)
    assert receipt == load_keys(folder).sign_receipt(ORIGIN, b"{}", None)
    by_kid = {key["kid"]: key for key in after.public_receipt_keys(ORIGIN)}
    assert (
        next(iter(by_kid))
        == json.loads(_from_base64url(after.sign_receipt(ORIGIN, b"{}", after.log_key_id).split(".")[0]))["kid"]
    )
    header, claims, signature = receipt.split(".")
    public = Ed25519PublicKey.from_public_bytes(
        _from_base64url(by_kid[json.loads(_from_base64url(header))["kid"]]["x"])
    )
    public.verify(_from_base64url(signature), f"{header}.{claims}".encode())
