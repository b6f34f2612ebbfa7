"""Formats a verification's report as text for people."""

from collections.abc import Iterator, Mapping

from consent_registry.tlog.report import Check, Report, Verdict

MARKS = {Verdict.HOLDS: "holds", Verdict.FAILS: "FAILS", Verdict.UNTOLD: "untold", Verdict.NOT_ASKED: "-"}
LAST = {
    Verdict.HOLDS: "Everything that was checked holds.",
    Verdict.FAILS: "This does not hold. Keep the files and this report unchanged: together they are the evidence.",
    Verdict.UNTOLD: "No fault was found, but not everything could be checked.",
}


def as_text(report: Report, last: Mapping[Verdict, str] = LAST) -> str:
    """The whole report as text, with the verdict in its last line. Control characters from the log's bytes are
    replaced.
    """
    return "".join(f"{plain(line)}\n" for line in _lines(report, last))


def _lines(report: Report, last: Mapping[Verdict, str]) -> Iterator[str]:
    if report.origin is not None:
        yield f"log    {report.origin}"
        yield f"size   {report.size}"
        yield f"root   {report.root}"
        yield ""
    for check in report.checks:
        yield f"{MARKS[check.verdict]:7}{check.name:18} {_says(check)}".rstrip()
        yield from (f"{'':25} {finding.detail}" for finding in check.findings)
        if check.count > len(check.findings):
            yield f"{'':25} and {check.count - len(check.findings)} more"
    yield ""
    yield last[report.verdict]


def _says(check: Check) -> str:
    if check.verdict == Verdict.FAILS:
        return f"{check.count} finding{'' if check.count == 1 else 's'}"
    return check.says


def plain(line: str) -> str:
    """The line with all unprintable characters replaced, so that they cannot control a terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
