"""What a verification found: a list of checks, each of which holds, fails, or could not be told."""

from enum import StrEnum

import msgspec

SHOWN = 100


class Verdict(StrEnum):
    """What is said of one check. `not_asked` needs something that was not given; it changes no verdict of the whole."""

    HOLDS = "holds"
    FAILS = "fails"
    UNTOLD = "untold"
    NOT_ASKED = "not_asked"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is not as it must be: a code for programs, a sentence for people, and the leaf or file."""

    code: str
    detail: str
    index: int | None = None
    path: str | None = None


class Check(msgspec.Struct):
    """One question and its answer in a sentence. Of many findings the first 100 are kept and all are counted."""

    name: str
    verdict: Verdict = Verdict.HOLDS
    says: str = ""
    count: int = 0
    findings: list[Finding] = []

    def find(self, code: str, detail: str, *, index: int | None = None, path: str | None = None) -> None:
        """Add a finding: the check fails."""
        self.verdict = Verdict.FAILS
        self.count += 1
        if len(self.findings) < SHOWN:
            self.findings.append(Finding(code, detail, index, path))

    def untold(self, why: str) -> None:
        """It cannot be told, unless it failed already."""
        if self.verdict != Verdict.FAILS:
            self.verdict, self.says = Verdict.UNTOLD, why


class Report(msgspec.Struct):
    """All checks in the order of reading, and what the checkpoint says."""

    origin: str | None = None
    size: int | None = None
    root: str | None = None
    checks: list[Check] = []

    def check(self, name: str, verdict: Verdict = Verdict.HOLDS, says: str = "") -> Check:
        """Begin a check."""
        self.checks.append(Check(name, verdict, says))
        return self.checks[-1]

    @property
    def verdict(self) -> Verdict:
        """`fails` if any check does; else `untold` if any could not be told; else `holds`."""
        said = {check.verdict for check in self.checks}
        return next((one for one in (Verdict.FAILS, Verdict.UNTOLD) if one in said), Verdict.HOLDS)

    def codes(self) -> set[str]:
        """The codes of all findings that are shown."""
        return {finding.code for check in self.checks for finding in check.findings}
