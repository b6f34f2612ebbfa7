"""Receipts and their proofs, verified by a recipient with only files and published keys."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent_registry.tlog.leaf import reference_commitment
from consent_registry.tlog.merkle import root
from consent_registry.tlog.note import COSIGNATURE, SignerKey, VerifierKey
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.receipt import ReceiptRefused, open_receipt, thumbprint
from consent_registry.tlog.report import Check, CheckFinding, Report, Verdict
from consent_registry.tlog.verify_receipts import verify_receipt
from tests.tlog.small_log import (
    KEY,
    KEY_ONLY,
    OLD_KEY,
    ORIGIN,
    REFERENCE,
    SALT,
    WITNESSED,
    SmallLog,
    base64url,
    jws,
)

LOG = SmallLog.of(300)
RECEIPT = LOG.receipt(270)
PROOF = LOG.proof(270)
HEADER: dict[str, object] = {"alg": "EdDSA", "typ": "consent-receipt+jwt", "kid": thumbprint(KEY.verifier.public)}
LEAF = base64.b64encode(LOG.leaves[270]).decode()


def codes(report: Report) -> set[str]:
    """Return the report's findings, after asserting that they and the verdict agree."""
    assert (report.verdict == Verdict.FAILS) == bool(report.codes())
    return report.codes()


def test_a_receipt_and_its_proof() -> None:
    """Signature, inclusion, quorum and client hold; another JWS library reads the same claims."""
    report = verify_receipt(RECEIPT + "\n", PROOF, WITNESSED, (REFERENCE, base64url(SALT)))
    assert {check.name: check.verdict.value for check in report.checks} == dict.fromkeys(
        ("receipt", "inclusion", "witnesses", "client"), "holds"
    )
    assert "north to south: permit of identity for support" in report.checks[0].says
    claims = open_receipt(RECEIPT, [KEY.verifier]).claims
    public = Ed25519PublicKey.from_public_bytes(KEY.verifier.public)
    read = jwt.decode(RECEIPT, public, ["EdDSA"], audience="south", options={"verify_exp": False, "verify_iat": False})
    assert (read["jti"], read["log"]["index"], read["exp"]) == (claims.jti, claims.log.index, claims.exp)


def test_the_key_id_is_the_standard_one() -> None:
    """The key id is the thumbprint that RFC 8037 appendix A.3 prints, whatever its last letter is."""
    public = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert {len(thumbprint(bytes([number]) * 32)) for number in range(100)} == {43}


def test_a_salt_may_end_with_any_letter() -> None:
    """A salt of 32 bytes is read whatever its last letter is: base64url has sixteen of them."""
    for number in range(16):
        salt = bytes(31) + bytes([number])
        said = LOG.receipt(270, client_commitment=base64url(reference_commitment(salt, REFERENCE)))
        assert open_receipt(said, [KEY.verifier]).is_about(REFERENCE, base64url(salt))


def test_what_is_said_of_a_receipt() -> None:
    """The report names partners, categories, purpose, the leaf's position, and checks without input."""
    report = verify_receipt(RECEIPT, PROOF, KEY_ONLY)
    assert {check.name: (check.verdict.value, check.says) for check in report.checks} == {
        "receipt": ("holds", "north to south: permit of identity for support, decision event-270"),
        "inclusion": ("holds", f"leaf 270 of 300 entries of {ORIGIN}"),
        "witnesses": ("not_asked", "no policy with witnesses was given"),
        "client": ("not_asked", "no reference was given"),
    }
    assert (report.origin, report.size) == (ORIGIN, 300)
    assert report.root == base64.b64encode(root(LOG.hashes)).decode()
    denial = _changed(outcome="deny", categories=[])
    said = verify_receipt(denial, PROOF, KEY_ONLY).checks[0].says
    assert said == "north to south: deny of nothing for support, decision event-270"
    changed = _changed(categories=["identity", "contact"])
    assert "permit of identity, contact for support" in verify_receipt(changed, PROOF, KEY_ONLY).checks[0].says
    for reference, check in (
        ((REFERENCE, base64url(SALT)), Check("client", Verdict.HOLDS, "the receipt is about this reference")),
        (
            (REFERENCE, ""),
            Check(
                "client",
                Verdict.UNTOLD,
                "the salt is missing: give the whole answer to the decision, not the receipt alone",
            ),
        ),
    ):
        assert verify_receipt(RECEIPT, PROOF, KEY_ONLY, reference).checks[-1] == check


NO_RECEIPT = "a receipt is three parts in base64url with dots between them"
NO_PROOF = "a proof begins with c2sp.org/tlog-proof@v1 and has an empty line before its checkpoint"


def test_findings_about_a_receipt() -> None:
    """Each fault of a receipt is a finding of its check, with the leaf's index; after a refusal no check runs."""
    twice = SmallLog.of(300)
    twice.leaves[271] = twice.leaves[270]
    twice.publish()
    for text, proof, name, finding in (
        ("a.b", PROOF, "receipt", CheckFinding("receipt_refused", NO_RECEIPT)),
        (RECEIPT, b"", "inclusion", CheckFinding("proof_refused", NO_PROOF)),
        (
            RECEIPT,
            twice.proof(271),
            "inclusion",
            CheckFinding("proof_other_leaf", f"the proof is of leaf 271 of {ORIGIN}, the receipt names leaf 270", 270),
        ),
    ):
        checks = verify_receipt(text, proof, KEY_ONLY, (REFERENCE, base64url(SALT))).checks
        failed = [check for check in checks if check.verdict == Verdict.FAILS]
        assert [(check.name, check.findings) for check in failed] == [(name, [finding])]
        assert (failed[0] is checks[-1]) == finding.code.endswith("refused")


def test_whom_it_is_about() -> None:
    """Salt and reference identify the client; another reference or salt is a finding, and without a salt the check is
    undecided.
    """
    assert codes(verify_receipt(RECEIPT, PROOF, KEY_ONLY, ("AWO-1002", base64url(SALT)))) == {"client_other"}
    assert codes(verify_receipt(RECEIPT, PROOF, KEY_ONLY, (REFERENCE, base64url(bytes(32))))) == {"client_other"}
    assert codes(verify_receipt(RECEIPT, PROOF, KEY_ONLY, (REFERENCE, "not base64url!"))) == {"client_other"}
    assert verify_receipt(RECEIPT, PROOF, KEY_ONLY, (REFERENCE, "")).verdict == Verdict.UNTOLD
    assert verify_receipt(RECEIPT, PROOF, KEY_ONLY).verdict == Verdict.HOLDS


def test_an_earlier_key() -> None:
    """A receipt from before a key rotation holds under the earlier key, with a proof under the later key."""
    old = LOG.receipt(270, OLD_KEY)
    both = Policy.parse(f"log {KEY.verifier}\nlog {OLD_KEY.verifier}\nquorum none\n".encode())
    assert verify_receipt(old, PROOF, both).verdict == Verdict.HOLDS
    assert codes(verify_receipt(old, PROOF, KEY_ONLY)) == {"receipt_refused"}


def test_what_does_not_belong_together() -> None:
    """A proof of another leaf, of a forged checkpoint, without its quorum, or a malformed one is refused."""
    assert codes(verify_receipt(RECEIPT, LOG.proof(271), KEY_ONLY)) == {"proof_refused"}
    assert codes(verify_receipt(RECEIPT, PROOF.replace(b"index 270", b"index 269"), KEY_ONLY)) == {"proof_refused"}
    assert codes(verify_receipt(RECEIPT, PROOF.replace(b"\n300\n", b"\n301\n"), KEY_ONLY)) == {"proof_refused"}
    assert codes(verify_receipt(RECEIPT, b"", KEY_ONLY)) == {"proof_refused"}
    # The same leaf twice in a log: the proof must be of the index that was promised.
    twice = SmallLog.of(300)
    twice.leaves[271] = twice.leaves[270]
    twice.publish()
    assert codes(verify_receipt(RECEIPT, twice.proof(271), KEY_ONLY)) == {"proof_other_leaf"}
    foreign = SignerKey.of_seed("w2.test", bytes(32), 4)
    demanding = WITNESSED.format().replace(b"quorum W", f"witness V {foreign.verifier}\nquorum V".encode())
    assert codes(verify_receipt(RECEIPT, PROOF, Policy.parse(demanding))) == {"quorum"}


def _changed(**changes: object) -> str:
    return LOG.receipt(270, KEY, **changes)


STRANGER = SignerKey.of_seed(ORIGIN, bytes([5]) * 32)
FOREIGN = SignerKey.of_seed("registry.test/other", bytes([6]) * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        ".".join([*RECEIPT.split(".")[:2], ""]),
        RECEIPT[:-1],
        RECEIPT + "=",
        RECEIPT + "A",
        RECEIPT.replace(".", "..", 1),
        "." + RECEIPT.split(".", 1)[1],
        jws(HEADER | {"alg": "none"}, {}, KEY),
        jws(HEADER | {"alg": "HS256"}, {}, KEY),
        jws(HEADER | {"typ": "JWT"}, {}, KEY),
        jws(HEADER | {"kid": "other"}, {}, KEY),
        jws(HEADER | {"kid": 7}, {}, KEY),
        jws({"alg": "EdDSA", "typ": "consent-receipt+jwt"}, {}, KEY),
        jws(HEADER, {}, KEY),
        jws(HEADER, {"log": {}}, STRANGER),
        LOG.receipt(270, STRANGER),
        LOG.receipt(270, FOREIGN),
        _changed(log={"origin": "registry.test/other", "index": 270, "leaf": LEAF}),
        _changed(log={"origin": ORIGIN, "index": 270, "leaf": LEAF[:-4]}),
        _changed(log={"origin": ORIGIN, "index": 270, "leaf": "!" + LEAF[1:]}),
        _changed(log={"origin": ORIGIN, "index": 270, "leaf": base64.b64encode(bytes(33)).decode()}),
        _changed(log={"origin": ORIGIN, "index": "270", "leaf": LEAF}),
        _changed(iat="yesterday"),
        _changed(categories="identity"),
        "x" * 70_000,
    ],
)
def test_what_is_no_receipt(text: str) -> None:
    """Other algorithms, types, keys and logs, altered bytes and malformed claims are refused."""
    with pytest.raises(ReceiptRefused):
        open_receipt(text, [KEY.verifier, FOREIGN.verifier])


def test_the_longest_receipt() -> None:
    """A receipt of 64 KiB is read; a longer one is refused."""
    sizes = {len(text): text for text in (_changed(purpose="x" * (48_400 + more)) for more in range(300))}
    longest = max(size for size in sizes if size <= 65_536)
    assert longest == 65_536
    assert open_receipt(sizes[longest], [KEY.verifier]).leaf == LOG.leaves[270]
    with pytest.raises(ReceiptRefused, match="three parts"):
        open_receipt(sizes[min(size for size in sizes if size > 65_536)], [KEY.verifier])


def test_every_flipped_bit() -> None:
    """A flipped bit in header, claims or signature refuses the receipt."""
    for at in range(len(RECEIPT)):
        for bit in range(7):
            altered = RECEIPT[:at] + chr(ord(RECEIPT[at]) ^ 1 << bit) + RECEIPT[at + 1 :]
            with pytest.raises(ReceiptRefused):
                open_receipt(altered, [KEY.verifier])


def test_a_log_key_among_others() -> None:
    """The key is found by its id among many, and a key of another log with the same material is not accepted."""
    twin = VerifierKey("registry.test/other", KEY.verifier.public)
    assert open_receipt(RECEIPT, [FOREIGN.verifier, twin, KEY.verifier]).leaf == LOG.leaves[270]
    with pytest.raises(ReceiptRefused, match="did not sign it"):
        open_receipt(RECEIPT, [twin])
    with pytest.raises(ReceiptRefused, match="no known log key"):
        open_receipt(RECEIPT, [VerifierKey(ORIGIN, KEY.verifier.public, COSIGNATURE)])


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "eddsa"}, {"typ": "JWT"}, {"typ": ""}])
def test_another_algorithm_or_type_is_refused(header: dict[str, object]) -> None:
    """Another algorithm or type in the header is refused, even with a valid signature of the log."""
    claims = json.loads(base64.urlsafe_b64decode(RECEIPT.split(".")[1] + "=="))
    with pytest.raises(ReceiptRefused, match=r"^a receipt is of type consent-receipt.jwt, signed with EdDSA$"):
        open_receipt(jws(HEADER | header, claims, KEY), [KEY.verifier])


def test_a_critical_extension_is_refused() -> None:
    """A header with `crit` is refused, signed or not: no extension is known here (RFC 7515 section 4.1.11)."""
    claims = json.loads(base64.urlsafe_b64decode(RECEIPT.split(".")[1] + "=="))
    assert open_receipt(jws(HEADER | {"more": 1}, claims, KEY), [KEY.verifier]).leaf == LOG.leaves[270]
    for crit in (["b64"], ["more"], [], None):
        with pytest.raises(ReceiptRefused, match="demands an extension"):
            open_receipt(jws(HEADER | {"crit": crit, "b64": False}, claims, KEY), [KEY.verifier])


def test_which_part_cannot_be_read() -> None:
    """The message names the part that cannot be read: header, claims or leaf."""
    for text, reason in (
        (jws(HEADER | {"kid": 7}, {}, KEY), "the receipt's header cannot be read: Expected `str`"),
        (RECEIPT[:-1] + "!", "a part of the receipt is not base64url$"),
        (RECEIPT + "=", "a part of the receipt is not base64url in its one spelling$"),
        (jws(HEADER, {}, KEY), "the receipt's claims cannot be read: Object missing required field"),
        (_changed(log={"origin": ORIGIN, "index": 270, "leaf": LEAF[:-4]}), "a leaf has 33 bytes and begins with"),
        (_changed(log={"origin": ORIGIN, "index": 270, "leaf": LEAF + "AAAA"}), "a leaf has 33 bytes and begins with"),
        (_changed(log={"origin": ORIGIN, "index": 270, "leaf": "B" + LEAF[1:]}), "a leaf has 33 bytes and begins with"),
        (_changed(log={"origin": ORIGIN, "index": 270, "leaf": LEAF + "="}), "the leaf is not canonical base64"),
    ):
        with pytest.raises(ReceiptRefused, match=f"^{reason}"):
            open_receipt(text, [KEY.verifier])
