"""A bundle of events compared with a log: the findings, their events, and how much was compared."""

from collections.abc import Sequence

import pytest

from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent, format_bundle, format_event
from consent_registry.tlog.leaf import make_leaf
from consent_registry.tlog.report import Check, CheckFinding, Verdict
from consent_registry.tlog.verify import VerifierInputs, verify_log
from tests.tlog.small_log import KEY_ONLY, ORIGIN, SmallLog, event

SIZE = 600
LOG = SmallLog.of(SIZE)
LINES = LOG.bundle()
# Places of a walk in steps of 256: at the ends of a step, and between.
PLACES = [0, 1, 100, 254, 255, 256, 257, 511, 512, 598, 599]


def compared(lines: Sequence[bytes], log: SmallLog = LOG) -> Check:
    """Return the report about these lines; all other checks of the log hold."""
    report = verify_log(log.files.get, VerifierInputs(policy=KEY_ONLY, events=lines))
    [*others, events] = report.checks
    assert {check.verdict for check in others} <= {Verdict.HOLDS, Verdict.NOT_ASKED}
    return events


def without(*gone: int, log: SmallLog = LOG, **head: object) -> list[bytes]:
    """Return the bundle without these events."""
    return log.bundle(set(gone), **head)


def missing(*indices: int) -> list[CheckFinding]:
    """Return the findings about missing events."""
    detail = "event {} is missing, and no erasure or retention event lists it"
    return [CheckFinding("event_missing", detail.format(index), index) for index in indices]


@pytest.mark.parametrize("index", PLACES)
def test_one_event_that_is_missing(index: int) -> None:
    """A missing event is named wherever it is, and no other event is."""
    check = compared(without(index))
    assert check.findings == missing(index)
    assert check.says == "599 events open their leaves; 0 were removed on record"


@pytest.mark.parametrize(
    "gone",
    [(0, 1), (255, 256), (254, 255), (100, 101, 102), (598, 599), (0, 599), tuple(range(256, 512)), tuple(range(600))],
)
def test_several_events_that_are_missing(gone: tuple[int, ...]) -> None:
    """Missing events are each named once and counted, whether they are adjacent, apart, a whole tile, or all."""
    check = compared(without(*gone))
    assert check.findings == missing(*gone[:100])
    assert check.count == len(gone)
    assert check.says == f"{600 - len(gone)} events open their leaves; 0 were removed on record"


@pytest.mark.parametrize("index", PLACES)
def test_one_event_that_opens_no_leaf(index: int) -> None:
    """An event that is altered, has another nonce, or a nonce of 31 or 33 bytes is named and not counted."""
    opened = LOG.events[index]
    for bad in (
        OpenedEvent(index, opened.event + b" ", opened.nonce),
        OpenedEvent(index, opened.event, bytes(32)),
        OpenedEvent(index, opened.event, opened.nonce[:31]),
        OpenedEvent(index, opened.event, opened.nonce + b"\0"),
    ):
        check = compared([*LINES[: index + 1], format_event(bad), *LINES[index + 2 :]])
        assert check.findings == [CheckFinding("event_not_opened", f"event {index} does not open its leaf", index)]
        assert check.says == "599 events open their leaves; 0 were removed on record"


def test_a_nonce_has_one_spelling() -> None:
    """A shorter nonce is refused: HMAC pads its key with zeros, so it would open the leaf as well."""
    log = SmallLog.of(20)
    facts = log.events[5].event
    log.leaves[5] = make_leaf(facts, bytes(32))
    log.publish()
    lines = [*log.bundle()[:6], format_event(OpenedEvent(5, facts, bytes(31))), *log.bundle()[7:]]
    assert compared(lines, log).findings == [CheckFinding("event_not_opened", "event 5 does not open its leaf", 5)]


def test_removed_on_record() -> None:
    """Removed events are counted; a removed event that is present, and a missing one that was not removed, are
    findings.
    """
    log = SmallLog.of(SIZE, erasure=[[3, 5], [255, 256], [598, 598]])
    gone = (3, 4, 5, 255, 256, 598)
    check = compared(without(*gone, log=log), log)
    assert (check.findings, check.says) == ([], "594 events open their leaves; 6 were removed on record")
    check = compared(without(*gone, 6, 257, 597, log=log), log)
    assert (check.findings, check.says) == (
        missing(6, 257, 597),
        "591 events open their leaves; 6 were removed on record",
    )
    check = compared(without(3, 5, 255, log=log), log)
    assert check.findings == [
        CheckFinding("event_returned", f"event {index} is present although a removal lists it", index)
        for index in (4, 256, 598)
    ]


NORTH = "only the slice north was given, so missing events were not checked"


@pytest.mark.parametrize(
    ("slice_", "size", "says"),
    [
        ("all", 600, "0 were removed on record"),
        ("all", 599, "0 were removed on record; entries from 599 on are younger than the bundle"),
        ("all", 256, "0 were removed on record; entries from 256 on are younger than the bundle"),
        ("north", 600, NORTH),
        (
            "north",
            300,
            f"{NORTH}; entries from 300 on are younger than the bundle",
        ),
    ],
)
def test_what_a_bundle_does_not_hold(slice_: str, size: int, says: str) -> None:
    """Events that are younger than a bundle, or outside its slice, are no findings, and the report says so."""
    lines = without(*range(size, SIZE), slice=slice_, size=size)
    check = compared(lines)
    assert (check.verdict, check.findings, check.says) == ("holds", [], f"{size} events open their leaves; {says}")
    check = compared([lines[0], *lines[2:]])
    assert check.findings == (missing(0) if slice_ == "all" else [])
    check = compared(lines[:-1])
    assert check.findings == (missing(size - 1) if slice_ == "all" else [])


@pytest.mark.parametrize("slice_", ["all", "north"])
def test_a_bundle_holds_nothing_beyond_its_size(slice_: str) -> None:
    """An event at or beyond the bundle's size is a finding: a bundle could hide missing events by naming a smaller
    size.
    """
    beyond = "event {} is beyond the {} entries for which its bundle was made"
    for size, gone, indices in ((599, (), [599]), (10, (10, *range(12, 600)), [11]), (0, range(2, 600), [0, 1])):
        check = compared(without(*gone, slice=slice_, size=size))
        assert check.findings == [CheckFinding("event_beyond", beyond.format(index, size), index) for index in indices]
        assert check.says.startswith(f"{600 - len(gone)} events open their leaves; ")


def test_a_slice_with_an_event_that_came_back() -> None:
    """A returned event is found in a controller's slice too, because the erasure is one of its events."""
    log = SmallLog.of(SIZE, erasure=[[3, 5]])
    check = compared(without(*range(4, 599), log=log, slice="north"), log)
    assert check.findings == [CheckFinding("event_returned", "event 3 is present although a removal lists it", 3)]


ORDER = "events_order"


@pytest.mark.parametrize(
    ("lines", "findings"),
    [
        (
            [format_event(event(0))],
            [CheckFinding("events_malformed", "line 1 of the events is not the head of a bundle: ")],
        ),
        (
            [],
            [
                CheckFinding(
                    "events_malformed", "line 1 of the events is not the head of a bundle: Input data was truncated"
                )
            ],
        ),
        (
            list(format_bundle(BundleHead(2, ORIGIN, SIZE), LOG.events)),
            [CheckFinding("events_malformed", "the bundle of events is of format 2, not 1")],
        ),
        (
            list(format_bundle(BundleHead(1, "registry.test/other", SIZE), LOG.events)),
            [CheckFinding("events_other_log", "the events are of the log registry.test/other")],
        ),
        (
            without(size=601),
            [CheckFinding("events_larger", "the events were exported at size 601, the log is shorter")],
        ),
        (
            [*LINES[:1], b"{}\n", *LINES[2:]],
            [CheckFinding("events_malformed", "line 2 of the events cannot be read: ")],
        ),
        (
            [*LINES[:300], b"{}\n", *LINES[301:]],
            [CheckFinding("events_malformed", "line 301 of the events cannot be read: ")],
        ),
        ([*LINES, b"\n"], [CheckFinding("events_malformed", "line 602 of the events cannot be read: ")]),
        ([*LINES[:9], LINES[8], *LINES[9:]], [CheckFinding(ORDER, "event 7 comes after event 7", 7)]),
        ([*LINES[:257], LINES[258], LINES[257]], [CheckFinding(ORDER, "event 256 comes after event 257", 256)]),
        ([*LINES, LINES[1]], [CheckFinding(ORDER, "event 0 comes after event 599", 0)]),
        ([LINES[0], format_event(event(-1)), *LINES[1:]], [CheckFinding(ORDER, "event -1 comes after event -1", -1)]),
        ([*LINES, format_event(event(600))], [CheckFinding("event_beyond", "event 600 is beyond the log's end", 600)]),
        (
            [*LINES[:-1], format_event(event(600)), format_event(event(700))],
            [CheckFinding("event_beyond", "event 600 is beyond the log's end", 600), *missing(599)],
        ),
    ],
)
def test_lines_that_are_no_bundle(lines: list[bytes], findings: list[CheckFinding]) -> None:
    """Each malformed line is named with its rule, and no event after it is checked."""
    check = compared(lines)
    assert check.verdict == Verdict.FAILS
    assert len(check.findings) == len(findings)
    for finding, expected in zip(check.findings, findings, strict=True):
        # Why JSON cannot be read is told by the library that reads it.
        assert finding.detail.startswith(expected.detail)
        assert (finding.code, finding.index, finding.path) == (expected.code, expected.index, None)
    ended = {"events_malformed", "events_other_log", ORDER} & {finding.code for finding in findings}
    assert bool(check.says) == (not ended)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (b"not json", "JSON is malformed"),
        (b'{"kind":"\xff"}', ""),
        (b'{"kind":7}', "Expected `str`"),
        (b'{"kind":"erasure"}', "a removal must list its places as pairs of numbers"),
        (b'{"kind":"erasure","indices":[[3,10]]}', "removal at 10 lists 3 to 10"),
        (b'{"kind":"retention","indices":[[5,3]]}', "removal at 10 lists 5 to 3"),
    ],
)
def test_an_event_that_says_nothing(facts: bytes, reason: str) -> None:
    """An event without a readable content is counted and named, and its removals excuse nothing."""
    log = SmallLog.of(20)
    log.events[10] = OpenedEvent(10, facts, bytes(32))
    log.leaves[10] = make_leaf(facts, bytes(32))
    log.publish()
    check = compared(log.bundle(), log)
    [found] = check.findings
    assert (found.code, found.index, found.path) == ("event_malformed", 10, None)
    assert found.detail.startswith(f"event 10: {reason}")
    assert check.says == "20 events open their leaves; 0 were removed on record"
    check = compared(without(3, log=log), log)
    assert [finding.code for finding in check.findings] == ["event_malformed", "event_missing"]


def test_events_whose_entries_cannot_be_read() -> None:
    """Events whose entries cannot be read are neither counted nor missing."""
    files = {path: data for path, data in LOG.files.items() if path != "tile/entries/001"}
    for lines, opened, findings in ((LINES, 344, []), (without(256, 300, 512), 343, missing(256, 300, 512))):
        report = verify_log(files.get, VerifierInputs(policy=KEY_ONLY, events=lines))
        assert report.checks[-1].findings == findings
        assert report.checks[-1].says.startswith(f"{opened} events open their leaves")
    report = verify_log(files.get, VerifierInputs(policy=KEY_ONLY, events=[*LINES[:400], LINES[5]]))
    assert [finding.code for finding in report.checks[-1].findings] == [ORDER]
