"""The report of a verification: a list of checks. Each holds, fails, or cannot be decided."""

from enum import StrEnum

import msgspec

SHOWN = 100


class Verdict(StrEnum):
    """The result of a check: `untold` could not be decided, `not_asked` lacks its input and is not counted."""

    HOLDS = "holds"
    FAILS = "fails"
    UNTOLD = "untold"
    NOT_ASKED = "not_asked"


class CheckFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault: a code for programs, a sentence for people, and the index of the leaf or the path of the file."""

    code: str
    detail: str
    index: int | None = None
    path: str | None = None


class Check(msgspec.Struct):
    """One question of a verification and its answer in a sentence. All findings are counted; the first 100 are kept."""

    name: str
    verdict: Verdict = Verdict.HOLDS
    says: str = ""
    count: int = 0
    findings: list[CheckFinding] = []

    def find(self, code: str, detail: str, *, index: int | None = None, path: str | None = None) -> None:
        """Add a finding: the check fails."""
        self.verdict = Verdict.FAILS
        self.count += 1
        if len(self.findings) < SHOWN:
            self.findings.append(CheckFinding(code, detail, index, path))

    def untold(self, why: str) -> None:
        """Mark the check as undecided, unless it has failed already."""
        if self.verdict != Verdict.FAILS:
            self.verdict, self.says = Verdict.UNTOLD, why


class Report(msgspec.Struct):
    """All checks in reading order, with origin, size and root of the checkpoint."""

    origin: str | None = None
    size: int | None = None
    root: str | None = None
    checks: list[Check] = []

    def check(self, name: str, verdict: Verdict = Verdict.HOLDS, says: str = "") -> Check:
        """Add a check and return it."""
        self.checks.append(Check(name, verdict, says))
        return self.checks[-1]

    @property
    def verdict(self) -> Verdict:
        """`fails` if any check fails; else `untold` if any check is undecided; else `holds`."""
        found = {check.verdict for check in self.checks}
        return next((verdict for verdict in (Verdict.FAILS, Verdict.UNTOLD) if verdict in found), Verdict.HOLDS)

    def codes(self) -> set[str]:
        """The codes of all findings that were kept."""
        return {finding.code for check in self.checks for finding in check.findings}
