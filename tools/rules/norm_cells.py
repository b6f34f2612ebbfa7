"""The cell of a table that says which norm is cited, by regime and day."""

from collections.abc import Sequence

from consent_registry.domain.law.norms import EQUIVALENTS, REGIMES, SEPARATOR, NormRow
from consent_registry.domain.law.rules.rule import RegimeOf, Rule

WHOSE: dict[RegimeOf, str] = {
    "recorder": "the recorder's law",
    "caller": "the caller's law",
    "sender": "the sender's law",
    "recipient": "the recipient's law",
    "both": "the law of both sides",
    "partner": "the partner's law",
}
TO_CONFIRM = "\\*"


def norm_cell(rule: Rule) -> str:
    """Whose law is cited, and the citations of each regime with their days."""
    if rule.regime_of == "network":
        return "none: a rule of the network or of the interface"
    if rule.regime_of == "row":
        return "that of the row that is not kept"
    if rule.regime_of == "fixed":
        return SEPARATOR.join(rule.norms)
    return f"{WHOSE[rule.regime_of]}: {' · '.join(regime_cells(rule.norms))}"


def regime_cells(articles: Sequence[str]) -> list[str]:
    """What each regime cites for these articles; regimes that cite the same stand together."""
    regimes: dict[str, list[str]] = {}
    for regime in REGIMES:
        rows = zip(*(EQUIVALENTS[article].rows[regime] for article in articles), strict=True)
        regimes.setdefault(dated_cell([_one(group) for group in rows]), []).append(regime)
    return [f"{cited} ({', '.join(f'`{regime}`' for regime in names)})" for cited, names in regimes.items()]


def dated_cell(rows: Sequence[NormRow]) -> str:
    """The citations from day to day; without days where they stay the same."""
    cells = [SEPARATOR.join(row.citations) + ("" if row.confirmed else TO_CONFIRM) for row in rows]
    if len({row.citations for row in rows}) == 1:
        return cells[-1]
    return ", ".join(f"{cell} {_days(row)}" for cell, row in zip(cells, rows, strict=True))


def _one(rows: Sequence[NormRow]) -> NormRow:
    """The rows of several articles, which have the same days, as one."""
    citations = tuple(dict.fromkeys(citation for row in rows for citation in row.citations))
    confirmed = all(row.confirmed for row in rows)
    return NormRow(citations=citations, since=rows[0].since, until=rows[0].until, confirmed=confirmed)


def _days(row: NormRow) -> str:
    return f"until {row.until}" if row.until is not None else f"from {row.since}"
