"""A report: how its verdict is computed, which findings are kept, and its form for programs."""

import itertools

import msgspec
import pytest

from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent
from consent_registry.tlog.receipt import Receipt, ReceiptClaims, ReceiptHeader, ReceiptPlace
from consent_registry.tlog.report import Check, CheckFinding, Report, Verdict
from consent_registry.tlog.verify import VerifierInputs
from consent_registry.tlog.verify_events import _KindAndIndices
from tests.tlog.small_log import KEY_ONLY


def test_the_verdict_of_the_whole() -> None:
    """`fails` has priority over `untold`, `untold` over `holds`, and `not_asked` does not count."""
    order = [Verdict.FAILS, Verdict.UNTOLD, Verdict.HOLDS]
    assert Report().verdict == Verdict.HOLDS
    for said in itertools.product(Verdict, repeat=3):
        report = Report(checks=[Check("one", verdict) for verdict in said])
        assert report.verdict == min({*said} - {Verdict.NOT_ASKED} or {Verdict.HOLDS}, key=order.index)


def test_a_check() -> None:
    """A check holds until it has a finding; a failed check does not become undecided, an undecided check may still
    fail.
    """
    report = Report()
    check = report.check("events")
    assert report.checks == [check] == [Check("events", Verdict.HOLDS, "", 0, [])]
    check.untold("no file")
    assert (check.verdict, check.says) == (Verdict.UNTOLD, "no file")
    check.find("code", "detail", index=7, path="file")
    check.untold("no other file")
    assert (check.verdict, check.says, check.count) == (Verdict.FAILS, "no file", 1)
    assert check.findings == [CheckFinding("code", "detail", 7, "file")]
    asked = report.check("entries", Verdict.NOT_ASKED, "nothing given")
    assert (asked.verdict, asked.says, asked.findings) == (Verdict.NOT_ASKED, "nothing given", [])
    assert (report.checks, report.codes()) == ([check, asked], {"code"})


def test_the_first_hundred_are_kept_and_all_are_counted() -> None:
    """Of many findings the first hundred are kept, in their order, and all are counted."""
    check = Check("events")
    for number in range(1, 151):
        check.find("code", str(number))
        assert (check.count, len(check.findings)) == (number, min(number, 100))
    assert [finding.detail for finding in check.findings] == [str(number) for number in range(1, 101)]


def test_a_report_for_programs() -> None:
    """A finding has its leaf's index or its file, and omits missing members."""
    check = Check("events")
    check.find("one", "a")
    check.find("two", "b", index=0)
    check.find("three", "c", path="file")
    assert msgspec.to_builtins(Report("log", 3, "root", [check])) == {
        "origin": "log",
        "size": 3,
        "root": "root",
        "checks": [
            {
                "name": "events",
                "verdict": "fails",
                "says": "",
                "count": 3,
                "findings": [
                    {"code": "one", "detail": "a"},
                    {"code": "two", "detail": "b", "index": 0},
                    {"code": "three", "detail": "c", "path": "file"},
                ],
            }
        ],
    }


PLACE = ReceiptPlace("log", 0, "")
CLAIMS = ReceiptClaims("", 1, 2, "", "", "", "", "", "", [], "", PLACE, "")


@pytest.mark.parametrize(
    ("value", "member"),
    [
        (CheckFinding("code", "detail"), "code"),
        (BundleHead(1, "log", 3), "size"),
        (OpenedEvent(0, b"", b""), "index"),
        (PLACE, "index"),
        (CLAIMS, "outcome"),
        (ReceiptHeader("", "", ""), "alg"),
        (Receipt(CLAIMS, b"", ""), "leaf"),
        (VerifierInputs(policy=KEY_ONLY), "policy"),
        (_KindAndIndices(), "indices"),
    ],
)
def test_what_was_read_stays_as_it_was_read(value: msgspec.Struct, member: str) -> None:
    """Verified values are immutable."""
    with pytest.raises(AttributeError, match="immutable"):
        setattr(value, member, None)


def test_what_is_brought_is_named() -> None:
    """The verifier's keys, checkpoints and receipts are arguments with names, so that they cannot be confused."""
    with pytest.raises(TypeError):
        VerifierInputs(KEY_ONLY)  # type: ignore[call-arg]
