"""A verification's report as a person reads it on a terminal, in a file, or on paper."""

from collections.abc import Iterator, Mapping

from consent_registry.tlog.report import Check, Report, Verdict

MARKS = {Verdict.HOLDS: "holds", Verdict.FAILS: "FAILS", Verdict.UNTOLD: "untold", Verdict.NOT_ASKED: "-"}
LAST = {
    Verdict.HOLDS: "Everything that was asked holds.",
    Verdict.FAILS: "This does not hold. Keep the files and this report as they are: together they are the evidence.",
    Verdict.UNTOLD: "Nothing was found to be wrong, but not everything that was asked can be told.",
}


def as_text(report: Report, last: Mapping[Verdict, str] = LAST) -> str:
    """The whole report, with its last word; no control characters, whatever the log's bytes said."""
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
    """The line without characters that a terminal would take as something else."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
