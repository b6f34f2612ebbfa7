"""The tables of who may give a consent, from the dated rows of the law."""

from collections.abc import Iterable

from consent_registry.domain.law.own_consent import OwnConsentRow
from consent_registry.domain.law.representatives import RepresentationRow
from tools.rules.cells import table

WORDS = {"insight_or_own_yes": "own yes or lacking", "mandate": "end", "four_weeks": "end within four weeks"}


def own_consent_table(rows: Iterable[OwnConsentRow]) -> str:
    """What each regime asks of a client of each age band who decides alone."""
    heads = ("regime", "age band", "asks for", "from", "until", "norm", "DPO")
    return table(
        heads, [[f"`{row.regime}`", f"`{row.age_band}`", row.asks.replace("_", " "), *_end(row)] for row in rows]
    )


def representation_table(rows: Iterable[RepresentationRow]) -> str:
    """What is asked of a representative in each role."""
    heads = ("role", "age bands", "asks for", "from", "until", "norm", "DPO")
    return table(heads, [[f"`{row.role}`", *_asked(row), *_end(row)] for row in rows])


def _asked(row: RepresentationRow) -> list[str]:
    bands = ", ".join(f"`{band}`" for band in sorted(row.age_bands))
    return [bands, ", ".join(sorted(WORDS.get(asked, asked) for asked in row.asks))]


def _end(row: OwnConsentRow | RepresentationRow) -> list[str]:
    until = "" if row.until is None else str(row.until)
    return [str(row.since), until, row.norm, "yes" if row.to_confirm else "no"]
