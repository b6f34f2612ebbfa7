"""The findings of a report: which check found what, at which leaf, in which file, and the sentences of checks that
hold.
"""

import base64

import pytest

from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosign
from consent_registry.tlog.leaf import make_leaf
from consent_registry.tlog.merkle import root
from consent_registry.tlog.note import COSIGNATURE, SignedNote, SignerKey
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.report import CheckFinding, Report, Verdict
from consent_registry.tlog.verify import VerifierInputs, verify_log
from tests.tlog.small_log import KEY, KEY_ONLY, NOW, ORIGIN, WITNESS, WITNESSED, SmallLog

SECOND = SignerKey.of_seed("w2.test", bytes([8]) * 32, COSIGNATURE)
TWO = Policy.parse(f"{WITNESSED.format().decode().split('quorum')[0]}witness V {SECOND.verifier}\nquorum W\n".encode())
OTHER = SignerKey.of_seed("registry.test/other", bytes([9]) * 32)
SIZE = 600
LOG = SmallLog.of(SIZE)


def verify(log: SmallLog = LOG, policy: Policy = KEY_ONLY, **given: object) -> Report:
    """Verify a log's files."""
    return verify_log(log.files.get, VerifierInputs(policy=policy, **given))  # type: ignore[arg-type]


def found(report: Report) -> list[tuple[str, CheckFinding]]:
    """Return every finding with the name of its check, after asserting that exactly the checks with findings fail."""
    for check in report.checks:
        assert (check.verdict == Verdict.FAILS) == bool(check.findings)
        assert check.count == len(check.findings)
    return [(check.name, finding) for check in report.checks for finding in check.findings]


def says(report: Report) -> dict[str, tuple[str, str]]:
    """Return each check's verdict and sentence."""
    return {check.name: (check.verdict.value, check.says) for check in report.checks}


def cosigned(size: int, **times: int) -> bytes:
    """Return the log's checkpoint, cosigned by these witnesses at these times."""
    note = SignedNote.parse(LOG.checkpoint(size))
    lines = (cosign(note.text, {"w": WITNESS, "v": SECOND}[name], at) for name, at in times.items())
    return SignedNote(note.text, (note.signatures[0], *lines)).format()


def with_checkpoint(data: bytes) -> SmallLog:
    """Return the log with another checkpoint."""
    return SmallLog(SIZE, LOG.events, LOG.leaves, LOG.files | {"checkpoint": data})


def test_what_is_said_of_an_honest_log() -> None:
    """The report of an honest log has every check with its figures, the checkpoint's data, and the progress."""
    done: list[tuple[int, int]] = []
    given = VerifierInputs(
        policy=WITNESSED,
        kept=[("a", LOG.checkpoint(300)), ("b", LOG.checkpoint(SIZE)), ("c", cosigned(7))],
        receipts=[(str(index), f" {LOG.receipt(index)}\n".encode()) for index in (0, 255, 256, 599)],
        events=LOG.bundle(),
        at_seconds=NOW + 60,
        max_age=60,
    )
    report = verify_log(LOG.files.get, given, lambda *step: done.append(step))
    assert says(report) == {
        "checkpoint": ("holds", f"{ORIGIN} has 600 entries, signed by its key {KEY.verifier.key_id.hex()}"),
        "witnesses": ("holds", "w1.test cosigned; the quorum is W"),
        "freshness": ("holds", "the latest cosignature is 60 s old"),
        "entries": ("holds", "600 entries give the root that was signed"),
        "tiles": ("holds", "4 tiles are those of the tree"),
        "kept checkpoints": ("holds", "the log continues all 3, sizes 300, 600, 7"),
        "receipts": ("holds", "all 4 are in the log as promised"),
        "events": ("holds", "600 events open their leaves; 0 were removed on record"),
    }
    assert (report.origin, report.size) == (ORIGIN, SIZE)
    assert report.root == base64.b64encode(root(LOG.hashes)).decode()
    assert done == [(256, SIZE), (512, SIZE), (SIZE, SIZE)]


NOT_ASKED = {
    "witnesses": ("not_asked", "no policy with witnesses was given"),
    "freshness": ("not_asked", "no greatest age was given"),
    "kept checkpoints": ("not_asked", "none was given"),
    "receipts": ("not_asked", "none was given"),
    "events": ("not_asked", "no events were given"),
}


def test_what_is_said_of_what_was_not_given() -> None:
    """A check whose input is missing is `not_asked`, also if the tree cannot be read, and without a time or an age."""
    assert says(verify()).items() >= NOT_ASKED.items()
    for report in (verify(policy=WITNESSED, at_seconds=NOW), verify(policy=WITNESSED, max_age=60)):
        assert says(report)["freshness"] == NOT_ASKED["freshness"]
    gone = SmallLog(SIZE, LOG.events, LOG.leaves, {"checkpoint": LOG.files["checkpoint"]})
    reason = "neither entries nor hashes of the leaves from 0 on can be read"
    assert says(verify(gone)).items() >= NOT_ASKED.items()
    asked = verify(gone, kept=[("a", LOG.checkpoint(9))], events=LOG.bundle(), receipts=[("b", RECEIPT_OF_LATER)])
    assert {name: says(asked)[name] for name in ("kept checkpoints", "events", "receipts")} == dict.fromkeys(
        ("kept checkpoints", "events", "receipts"), ("untold", reason)
    )


LEAF = base64.b64encode(LOG.leaves[7]).decode()
NEGATIVE = LOG.receipt(7, log={"origin": ORIGIN, "index": -1, "leaf": LEAF}).encode()
RECEIPT_OF_LATER = SmallLog.of(SIZE + 1).receipt(SIZE).encode()


def test_findings_about_the_checkpoint() -> None:
    """A missing or refused checkpoint is a finding that names the file, and no other check begins."""
    for data, code, detail in (
        (None, "checkpoint_missing", "there is no checkpoint"),
        (b"", "checkpoint_refused", "a note is a text, an empty line and signature lines, each ended by a newline"),
    ):
        read = {} if data is None else {"checkpoint": data}
        report = verify_log(read.get, VerifierInputs(policy=KEY_ONLY))
        assert found(report) == [("checkpoint", CheckFinding(code, detail, None, "checkpoint"))]
        assert (len(report.checks), report.origin, report.size, report.root) == (1, None, None, None)


@pytest.mark.parametrize(
    ("at", "verdict", "sentence"),
    [
        (NOW - 301, "untold", "the latest cosignature is 301 s ahead of this machine's clock"),
        (NOW - 300, "holds", "the latest cosignature is -300 s old"),
        (NOW, "holds", "the latest cosignature is 0 s old"),
        (NOW + 60, "holds", "the latest cosignature is 60 s old"),
        (NOW + 61, "fails", "the latest cosignature is 61 s old, more than 60 s"),
    ],
)
def test_freshness(at: int, verdict: str, sentence: str) -> None:
    """The latest cosignature counts; five minutes ahead are accepted, a second more leaves the check undecided."""
    for times in ({"w": NOW}, {"w": NOW, "v": NOW - 5000}, {"w": NOW - 5000, "v": NOW}):
        report = verify(with_checkpoint(cosigned(SIZE, **times)), TWO, at_seconds=at, max_age=60)
        [check] = [check for check in report.checks if check.name == "freshness"]
        assert (check.verdict, check.says or check.findings[0].detail) == (verdict, sentence)
        assert [finding.code for finding in check.findings] == (["stale"] if verdict == "fails" else [])


def test_the_quorum() -> None:
    """The sentence names the cosigners in order, or that there are none; without a cosignature the age is unknown."""
    both = verify(with_checkpoint(cosigned(SIZE, v=NOW, w=NOW)), TWO)
    assert says(both)["witnesses"] == ("holds", "w1.test, w2.test cosigned; the quorum is W")
    nobody = verify(with_checkpoint(cosigned(SIZE)), TWO, at_seconds=NOW, max_age=60)
    detail = "no witness of the policy cosigned, which is less than the quorum W"
    assert found(nobody) == [("witnesses", CheckFinding("quorum", detail))]
    assert says(nobody)["freshness"] == ("untold", "only a witness's cosignature has a time, and there is none")
    wrong = verify(with_checkpoint(cosigned(SIZE, v=NOW)), TWO)
    detail = "w2.test cosigned, which is less than the quorum W"
    assert found(wrong) == [("witnesses", CheckFinding("quorum", detail))]


def test_entries_that_do_not_give_the_root() -> None:
    """If the entries do not give the root, each entry that differs from its tile is a finding; otherwise the tile is
    wrong.
    """
    path, tile = "tile/entries/000", "tile/0/000"
    altered, differing = bytearray(LOG.files[path]), bytearray(LOG.files[tile])
    for index in (3, 200):
        altered[35 * index + 20] ^= 1
        differing[32 * index] ^= 1
    report = verify(SmallLog(SIZE, LOG.events, LOG.leaves, LOG.files | {path: bytes(altered)}))
    above = "tile/1/000.p/2 has a wrong hash for the leaves 0 to 255"
    assert found(report) == [
        ("entries", CheckFinding("root", "the 600 entries do not give the root that was signed")),
        ("entries", CheckFinding("entry_hash", "entry 3 does not match the hash in its tile", 3)),
        ("entries", CheckFinding("entry_hash", "entry 200 does not match the hash in its tile", 200)),
        ("tiles", CheckFinding("tile_differs", above, 0, "tile/1/000.p/2")),
    ]
    report = verify(SmallLog(SIZE, LOG.events, LOG.leaves, LOG.files | {tile: bytes(differing)}))
    assert found(report) == [
        ("tiles", CheckFinding("tile_differs", f"the tile of leaf {index} has a wrong hash for it", index))
        for index in (3, 200)
    ]


def test_kept_checkpoints_that_do_not_fit() -> None:
    """Each wrong kept checkpoint is a finding of its own: refused, of another log, larger, or with another past."""
    policy = Policy.parse(f"log {KEY.verifier}\nlog {OTHER.verifier}\nquorum none\n".encode())
    past = SmallLog.of(SIZE + 1)
    past.leaves[3] = make_leaf(b"as it was", bytes(32))
    foreign = sign_checkpoint(Checkpoint(OTHER.name, 5, root(LOG.hashes[:5])), [OTHER]).format()
    kept = [
        ("a", b"no note"),
        ("b", past.checkpoint(4)),
        ("c", b"none either"),
        ("d", foreign),
        ("e", past.checkpoint(SIZE + 1)),
        ("f", past.checkpoint(SIZE)),
        ("g", LOG.checkpoint(5)),
        ("h", past.checkpoint(3)),
    ]
    no_note = "a note is a text, an empty line and signature lines, each ended by a newline"
    details = [
        ("kept_refused", f"a: {no_note}", "a"),
        ("kept_refused", f"c: {no_note}", "c"),
        ("kept_other_log", "d is of the log registry.test/other", "d"),
        ("kept_larger", "e has 601 entries, the log now has 600: it was cut back", "e"),
        ("kept_root", "the first 4 entries are not those that b was signed for", "b"),
        ("kept_root", "the first 600 entries are not those that f was signed for", "f"),
    ]
    report = verify(policy=policy, kept=kept)
    assert found(report) == [
        ("kept checkpoints", CheckFinding(code, detail, None, path)) for code, detail, path in details
    ]
    assert says(report)["kept checkpoints"] == ("fails", "")


def test_receipts_that_do_not_fit() -> None:
    """Each wrong receipt is a finding of its own: refused, of another log, of another leaf, or beyond the end."""
    longer = SmallLog.of(SIZE + 3)
    policy = Policy.parse(f"{WITNESSED.format().decode()}log {OTHER.verifier}\n".encode())
    receipts = [
        ("a", "a.b.ä"),
        ("b", LOG.receipt(7, OTHER, log={"origin": OTHER.name, "index": 7, "leaf": LEAF})),
        ("c", LOG.receipt(7, log={"origin": ORIGIN, "index": 8, "leaf": LEAF})),
        ("d", NEGATIVE.decode()),
        ("e", longer.receipt(SIZE, iat=NOW - 61)),
        ("f", longer.receipt(SIZE + 2, iat=NOW - 5000)),
        ("g", LOG.receipt(8)),
        ("h", longer.receipt(SIZE, iat=NOW - 60)),
    ]
    report = verify(policy=policy, receipts=[(name, text.encode()) for name, text in receipts])
    broken = "{} promised leaf {}, and the log ends before it"
    refused = "a: a part of the receipt is not base64url"
    assert found(report) == [
        ("receipts", CheckFinding("receipt_refused", refused, None, "a")),
        ("receipts", CheckFinding("receipt_other_log", "b is of the log registry.test/other", None, "b")),
        ("receipts", CheckFinding("receipt_broken_promise", broken.format("d", -1), -1, "d")),
        ("receipts", CheckFinding("receipt_broken_promise", broken.format("e", 600), 600, "e")),
        ("receipts", CheckFinding("receipt_broken_promise", broken.format("f", 602), 602, "f")),
        ("receipts", CheckFinding("receipt_leaf", "c promised another leaf 8 than the log contains", 8, "c")),
    ]


def test_receipts_that_cannot_be_told() -> None:
    """Receipts that are too young, or whose entries are missing, are named as undecided, and the others are still
    compared.
    """
    young, gone = "the leaf is not under this checkpoint, or cannot be read", "tile/entries/001"
    late = [("e", SmallLog.of(SIZE + 3).receipt(SIZE, iat=NOW - 60).encode()), ("f", RECEIPT_OF_LATER)]
    good = [("g", LOG.receipt(8).encode()), ("h", LOG.receipt(300).encode())]
    assert says(verify(policy=KEY_ONLY, receipts=late + good))["receipts"] == ("untold", f"e, f: {young}")
    assert says(verify(policy=WITNESSED, receipts=late[:1]))["receipts"] == ("untold", f"e: {young}")
    empty = SmallLog.of(0)
    first = [("a", LOG.receipt(0).encode())]
    assert says(verify(empty, receipts=first))["receipts"] == ("untold", f"a: {young}")
    assert found(verify(empty, receipts=[("d", NEGATIVE)])) == [
        ("receipts", CheckFinding("receipt_broken_promise", "d promised leaf -1, and the log ends before it", -1, "d"))
    ]
    early = with_checkpoint(cosigned(SIZE, w=NOW, v=NOW - 5000))
    assert found(verify(early, TWO, receipts=late)) == [
        (
            "receipts",
            CheckFinding("receipt_broken_promise", "f promised leaf 600, and the log ends before it", 600, "f"),
        )
    ]
    files = {path: data for path, data in LOG.files.items() if path != gone}
    report = verify(SmallLog(SIZE, LOG.events, LOG.leaves, files), receipts=good)
    assert says(report)["receipts"] == ("untold", f"h: {young}")
