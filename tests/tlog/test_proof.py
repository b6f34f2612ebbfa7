"""The proof file, and the policy with which it is verified."""

import base64

import pytest

from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosign
from consent_registry.tlog.merkle import ProofRefused, leaf_hash, root
from consent_registry.tlog.note import COSIGNATURE, NoteRefused, SignedNote, SignerKey
from consent_registry.tlog.policy import Policy, PolicyRefused, open_trusted
from consent_registry.tlog.proof import TlogProof

ENTRIES = [b"entry 0", b"entry 1"]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
LOG = SignerKey.of_seed("consent.example/log", bytes(range(32)))
WITNESSES = [SignerKey.of_seed(f"w{number}.example", bytes([number]) * 32, COSIGNATURE) for number in range(7, 12)]
ROOT = base64.b64decode("WkdmL9ijF9lgSaP59HxV3GfKZgUbqjaD27GbL+CaB7A=")
CHECKPOINT = sign_checkpoint(Checkpoint(LOG.name, 2, ROOT), [LOG])


def cosigned(*numbers: int) -> bytes:
    """Return the checkpoint with the cosignatures of these witnesses."""
    lines = (cosign(CHECKPOINT.text, WITNESSES[number], 1_700_000_000 + number) for number in numbers)
    return SignedNote(CHECKPOINT.text, (*CHECKPOINT.signatures, *lines)).format()


def policy(*lines: str) -> Policy:
    """Return a policy with the log, five witnesses A to E and these lines."""
    keys = [f"witness {name} {key.verifier}" for name, key in zip("ABCDE", WITNESSES, strict=True)]
    return Policy.parse("\n".join([f"log {LOG.verifier}", *keys, *lines, ""]).encode())


TWO = policy("group g 2 A B", "quorum g")
PROOF = TlogProof(1, (LEAVES[0],), cosigned(0, 1), extra=ENTRIES[1])


def test_the_worked_example() -> None:
    """The log key and root of other programs' sample are computed; its proof has the specified lines and verifies."""
    assert str(LOG.verifier) == "consent.example/log+deb5ad86+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    assert root(LEAVES) == ROOT
    lines = PROOF.format().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(b"entry 1").decode(), "index 1"]
    assert lines[3:5] == [base64.b64encode(LEAVES[0]).decode(), ""]
    assert "\n".join(lines[5:]).encode() == cosigned(0, 1)
    assert TlogProof.parse(PROOF.format()) == PROOF
    trusted = PROOF.verify(ENTRIES[1], TWO)
    assert trusted.checkpoint == Checkpoint(LOG.name, 2, ROOT)
    assert sorted(trusted.cosigned_at.values()) == [1_700_000_000, 1_700_000_001]


def test_a_tree_of_one() -> None:
    """The proof of the only leaf has no hash, and has an `extra` line only if there is extra data."""
    note = sign_checkpoint(Checkpoint(LOG.name, 1, LEAVES[0]), [LOG]).format()
    proof = TlogProof(0, (), note)
    assert proof.format() == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note
    assert TlogProof.parse(proof.format()) == proof
    assert proof.verify(ENTRIES[0], policy("quorum none")).checkpoint.size == 1


def test_a_path_of_several_hashes_is_written_again() -> None:
    """A path of up to 63 hashes is written, one on each line; a longer one is refused."""
    paths = [tuple(bytes([number]) * 32 for number in range(count)) for count in (2, 62, 63, 64)]
    for path in paths[:-1]:
        proof = TlogProof(7, path, PROOF.note)
        assert proof.format().count(b"=\n") >= len(path)
        assert TlogProof.parse(proof.format()) == proof
    with pytest.raises(ProofRefused, match="at most 63 hashes"):
        TlogProof.parse(TlogProof(7, paths[-1], PROOF.note).format())


def test_nothing_but_the_true_one_verifies() -> None:
    """Another entry, index, path, log, quorum or signature is refused; `extra` has no effect."""
    with pytest.raises(ProofRefused):
        PROOF.verify(ENTRIES[0], TWO)
    with pytest.raises(ProofRefused):
        TlogProof(0, PROOF.path, PROOF.note).verify(ENTRIES[1], TWO)
    with pytest.raises(ProofRefused):
        TlogProof(1, (), PROOF.note).verify(ENTRIES[1], TWO)
    with pytest.raises(PolicyRefused, match=r"w7\.example cosigned"):
        TlogProof(1, PROOF.path, cosigned(0)).verify(ENTRIES[1], TWO)
    with pytest.raises(NoteRefused, match="no known key"):
        PROOF.verify(ENTRIES[1], Policy())
    with pytest.raises(NoteRefused, match="does not hold"):
        TlogProof(1, PROOF.path, PROOF.note.replace(b"\n2\n", b"\n3\n")).verify(ENTRIES[1], TWO)
    TlogProof(1, PROOF.path, PROOF.note, extra=b"a lie").verify(ENTRIES[1], TWO)
    TlogProof(1, PROOF.path, cosigned()).verify(ENTRIES[1], TWO, demand_quorum=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PROOF.format().replace(b"@v1", b"@v2"),
        PROOF.format().replace(b"index 1", b"index 01"),
        PROOF.format().replace(b"index 1", b"Index 1"),
        PROOF.format().replace(b"index 1\n", b""),
        PROOF.format().replace(b"index 1\n", b"1\n"),
        b"c2sp.org/tlog-proof@v1\n\n" + PROOF.note,
        b"c2sp.org/tlog-proof@v1\nextra AAAA\n\n" + PROOF.note,
        PROOF.format().replace(b"extra ", b"extra  "),
        PROOF.format().replace(b"extra ", b"extra x"),
        PROOF.format().split(b"\n\n")[0],
        PROOF.format().replace(base64.b64encode(LEAVES[0]), b"AAAA"),
        PROOF.format().replace(base64.b64encode(LEAVES[0]), b"\xc3\xa9"),
        PROOF.format().replace(b"index 1\n", b"index 1\n" + (b"A" * 43 + b"=\n") * 63),
    ],
)
def test_what_is_no_proof(data: bytes) -> None:
    """Another version, malformed numbers or hashes, too many hashes, or a missing checkpoint are refused."""
    with pytest.raises(ProofRefused):
        TlogProof.parse(data)


@pytest.mark.parametrize(
    ("lines", "met", "not_met"),
    [
        (["quorum none"], [(), (0,)], []),
        (["quorum A"], [(0,), (0, 1)], [(), (1,), (1, 2, 3, 4)]),
        (["group g any A B", "quorum g"], [(0,), (1,)], [(), (2,)]),
        (["group g all A B", "quorum g"], [(0, 1)], [(0,), (1, 2)]),
        (["group g 2 A B C", "quorum g"], [(0, 1), (0, 2), (1, 2)], [(0,), (2, 3)]),
        (
            ["group x 2 A B C", "group y any D E", "group both all x y", "quorum both"],
            [(0, 1, 3), (1, 2, 4)],
            [(0, 1, 2), (0, 3, 4)],
        ),
    ],
)
def test_quorums(lines: list[str], met: list[tuple[int, ...]], not_met: list[tuple[int, ...]]) -> None:
    """Single witnesses, any, all, thresholds and groups of groups count as tlog-policy says, also when read again."""
    for chosen in (policy(*lines), Policy.parse(policy(*lines).format())):
        assert chosen == policy(*lines)
        for numbers in met:
            open_trusted(cosigned(*numbers), chosen)
        for numbers in not_met:
            with pytest.raises(PolicyRefused, match="is not met"):
                open_trusted(cosigned(*numbers), chosen)
            assert open_trusted(cosigned(*numbers), chosen, demand_quorum=False).checkpoint.size == 2


def test_white_space_comments_and_addresses() -> None:
    """Tabs and spaces separate words, comments and empty lines are ignored, and a URL may follow a key."""
    text = f"""
    # a comment
\t log  {LOG.verifier}\thttps://registry.example/log
 witness W\xe9 {WITNESSES[0].verifier} https://w.example/submit

quorum\tW\xe9
""".encode("latin-1")
    read = Policy.parse(text)
    assert read.logs[0].url == "https://registry.example/log"
    assert [witness.url for witness in read.witnesses.values()] == ["https://w.example/submit"]
    assert read.is_met_by([WITNESSES[0].verifier])
    assert Policy.parse(read.format()) == read


W = f"witness W {WITNESSES[0].verifier}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has a quorum line"),
        (W, "has a quorum line"),
        ("quorum none\nquorum none\n", "line 2 of the policy: a second quorum"),
        ("quorum W\n" + W, "not defined above"),
        (W + "quorum w\n", "not defined above"),
        (W + "witness V " + W.split()[2] + "\nquorum none\n", "is given twice"),
        (f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none\n", "is given twice"),
        (W + f"witness W {WITNESSES[1].verifier}\nquorum W\n", "is taken"),
        (f"witness none {WITNESSES[1].verifier}\nquorum none\n", "is taken"),
        (W + "group g any none\nquorum g\n", "not defined above"),
        (W + "group W any W\nquorum W\n", "is taken"),
        (W + "group g 0 W\nquorum g\n", "threshold"),
        (W + "group g 2 W\nquorum g\n", "threshold"),
        (W + "group g 01 W\nquorum g\n", "threshold"),
        (W + "group g -1 W\nquorum g\n", "threshold"),
        (W + "group g some W\nquorum g\n", "threshold"),
        (W + "group g any\nquorum g\n", "not a log, witness, group or quorum line"),
        (W + "group g 2 W W\nquorum g\n", "is a member already"),
        (W + "group g any W\ngroup h any W\nquorum h\n", "is a member already"),
        (W + "group g any g\nquorum g\n", "not defined above"),
        (W + "quorum W W\n", "not a log"),
        (f"log {WITNESSES[0].verifier}\nquorum none\n", "is of type 4"),
        (f"witness W {LOG.verifier}\nquorum none\n", "is of type 1"),
        ("log nonsense\nquorum none\n", "line 1"),
        ("quorum none\r\n", "control character"),
        ("quorum none\0\n", "control character"),
        ("threshold 1\nquorum none\n", "not a log"),
    ],
)
def test_what_is_no_policy(text: str, reason: str) -> None:
    """A policy with an undefined, repeated or malformed name, or one that counts a witness twice, is refused with the
    line.
    """
    with pytest.raises(PolicyRefused, match=reason):
        Policy.parse(text.encode())


@pytest.mark.parametrize("place", ["comment", "name", "address"])
def test_which_octets_a_policy_may_hold(place: str) -> None:
    """Tab, newline, printable ASCII and all octets above it are allowed anywhere (tlog-policy, "Character set"); no
    other is.
    """
    for octet in range(256):
        sign = bytes([octet])
        line = {
            "comment": b"#" + sign,
            "name": b"witness W" + sign + b"W " + str(WITNESSES[0].verifier).encode(),
            "address": b"witness W " + str(WITNESSES[0].verifier).encode() + b" a" + sign,
        }[place]
        text = b"quorum none\n" + line + b"\n"
        if octet in {9, 10, *range(0x20, 0x7F), *range(0x80, 0x100)}:
            # In a name a tab, a newline or a space is none of it.
            if place != "name" or octet not in {9, 10, 0x20}:
                read = Policy.parse(text)
                assert Policy.parse(read.format()) == read
        else:
            with pytest.raises(PolicyRefused, match="control character"):
                Policy.parse(text)


def test_who_cosigned_is_named() -> None:
    """If a quorum is not met, the message names the cosigners in order, or says that there are none."""
    for numbers, names in (((), "no witness"), ((1,), "w8.example"), ((3, 1), "w10.example, w8.example")):
        with pytest.raises(PolicyRefused, match=f"^the quorum A is not met: {names} cosigned size 2$"):
            open_trusted(cosigned(*numbers), policy("quorum A"))


def test_a_public_key_counts_once() -> None:
    """A policy with one key under two names is refused, because the signed message does not name the witness."""
    twin = SignerKey.of_seed("twin.example", bytes([7]) * 32, COSIGNATURE)
    text = f"witness A {WITNESSES[0].verifier}\nwitness B {twin.verifier}\ngroup g 2 A B\nquorum g\n"
    with pytest.raises(PolicyRefused, match="is given twice"):
        Policy.parse(text.encode())


def test_a_log_key_is_no_witness() -> None:
    """The log's own signature does not count for a quorum, even with a witness's key material."""
    assert not policy("quorum A").is_met_by([SignerKey.of_seed("w7.example", bytes([7]) * 32).verifier])
