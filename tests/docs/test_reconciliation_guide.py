"""docs/reconciliation.md says of every kind of finding what the code does, and of no other."""

import re
from pathlib import Path

import pytest

from consent_registry.domain.findings import CLOCKS_DIFFER, EVIDENCE_AFTER, REPORT_AFTER, SEVERITY
from consent_registry.domain.law.rules.all_rules import FINDINGS
from consent_registry.domain.lookups import QUESTIONS_WITHOUT_TRANSFER, REFUSED_REFERENCES
from consent_registry.operations.clients.code_attempts import FAILURES_AN_HOUR
from consent_registry.operations.oversight.findings import LONGEST, PERIOD
from tests.support.pasting import paste, shell_lines

GUIDE = (Path(__file__).parents[2] / "docs/reconciliation.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The part of the document below one heading."""
    return GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's first table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_kind_is_told_with_its_severity_and_norm() -> None:
    """In the order of the code, with the articles whose equivalents are cited."""
    told = [(row[0].strip("`"), row[1], row[3]) for row in rows("What is looked for")]
    assert told == [(kind, severity, "; ".join(FINDINGS[kind].norms)) for kind, severity in SEVERITY.items()]


def test_the_numbers_are_the_codes() -> None:
    """Days, questions, persons, wrong codes and the minute between two clocks."""
    said = {row[0].strip("`"): row[2] for row in rows("What is looked for")}
    assert f"for {REPORT_AFTER.days} days (`report_days`)" in said["permit_unreported"]
    assert f"for {EVIDENCE_AFTER.days} days (`evidence_days`)" in said["evidence_missing"]
    assert f"{REFUSED_REFERENCES} different persons or more (`refused_references`)" in said["lookups_refused"]
    asked = f"{QUESTIONS_WITHOUT_TRANSFER} questions or more (`questions_without_transfer`)"
    assert asked in said["lookups_without_transfer"]
    assert f"{FAILURES_AN_HOUR['receipt_code']} wrong" in said["receipt_codes_guessed"]
    assert f"{FAILURES_AN_HOUR['link_code']} wrong" in said["link_codes_guessed"]
    assert f"more than {CLOCKS_DIFFER.seconds} seconds" in said["transfer_before_permit"]
    assert f"The last {PERIOD.days} days" in section("How to look")
    assert f"{LONGEST.days} days at most" in section("How to look")


def test_for_every_kind_there_is_something_to_do() -> None:
    """Each has one row."""
    named = [kind for row in rows("What to do") for kind in re.findall(r"`([a-z_]+)`", row[0])]
    assert sorted(named) == sorted(SEVERITY)


@pytest.mark.system
def test_the_curl_lines_work_when_pasted(tmp_path: Path) -> None:
    """Beside a running demonstration they make a finding, and show it as the document says."""
    lines = shell_lines(section("How to look").partition("\n- **Order.**")[0])
    pasted = paste(lines, tmp_path, "reconciliation")
    assert (pasted.returncode, pasted.stderr) == (0, "")
    assert pasted.stdout.splitlines() == re.findall(r"'  +# (.*)", lines)
