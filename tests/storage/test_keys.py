"""Keys: files nobody else may read, digests that stay apart, seals that hold, and public keys under their own names."""

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent_registry.domain.errors import Unusable
from consent_registry.storage import keys as module
from consent_registry.storage.keys import FILES, Keys, base64url, ed25519_thumbprint, load_keys, make_keys

ORIGIN = "registry.test/small"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with key files just made."""
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def keys(folder: Path) -> Keys:
    """Keys just made."""
    return load_keys(folder)


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_key_files_are_their_owners_alone(folder: Path) -> None:
    """The folder has mode 0700 and each file 0600, whatever the umask was."""
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        f"{name}.json": 0o600 for name in FILES
    }
    before = os.umask(0)
    try:
        make_keys(folder.parent / "open")
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder.parent / "open").iterdir())


def test_key_files_are_made_once(folder: Path) -> None:
    """Making keys again leaves those that are there, byte for byte, and makes the missing one."""
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.name != "log.json"}
    (folder / "log.json").unlink()
    make_keys(folder)
    assert {path: path.read_bytes() for path in kept} == kept
    assert (folder / "log.json").exists()


def _key(secret: bytes) -> bytes:
    return json.dumps({"keys": [{"id": "a", "secret": base64.b64encode(secret).decode()}]}).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        (b"", "is not a list of keys"),
        (b"\xff\x00garbage", "is not a list of keys"),
        (b"[]", "is not a list of keys"),
        (b'{"keys": [{"id": "a"}]}', "is not a list of keys"),
        (b'{"keys": [{"id": "a", "secret": "no base64!"}]}', "is not a list of keys"),
        (b'{"keys": []}', "needs at least one key"),
        (_key(b"\x01" * 31), "needs at least one key of 32 bytes"),
        (_key(b"\x01" * 33), "needs at least one key of 32 bytes"),
        (_key(bytes(32)), "not all zero"),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_an_unusable_key_file_is_named_in_one_line(folder: Path, name: str, content: bytes | None, said: str) -> None:
    """Missing, short, zero or garbage: one line with the file's name, and nothing of what the file holds."""
    path = folder / f"{name}.json"
    path.unlink()
    if content is not None:
        path.touch(0o600)
        path.write_bytes(content)
    with pytest.raises(Unusable) as refusal:
        load_keys(folder)
    line = str(refusal.value)
    assert str(path) in line
    assert said in line
    assert "\n" not in line


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_file_open_to_others_is_refused(folder: Path, mode: int) -> None:
    """A file its group or anybody may open is refused with the command that mends it."""
    (folder / "token.json").chmod(mode)
    with pytest.raises(Unusable, match=r"chmod 600 .*token\.json"):
        load_keys(folder)


def test_what_is_sealed_is_opened_under_its_own_context(keys: Keys) -> None:
    """The value comes back under the same context and under no other, and two seals of one value differ."""
    sealed = keys.seal(b"AWO-1001", "reference 1 2")
    assert keys.unseal(sealed, "reference 1 2") == b"AWO-1001"
    assert b"AWO-1001" not in sealed
    assert keys.seal(b"AWO-1001", "reference 1 2") != sealed
    for context in ("reference 1 3", "reference 12", ""):
        with pytest.raises(Unusable, match="altered or belongs elsewhere"):
            keys.unseal(sealed, context)


def test_any_altered_seal_is_refused(keys: Keys) -> None:
    """Every flipped bit and every cut is Unusable, never another error and never another value."""
    sealed = keys.seal(b"AWO-1001", "c")
    number = int.from_bytes(sealed, "big")
    altered = [(number ^ 1 << bit).to_bytes(len(sealed), "big") for bit in range(len(sealed) * 8)]
    altered += [sealed[:length] for length in range(len(sealed))]
    for one in altered:
        with pytest.raises(Unusable):
            keys.unseal(one, "c")


def test_another_installations_seal_names_an_unknown_key(keys: Keys, folder: Path) -> None:
    """A value sealed with a key that was dropped from the file is refused as such; kept behind a new one it opens."""
    path = folder / "sealing.json"
    old = json.loads(path.read_bytes())["keys"][0]
    sealed = keys.seal(b"x", "c")
    new = {"id": "sealing-2", "secret": base64.b64encode(b"\x02" * 32).decode()}
    path.write_text(json.dumps({"keys": [new]}))
    with pytest.raises(Unusable, match="not in the key file"):
        load_keys(folder).unseal(sealed, "c")
    path.write_text(json.dumps({"keys": [new, old]}))
    rotated = load_keys(folder)
    assert rotated.unseal(sealed, "c") == b"x"
    assert rotated.seal(b"x", "c").startswith(b"\x09sealing-2")
    assert rotated.ids("sealing") == ["sealing-2", "sealing-1"]


def test_digests_stay_apart(keys: Keys, tmp_path: Path) -> None:
    """One value has another digest for each purpose, network, partner and installation; the same one each time."""
    make_keys(tmp_path / "other")
    asked = [
        ("reference", 1, 2, "A"),
        ("receipt code", 1, 2, "A"),
        ("reference", 2, 2, "A"),
        ("reference", 1, 3, "A"),
        ("reference", 1, 2, "B"),
        ("reference", 12, 2, "A"),
        ("reference", 1, 22, "A"),
    ]
    digests = {keys.digest(*one) for one in asked} | {load_keys(tmp_path / "other").digest(*asked[0])}
    assert len(digests) == len(asked) + 1
    assert {len(one) for one in digests} == {32}
    assert keys.digest(*asked[0]) == keys.digest(*asked[0])


def test_digests_that_forget_the_partner_are_found(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with the partner left out two partners' digests are the same, which the test above would see."""
    whole = module.Keys.digest
    monkeypatch.setattr(
        module.Keys, "digest", lambda self, what, network, _, value: whole(self, what, network, 0, value)
    )
    assert keys.digest("reference", 1, 2, "A") == keys.digest("reference", 1, 3, "A")


def _thumbprint(jwk: dict[str, str], members: set[str]) -> str:
    required = {name: jwk[name] for name in sorted(members)}
    return base64url(hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest())


def test_public_keys_are_named_by_their_thumbprints(keys: Keys) -> None:
    """Each key id is the RFC 7638 thumbprint of its key, worked out from the required members alone."""
    (token,) = keys.public_token_keys()
    assert token["kid"] == keys.token_kid == _thumbprint(token, {"crv", "kty", "x", "y"})
    receipt = keys.public_receipt_key(ORIGIN)
    assert receipt["kid"] == _thumbprint(receipt, {"crv", "kty", "x"})
    assert "d" not in token.keys() | receipt.keys()


def test_the_thumbprint_of_the_standards_key() -> None:
    """The Ed25519 key of RFC 8037, appendix A, has the thumbprint that appendix A.3 prints."""
    secret = _from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    thumbprint = ed25519_thumbprint(Ed25519PrivateKey.from_private_bytes(secret))
    assert thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_logs_verifier_key_has_the_form_of_a_signed_note(keys: Keys) -> None:
    """C2SP signed-note: name, first four bytes of SHA-256(name, line feed, type and key), type 1 and key in base64."""
    name, key_id, encoded = keys.log_vkey(ORIGIN).split("+", 2)
    material = base64.b64decode(encoded, validate=True)
    assert (name, material[:1], len(material)) == (ORIGIN, b"\x01", 33)
    assert key_id == hashlib.sha256(ORIGIN.encode() + b"\n" + material).hexdigest()[:8]
    assert material[1:] == _from_base64url(keys.public_receipt_key(ORIGIN)["x"])


def test_each_network_has_a_log_key_of_its_own(keys: Keys, folder: Path) -> None:
    """Two logs of one installation have two keys, the same ones after the next start."""
    other = keys.log_vkey("registry.test/other").rpartition("+")[2]
    assert keys.log_vkey(ORIGIN).rpartition("+")[2] != other
    assert load_keys(folder).log_vkey(ORIGIN) == keys.log_vkey(ORIGIN)


def test_a_receipt_verifies_with_the_published_key(keys: Keys) -> None:
    """The JWS carries algorithm, type and key id, and its signature verifies with the JWK; altered it does not."""
    header, claims, signature = keys.sign_receipt(ORIGIN, b'{"a":1}').split(".")
    jwk = keys.public_receipt_key(ORIGIN)
    assert json.loads(_from_base64url(header)) == {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": jwk["kid"]}
    assert _from_base64url(claims) == b'{"a":1}'
    public = Ed25519PublicKey.from_public_bytes(_from_base64url(jwk["x"]))
    public.verify(_from_base64url(signature), f"{header}.{claims}".encode())
    with pytest.raises(InvalidSignature):
        public.verify(_from_base64url(signature), f"{header}.{claims}x".encode())
