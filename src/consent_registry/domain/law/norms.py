"""Which norm of each data-protection regime stands for an article of the GDPR, on which German days (docs/rules.md).

A Catholic body is under the KDG and a Protestant one under the DSG-EKD, so neither is told an article of the GDPR. Both
acts were revised: the KDG on 1 March 2026 and the DSG-EKD on 1 May 2025. Social law and the law of the state come
beside the article. What is not marked as confirmed is used, and a data-protection officer must confirm it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal, get_args

import msgspec

from consent_registry.domain.law.dated import Dated

Regime = Literal["gdpr_bdsg", "sgb_x", "dsg_nrw", "kdg", "dsg_ekd"]
REGIMES: tuple[Regime, ...] = get_args(Regime)
# Between several citations of one norm.
SEPARATOR = "; "
# The first and the last day of each version of an act.
GDPR = date(2018, 5, 25)
CHURCHES = date(2018, 5, 24)
KDG_OF_2018_ENDS, KDG_OF_2026_BEGINS = date(2026, 2, 28), date(2026, 3, 1)
DSG_EKD_OF_2017_ENDS, DSG_EKD_OF_2025_BEGINS = date(2025, 4, 30), date(2025, 5, 1)


class NormRow(Dated, frozen=True, kw_only=True):
    """The citations that stand for an article, from day to day. `confirmed`: somebody has read them in the act."""

    citations: tuple[str, ...]
    confirmed: bool


class Equivalent(msgspec.Struct, frozen=True):
    """An article of the GDPR, and by regime the norms that stand for it, the oldest first."""

    article: str
    rows: Mapping[str, tuple[NormRow, ...]]

    def row(self, regime: str | None, at: datetime) -> NormRow:
        """The row of a regime at an instant; before the first row the first. Without a regime it is the GDPR's."""
        rows = self.rows["gdpr_bdsg"] if regime is None else self.rows[regime]
        return next((row for row in rows if row.holds(at)), rows[0])


def _row(
    article: str,
    kdg: str | tuple[str, str],
    dsg_ekd: str,
    *,
    sgb_x: str | None = None,
    dsg_nrw: str | None = None,
    confirmed: Sequence[str] = (),
) -> Equivalent:
    """An article with what comes beside it, and the churches' paragraphs; two of the KDG where its numbers changed.

    `confirmed` names the versions of church acts in which the paragraph was read.
    """
    beside = {"gdpr_bdsg": None, "sgb_x": sgb_x, "dsg_nrw": dsg_nrw}
    kdg_2018, kdg_2026 = (kdg, kdg) if isinstance(kdg, str) else kdg

    def church(paragraph: str, act: str, version: str, since: date, until: date | None) -> NormRow:
        known = f"{act} {version}" in confirmed
        return NormRow(citations=(f"{paragraph} {act}",), since=since, until=until, confirmed=known)

    return Equivalent(
        article,
        {
            regime: (NormRow(citations=(article, norm) if norm else (article,), since=GDPR, confirmed=True),)
            for regime, norm in beside.items()
        }
        | {
            "kdg": (
                church(kdg_2018, "KDG", "2018", CHURCHES, KDG_OF_2018_ENDS),
                church(kdg_2026, "KDG", "2026", KDG_OF_2026_BEGINS, None),
            ),
            "dsg_ekd": (
                church(dsg_ekd, "DSG-EKD", "2017", CHURCHES, DSG_EKD_OF_2017_ENDS),
                church(dsg_ekd, "DSG-EKD", "2025", DSG_EKD_OF_2025_BEGINS, None),
            ),
        },
    )


EQUIVALENTS: Mapping[str, Equivalent] = {
    equivalent.article: equivalent
    for equivalent in (
        _row("Art. 4 Nr. 7 DSGVO", "§ 4 Nr. 9", "§ 4 Nr. 9"),
        _row("Art. 4 Nr. 11 DSGVO", "§ 4 Nr. 13", "§ 4 Nr. 13"),
        _row("Art. 5 Abs. 1 lit. a DSGVO", "§ 7 Abs. 1 lit. a", "§ 5 Abs. 1 Nr. 1"),
        _row(
            "Art. 5 Abs. 1 lit. b DSGVO",
            "§ 7 Abs. 1 lit. b",
            "§ 5 Abs. 1 Nr. 2",
            sgb_x="§ 67c Abs. 1 SGB X",
            dsg_nrw="§ 9 DSG NRW",
        ),
        _row("Art. 5 Abs. 1 lit. c DSGVO", "§ 7 Abs. 1 lit. c", "§ 5 Abs. 1 Nr. 3"),
        _row("Art. 5 Abs. 1 lit. d DSGVO", "§ 7 Abs. 1 lit. d", "§ 5 Abs. 1 Nr. 4"),
        _row("Art. 5 Abs. 1 lit. e DSGVO", "§ 7 Abs. 1 lit. e", "§ 5 Abs. 1 Nr. 5", dsg_nrw="§ 10 DSG NRW"),
        _row("Art. 5 Abs. 1 lit. f DSGVO", "§ 7 Abs. 1 lit. f", "§ 5 Abs. 1 Nr. 6"),
        _row(
            "Art. 5 Abs. 2 DSGVO", "§ 7 Abs. 2", "§ 5 Abs. 2", sgb_x="§ 67d Abs. 1 SGB X", dsg_nrw="§ 8 Abs. 1 DSG NRW"
        ),
        _row("Art. 6 Abs. 1 lit. a DSGVO", "§ 6 Abs. 1 lit. b", "§ 6 Nr. 2", sgb_x="§ 67b Abs. 2 SGB X"),
        _row(
            "Art. 7 Abs. 1 DSGVO",
            ("§ 8 Abs. 5", "§ 8 Abs. 1"),
            "§ 11 Abs. 1",
            sgb_x="§ 67b Abs. 2 Satz 1 SGB X",
            confirmed=["KDG 2018"],
        ),
        _row("Art. 7 Abs. 2 DSGVO", ("§ 8 Abs. 2 Satz 2", "§ 8 Abs. 2"), "§ 11 Abs. 2", confirmed=["KDG 2018"]),
        _row(
            "Art. 7 Abs. 3 DSGVO",
            ("§ 8 Abs. 6", "§ 8 Abs. 3"),
            "§ 11 Abs. 3",
            sgb_x="§ 67b Abs. 2 Satz 3 SGB X",
            confirmed=["KDG 2018"],
        ),
        _row("Art. 7 Abs. 4 DSGVO", ("§ 8 Abs. 7", "§ 8 Abs. 4"), "§ 11 Abs. 4"),
        _row(
            "Art. 9 Abs. 1 DSGVO",
            "§ 11 Abs. 1",
            "§ 13 Abs. 1",
            sgb_x="§ 67b Abs. 1 Satz 2 SGB X",
            dsg_nrw="§ 16 DSG NRW",
        ),
        _row(
            "Art. 9 Abs. 2 lit. a DSGVO", "§ 11 Abs. 2 lit. a", "§ 13 Abs. 2 Nr. 1", sgb_x="§ 67b Abs. 2 Satz 2 SGB X"
        ),
        _row("Art. 12 Abs. 1 DSGVO", "§ 14 Abs. 1", "§ 16 Abs. 1"),
        _row(
            "Art. 13 DSGVO",
            "§ 15",
            "§ 17",
            sgb_x="§ 82 SGB X",
            dsg_nrw="§ 11 DSG NRW",
            confirmed=["KDG 2018", "DSG-EKD 2025"],
        ),
        _row("Art. 14 DSGVO", "§ 16", "§ 18", sgb_x="§ 82a SGB X", dsg_nrw="§ 11 DSG NRW", confirmed=["KDG 2018"]),
        _row(
            "Art. 15 DSGVO",
            "§ 17",
            "§ 19",
            sgb_x="§ 83 SGB X",
            dsg_nrw="§ 12 DSG NRW",
            confirmed=["KDG 2018", "DSG-EKD 2025"],
        ),
        _row("Art. 16 DSGVO", "§ 18", "§ 20", sgb_x="§ 84 SGB X", confirmed=["KDG 2018"]),
        _row("Art. 17 Abs. 1 DSGVO", "§ 19 Abs. 1", "§ 21 Abs. 1", sgb_x="§ 84 SGB X", dsg_nrw="§ 10 DSG NRW"),
        _row("Art. 17 Abs. 3 DSGVO", "§ 19 Abs. 3", "§ 21 Abs. 3", sgb_x="§ 84 Abs. 4 SGB X", dsg_nrw="§ 10 DSG NRW"),
        _row("Art. 18 DSGVO", "§ 20", "§ 22", sgb_x="§ 84 Abs. 3 SGB X"),
        _row("Art. 18 Abs. 3 DSGVO", "§ 20 Abs. 3", "§ 22 Abs. 3"),
        _row("Art. 19 DSGVO", "§ 21", "§ 23"),
        _row("Art. 20 DSGVO", "§ 22", "§ 24"),
        _row("Art. 21 DSGVO", "§ 23", "§ 25", sgb_x="§ 84 Abs. 5 SGB X", dsg_nrw="§ 14 DSG NRW"),
        _row("Art. 26 DSGVO", "§ 28", "§ 29"),
        _row("Art. 28 DSGVO", "§ 29", "§ 30", sgb_x="§ 80 SGB X"),
        _row("Art. 30 DSGVO", "§ 31", "§ 31"),
        _row("Art. 32 DSGVO", "§ 26", "§ 27", sgb_x="§ 67b Abs. 1 Satz 4 SGB X", dsg_nrw="§ 15 DSG NRW"),
        _row("Art. 33 DSGVO", "§ 33", "§ 32", sgb_x="§ 83a SGB X"),
        _row("Art. 35 DSGVO", "§ 35", "§ 34"),
        _row("Art. 37 DSGVO", "§ 36", "§ 36", sgb_x="§ 81 Abs. 4 SGB X"),
        _row("Art. 38 Abs. 6 DSGVO", "§ 37", "§ 37", sgb_x="§ 81 Abs. 4 SGB X"),
        _row("Art. 39 DSGVO", "§ 38", "§ 38", sgb_x="§ 81 Abs. 4 SGB X"),
        _row("Art. 77 DSGVO", "§ 48", "§ 46", sgb_x="§ 81 Abs. 1 SGB X"),
        _row("Art. 88 DSGVO", "§ 53", "§ 49", dsg_nrw="§ 18 DSG NRW"),
    )
}


def norms_of(articles: Iterable[str], regimes: Sequence[str | None], at: datetime) -> str:
    """The citations of these articles under these regimes at an instant, each once, joined by "; ".

    Without a regime (the administration, a body that is no controller) the GDPR's article is cited.
    """
    rows = (EQUIVALENTS[article].row(regime, at) for article in articles for regime in regimes or (None,))
    return SEPARATOR.join(dict.fromkeys(citation for row in rows for citation in row.citations))


def joined(*norms: str | None) -> str | None:
    """The citations of all these norms, each once; None without any."""
    citations = [citation for norm in norms if norm is not None for citation in norm.split(SEPARATOR)]
    return SEPARATOR.join(dict.fromkeys(citations)) or None
