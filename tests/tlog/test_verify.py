"""Verifying a whole log: an honest log holds, and each fault of a dishonest one is named."""

import base64
import json
from collections.abc import Callable

import pytest

from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent, format_bundle
from consent_registry.tlog.leaf import make_leaf
from consent_registry.tlog.note import SignerKey
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.report import SHOWN, Report, Verdict
from consent_registry.tlog.verify import VerifierInputs, verify_log
from tests.tlog.small_log import KEY, KEY_ONLY, NOW, OLD_KEY, ORIGIN, WITNESSED, SmallLog, event

SIZES = [1, 2, 255, 256, 257, 600]
SIZE = 600


def verdicts(report: Report) -> dict[str, str]:
    """Return each check's verdict."""
    return {check.name: check.verdict.value for check in report.checks}


def verify(log: SmallLog, policy: Policy = KEY_ONLY, **given: object) -> Report:
    """Verify a log's files."""
    return verify_log(log.files.get, VerifierInputs(policy=policy, **given))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
def test_an_honest_log_holds(size: int) -> None:
    """With witnesses, freshness, kept checkpoints of every size, all events and all receipts, everything holds."""
    log = SmallLog.of(size)
    done: list[tuple[int, int]] = []
    given = VerifierInputs(
        policy=WITNESSED,
        kept=[(f"kept-{old}", log.checkpoint(old)) for old in range(size + 1)],
        receipts=[(f"receipt-{index}", log.receipt(index).encode()) for index in range(size)],
        events=log.bundle(),
        at_seconds=NOW + 60,
        max_age=60,
    )
    report = verify_log(log.files.get, given, lambda *step: done.append(step))
    assert report.verdict == Verdict.HOLDS, report
    assert set(verdicts(report).values()) == {"holds"}
    assert (report.origin, report.size) == (ORIGIN, size)
    assert done[-1] == (size, size)
    assert report.codes() == set()


def test_an_empty_log() -> None:
    """A log of size 0 holds, with kept checkpoints of size 0."""
    log = SmallLog.of(0)
    assert verify(log, kept=[("kept", log.checkpoint(0))], events=log.bundle()).verdict == Verdict.HOLDS


def test_what_was_not_given_is_not_asked() -> None:
    """With only the log's key, signature, entries and tiles are checked, and the other checks are `not_asked`."""
    assert verdicts(verify(SmallLog.of(300))) == {
        "checkpoint": "holds",
        "witnesses": "not_asked",
        "freshness": "not_asked",
        "entries": "holds",
        "tiles": "holds",
        "kept checkpoints": "not_asked",
        "receipts": "not_asked",
        "events": "not_asked",
    }


def test_full_tiles_stand_in_for_partial_ones() -> None:
    """If a partial tile or bundle was replaced by its full one, the full one is read."""
    log, later = SmallLog.of(300), SmallLog.of(512)
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44"):
        del log.files[path]
    assert verify(log).codes() == {"bundle_missing", "tile_missing"}
    log.files |= {path: later.files[path] for path in ("tile/0/001", "tile/entries/001")}
    assert verify(log).verdict == Verdict.HOLDS


Tamper = Callable[[SmallLog], None]


def _flip(path: str, at: int) -> Tamper:
    def tamper(log: SmallLog) -> None:
        data = bytearray(log.files[path])
        data[at] ^= 1
        log.files[path] = bytes(data)

    return tamper


def _drop(path: str) -> Tamper:
    def tamper(log: SmallLog) -> None:
        del log.files[path]

    return tamper


def _cut(path: str, to: int) -> Tamper:
    def tamper(log: SmallLog) -> None:
        log.files[path] = log.files[path][:to]

    return tamper


def _rewritten(log: SmallLog) -> None:
    """Return a log with another leaf 10 and everything under the signed checkpoint made again."""
    signed = log.files["checkpoint"]
    log.leaves[10] = make_leaf(b"another event", bytes(32))
    log.publish()
    log.files["checkpoint"] = signed


def _swapped(log: SmallLog) -> None:
    signed = log.files["checkpoint"]
    log.leaves[10], log.leaves[11] = log.leaves[11], log.leaves[10]
    log.publish()
    log.files["checkpoint"] = signed


def _foreign_entry(log: SmallLog) -> None:
    log.leaves[10] = b"\2" + log.leaves[10][1:]
    log.publish()


@pytest.mark.parametrize(
    ("tamper", "codes", "place"),
    [
        (_flip("checkpoint", 25), {"checkpoint_refused"}, None),
        (_drop("checkpoint"), {"checkpoint_missing"}, None),
        (_flip("tile/entries/000", 35 * 10 + 9), {"entry_hash", "root", "tile_differs"}, 10),
        (_flip("tile/entries/000", 35 * 10 + 2), {"entry_shape", "entry_hash", "root", "tile_differs"}, 10),
        (_flip("tile/entries/000", 35 * 10 + 1), {"bundle_malformed"}, 0),
        (_cut("tile/entries/000", 35 * 255), {"bundle_malformed"}, 0),
        (_cut("tile/entries/000", 35 * 255 + 3), {"bundle_malformed"}, 0),
        (_drop("tile/entries/001"), {"bundle_missing"}, 256),
        (_flip("tile/0/000", 32 * 10), {"tile_differs"}, 10),
        (_flip("tile/0/002.p/88", 32 * 87), {"tile_differs"}, 599),
        (_flip("tile/1/000.p/2", 32), {"tile_differs"}, 256),
        (_drop("tile/0/001"), {"tile_missing"}, None),
        (_drop("tile/1/000.p/2"), {"tile_missing"}, None),
        (_cut("tile/1/000.p/2", 63), {"tile_malformed"}, None),
        (_rewritten, {"root"}, None),
        (_swapped, {"root"}, None),
        (_foreign_entry, {"entry_shape"}, 10),
    ],
)
def test_altered_files(tamper: Tamper, codes: set[str], place: int | None) -> None:
    """Each altered, truncated or missing file is found, and the leaf or the file is named."""
    log = SmallLog.of(SIZE)
    tamper(log)
    report = verify(log)
    assert report.verdict == Verdict.FAILS
    assert report.codes() == codes
    if place is not None:
        assert place in {finding.index for check in report.checks for finding in check.findings}


def test_a_bad_tile_does_not_accuse_the_entries() -> None:
    """If the entries give the signed root, the tile is wrong; otherwise the entries are."""
    log = SmallLog.of(SIZE)
    _flip("tile/0/000", 32 * 10)(log)
    assert (verdicts(verify(log))["entries"], verdicts(verify(log))["tiles"]) == ("holds", "fails")
    log = SmallLog.of(SIZE)
    _flip("tile/entries/000", 35 * 10 + 9)(log)
    assert verdicts(verify(log))["entries"] == "fails"


def test_when_neither_entries_nor_hashes_are_there() -> None:
    """A part of the log that cannot be read is not reported as holding."""
    log = SmallLog.of(SIZE)
    _drop("tile/entries/001")(log)
    _drop("tile/0/001")(log)
    report = verify(log, kept=[("kept", log.checkpoint(300))], events=log.bundle())
    assert report.verdict == Verdict.FAILS
    assert {verdicts(report)[name] for name in ("kept checkpoints", "events")} == {"untold"}


def test_many_findings_are_counted_and_the_first_shown() -> None:
    """A report with many findings shows the first and counts all."""
    log = SmallLog.of(SIZE)
    report = verify(log, events=log.bundle(without=set(range(500))))
    [events] = [check for check in report.checks if check.name == "events"]
    assert (events.count, len(events.findings)) == (500, SHOWN)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("another past", {"kept_root"}),
        ("larger", {"kept_larger"}),
        ("other log", {"kept_refused"}),
        ("unsigned", {"kept_refused"}),
        ("old key", {"kept_refused"}),
    ],
)
def test_kept_checkpoints(name: str, codes: set[str]) -> None:
    """A log that was rewritten or truncated later, with valid new signatures, is found by the kept checkpoints."""
    log, kept = SmallLog.of(SIZE), SmallLog.of(SIZE + 100)
    kept.leaves[3] = make_leaf(b"as it was", bytes(32))
    given = {
        "another past": kept.checkpoint(300),
        "larger": kept.checkpoint(SIZE + 1),
        "other log": kept.checkpoint(300).replace(ORIGIN.encode(), b"registry.test/other"),
        "unsigned": b"no note",
        "old key": log.checkpoint(300, signers=(OLD_KEY,)),
    }[name]
    report = verify(log, kept=[("good", log.checkpoint(5)), (name, given)])
    assert report.codes() == codes
    assert verdicts(report)["kept checkpoints"] == "fails"


def test_keys_may_change() -> None:
    """A checkpoint from before a key rotation is verified with the earlier key, and one with both signatures with
    either key.
    """
    log = SmallLog.of(SIZE)
    both = Policy.parse(f"log {KEY.verifier}\nlog {OLD_KEY.verifier}\nquorum none\n".encode())
    assert verify(log, both, kept=[("old", log.checkpoint(300, signers=(OLD_KEY,)))]).verdict == Verdict.HOLDS
    log.files["checkpoint"] = log.checkpoint(SIZE, signers=(OLD_KEY, KEY))
    for policy in (both, KEY_ONLY, Policy.parse(f"log {OLD_KEY.verifier}\nquorum none\n".encode())):
        assert verify(log, policy).verdict == Verdict.HOLDS


def test_witnesses_and_freshness() -> None:
    """A missed quorum, an old cosignature, one from the future, and a missing one each have their own sentence."""
    log = SmallLog.of(5)
    assert verify(log, WITNESSED, at_seconds=NOW + 61, max_age=60).codes() == {"stale"}
    ahead = verify(log, WITNESSED, at_seconds=NOW - 301, max_age=60)
    assert (ahead.verdict, verdicts(ahead)["freshness"]) == (Verdict.UNTOLD, "untold")
    assert verdicts(verify(log, KEY_ONLY, at_seconds=NOW, max_age=60))["freshness"] == "untold"
    second = SignerKey.of_seed("w2.test", bytes(32), 4)
    two = Policy.parse(WITNESSED.format().replace(b"quorum W", f"witness V {second.verifier}\nquorum V".encode()))
    assert verify(log, two).codes() == {"quorum"}


def with_bundle(log: SmallLog, lines: list[bytes]) -> Report:
    """Verify a log with these lines as its events."""
    return verify(log, events=lines)


def test_removed_events() -> None:
    """Events that an erasure or retention lists may be missing; other missing events and returned ones are named."""
    for kind in ("erasure", "retention"):
        log = SmallLog.of(SIZE, **{kind: [[3, 5], [300, 300]]})
        gone = {3, 4, 5, 300}
        assert verify(log, events=log.bundle(gone)).verdict == Verdict.HOLDS
        report = verify(log, events=log.bundle(gone | {6}))
        assert report.codes() == {"event_missing"}
        assert [finding.index for check in report.checks for finding in check.findings] == [6]
        back = verify(log, events=log.bundle(gone - {300}))
        assert back.codes() == {"event_returned"}
        assert [finding.index for check in back.checks for finding in check.findings] == [300]
    assert verify(log, events=log.bundle({SIZE - 1})).codes() == {"event_missing"}


def test_a_slice_says_nothing_of_the_rest() -> None:
    """Each event of a controller's slice is compared, and the absence of other events is no finding."""
    log = SmallLog.of(SIZE)
    report = verify(log, events=log.bundle(set(range(0, SIZE, 2)), slice="north"))
    assert report.verdict == Verdict.HOLDS
    assert "only the slice north" in report.checks[-1].says
    altered = log.bundle(set(range(0, SIZE, 2)), slice="north")
    altered[1] = next(line for line in log.bundle() if b'"index":0,' in line).replace(b'"index":0,', b'"index":1,')
    assert verify(log, events=altered).codes() == {"event_not_opened"}


@pytest.mark.parametrize("actor", ["all", "", "administration"])
def test_a_controller_called_all_has_a_slice_too(actor: str) -> None:
    """The bundle of a controller with the name `all` is not a whole bundle, so nothing is missing from it."""
    log = SmallLog.of(SIZE)
    report = verify(log, events=log.bundle(set(range(0, SIZE, 2)), slice="all", actor=actor))
    assert report.verdict == Verdict.HOLDS
    assert "only the slice all" in report.checks[-1].says
    # Control: without the word whose it is, it is the whole log's, and half of it is missing.
    assert verify(log, events=log.bundle(set(range(0, SIZE, 2)), slice="all")).codes() == {"event_missing"}


def test_a_bundle_made_earlier() -> None:
    """Entries younger than the bundle are not missing, and the report names the first index not compared."""
    log, before = SmallLog.of(SIZE), SmallLog.of(400)
    report = verify(log, events=before.bundle())
    assert report.verdict == Verdict.HOLDS
    assert "entries from 400 on are younger" in report.checks[-1].says
    assert verify(before, events=log.bundle()).codes() == {"events_larger", "event_beyond"}


GOOD = SmallLog.of(20)
LINES = GOOD.bundle()
OTHER = event(7, "decision", outcome="permit")


def line(opened: OpenedEvent) -> bytes:
    """Return one line of a bundle."""
    return list(format_bundle(BundleHead(1, ORIGIN, 20), [opened]))[1]


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ([], {"events_malformed"}),
        ([b"\n", *LINES[1:]], {"events_malformed"}),
        (LINES[1:], {"events_malformed"}),
        ([LINES[0].replace(b'"bundle":1', b'"bundle":2'), *LINES[1:]], {"events_malformed"}),
        ([LINES[0].replace(b"small", b"other"), *LINES[1:]], {"events_other_log"}),
        ([*LINES[:8], line(OTHER), *LINES[9:]], {"event_not_opened"}),
        ([*LINES[:8], line(OpenedEvent(7, GOOD.events[7].event, bytes(32))), *LINES[9:]], {"event_not_opened"}),
        ([*LINES[:8], line(OpenedEvent(7, GOOD.events[7].event, bytes(31))), *LINES[9:]], {"event_not_opened"}),
        (
            [*LINES[:8], line(OpenedEvent(7, GOOD.events[8].event, GOOD.events[8].nonce)), *LINES[9:]],
            {"event_not_opened"},
        ),
        ([*LINES[:8], LINES[9], LINES[8], *LINES[10:]], {"events_order"}),
        ([*LINES[:8], LINES[7], *LINES[8:]], {"events_order"}),
        ([*LINES[:8], b"{}\n", *LINES[9:]], {"events_malformed"}),
        ([*LINES[:8], b"not json\n", *LINES[9:]], {"events_malformed"}),
        ([*LINES[:8], LINES[8][:-20], *LINES[9:]], {"events_malformed"}),
        ([*LINES, line(event(20))], {"event_beyond"}),
        ([*LINES[:1], line(event(-1)), *LINES[1:]], {"events_order"}),
        ([*LINES[:8], b"\xff\n", *LINES[9:]], {"events_malformed"}),
        ([b'{"bundle":1,"origin":"\xff"}\n', *LINES[1:]], {"events_malformed"}),
        ([*LINES[:8], *LINES[9:]], {"event_missing"}),
        (LINES[:-1], {"event_missing"}),
    ],
)
def test_altered_bundles(lines: list[bytes], codes: set[str]) -> None:
    """Altered, exchanged, repeated, missing, foreign or malformed events are each found."""
    assert verify(GOOD, events=lines).codes() == codes
    assert verify(GOOD, events=LINES).verdict == Verdict.HOLDS


def test_an_event_that_is_no_event() -> None:
    """An event that opens its leaf but cannot be read, or whose removal is malformed, is a finding."""
    for bad in (
        b"not json",
        b'{"kind":"\xff"}',
        json.dumps({"kind": "erasure"}).encode(),
        json.dumps({"kind": "erasure", "indices": [[3, 99]]}).encode(),
        json.dumps({"kind": "retention", "indices": [[5, 3]]}).encode(),
    ):
        log = SmallLog.of(20)
        log.events[10] = OpenedEvent(10, bad, bytes(32))
        log.leaves[10] = make_leaf(bad, bytes(32))
        log.publish()
        assert verify(log, events=log.bundle()).codes() == {"event_malformed"}


def test_receipts_against_the_log() -> None:
    """A promised leaf that differs, or that is missing after its time, is a finding; a young one is undecided."""
    log = SmallLog.of(20)
    longer = SmallLog.of(25)
    good = ("good", log.receipt(7).encode())
    assert verify(log, receipts=[good]).verdict == Verdict.HOLDS
    misplaced = log.receipt(7, log={"origin": ORIGIN, "index": 8, "leaf": base64.b64encode(log.leaves[7]).decode()})
    assert verify(log, receipts=[good, ("other", misplaced.encode())]).codes() == {"receipt_leaf"}
    late = longer.receipt(22).encode()
    assert verify(log, WITNESSED, receipts=[("late", late)]).codes() == {"receipt_broken_promise"}
    untold = verify(log, KEY_ONLY, receipts=[good, ("late", late)])
    assert (untold.verdict, untold.codes()) == (Verdict.UNTOLD, set())
    young = longer.receipt(22, iat=NOW - 5).encode()
    assert verify(log, WITNESSED, receipts=[("young", young)]).verdict == Verdict.UNTOLD
    negative = log.receipt(7, log={"origin": ORIGIN, "index": -1, "leaf": base64.b64encode(log.leaves[7]).decode()})
    assert verify(log, receipts=[("negative", negative.encode())]).codes() == {"receipt_broken_promise"}
    assert verify(log, receipts=[("nonsense", b"nonsense")]).codes() == {"receipt_refused"}
