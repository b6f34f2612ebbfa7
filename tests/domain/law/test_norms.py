"""Every row of the table of norms, against a copy written by hand; and the days on which church acts changed."""

from datetime import UTC, datetime, timedelta

import pytest

from consent_registry.domain.law.norms import EQUIVALENTS, REGIMES, joined, norms_of
from tests.domain.cases import MICROSECOND

# Article of the GDPR | beside it in SGB X | beside it in the DSG NRW | KDG of 2018 | KDG of 2026 | DSG-EKD of 2017 |
# DSG-EKD of 2025. `=`: the paragraph before it. `!`: somebody has read it in the act; the others are to be confirmed.
TABLE = """
Art. 4 Nr. 7 | - | - | § 4 Nr. 9 | = | § 4 Nr. 9 | =
Art. 4 Nr. 11 | - | - | § 4 Nr. 13 | = | § 4 Nr. 13 | =
Art. 5 Abs. 1 lit. a | - | - | § 7 Abs. 1 lit. a | = | § 5 Abs. 1 Nr. 1 | =
Art. 5 Abs. 1 lit. b | § 67c Abs. 1 | § 9 | § 7 Abs. 1 lit. b | = | § 5 Abs. 1 Nr. 2 | =
Art. 5 Abs. 1 lit. c | - | - | § 7 Abs. 1 lit. c | = | § 5 Abs. 1 Nr. 3 | =
Art. 5 Abs. 1 lit. d | - | - | § 7 Abs. 1 lit. d | = | § 5 Abs. 1 Nr. 4 | =
Art. 5 Abs. 1 lit. e | - | § 10 | § 7 Abs. 1 lit. e | = | § 5 Abs. 1 Nr. 5 | =
Art. 5 Abs. 1 lit. f | - | - | § 7 Abs. 1 lit. f | = | § 5 Abs. 1 Nr. 6 | =
Art. 5 Abs. 2 | § 67d Abs. 1 | § 8 Abs. 1 | § 7 Abs. 2 | = | § 5 Abs. 2 | =
Art. 6 Abs. 1 lit. a | § 67b Abs. 2 | - | § 6 Abs. 1 lit. b | = | § 6 Nr. 2 | =
Art. 7 Abs. 1 | § 67b Abs. 2 Satz 1 | - | § 8 Abs. 5! | § 8 Abs. 1 | § 11 Abs. 1 | =
Art. 7 Abs. 2 | - | - | § 8 Abs. 2 Satz 2! | § 8 Abs. 2 | § 11 Abs. 2 | =
Art. 7 Abs. 3 | § 67b Abs. 2 Satz 3 | - | § 8 Abs. 6! | § 8 Abs. 3 | § 11 Abs. 3 | =
Art. 7 Abs. 4 | - | - | § 8 Abs. 7 | § 8 Abs. 4 | § 11 Abs. 4 | =
Art. 9 Abs. 1 | § 67b Abs. 1 Satz 2 | § 16 | § 11 Abs. 1 | = | § 13 Abs. 1 | =
Art. 9 Abs. 2 lit. a | § 67b Abs. 2 Satz 2 | - | § 11 Abs. 2 lit. a | = | § 13 Abs. 2 Nr. 1 | =
Art. 12 Abs. 1 | - | - | § 14 Abs. 1 | = | § 16 Abs. 1 | =
Art. 13 | § 82 | § 11 | § 15! | = | § 17 | =!
Art. 14 | § 82a | § 11 | § 16! | = | § 18 | =
Art. 15 | § 83 | § 12 | § 17! | = | § 19 | =!
Art. 16 | § 84 | - | § 18! | = | § 20 | =
Art. 17 Abs. 1 | § 84 | § 10 | § 19 Abs. 1 | = | § 21 Abs. 1 | =
Art. 17 Abs. 3 | § 84 Abs. 4 | § 10 | § 19 Abs. 3 | = | § 21 Abs. 3 | =
Art. 18 | § 84 Abs. 3 | - | § 20 | = | § 22 | =
Art. 18 Abs. 3 | - | - | § 20 Abs. 3 | = | § 22 Abs. 3 | =
Art. 19 | - | - | § 21 | = | § 23 | =
Art. 20 | - | - | § 22 | = | § 24 | =
Art. 21 | § 84 Abs. 5 | § 14 | § 23 | = | § 25 | =
Art. 26 | - | - | § 28 | = | § 29 | =
Art. 28 | § 80 | - | § 29 | = | § 30 | =
Art. 30 | - | - | § 31 | = | § 31 | =
Art. 32 | § 67b Abs. 1 Satz 4 | § 15 | § 26 | = | § 27 | =
Art. 33 | § 83a | - | § 33 | = | § 32 | =
Art. 35 | - | - | § 35 | = | § 34 | =
Art. 37 | § 81 Abs. 4 | - | § 36 | = | § 36 | =
Art. 38 Abs. 6 | § 81 Abs. 4 | - | § 37 | = | § 37 | =
Art. 39 | § 81 Abs. 4 | - | § 38 | = | § 38 | =
Art. 77 | § 81 Abs. 1 | - | § 48 | = | § 46 | =
Art. 88 | - | § 18 | § 53 | = | § 49 | =
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
# The first instant of the KDG of 2026 and of the DSG-EKD of 2025: midnight in Berlin, before and in summer time.
KDG_2026 = datetime(2026, 2, 28, 23, tzinfo=UTC)
DSG_EKD_2025 = datetime(2025, 4, 30, 22, tzinfo=UTC)


def cited(article: str, regime: str | None, at: datetime) -> str:
    """The norm that is cited for an article of the GDPR under a regime at an instant."""
    return norms_of([f"{article} DSGVO"], [regime], at)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_of_the_table(row: list[str]) -> None:
    """Each regime cites its own norm for the article; social law and the law of the state cite both."""
    article, *cells = row
    sgb_x, dsg_nrw, kdg_2018, kdg_2026, ekd_2017, ekd_2025 = (cell.rstrip("!") for cell in cells)
    kdg_2026, ekd_2025 = kdg_2026.replace("=", kdg_2018), ekd_2025.replace("=", ekd_2017)
    now = KDG_2026
    assert cited(article, "gdpr_bdsg", now) == f"{article} DSGVO"
    assert cited(article, "sgb_x", now) == f"{article} DSGVO" + ("" if sgb_x == "-" else f"; {sgb_x} SGB X")
    assert cited(article, "dsg_nrw", now) == f"{article} DSGVO" + ("" if dsg_nrw == "-" else f"; {dsg_nrw} DSG NRW")
    assert cited(article, "kdg", KDG_2026 - MICROSECOND) == f"{kdg_2018} KDG"
    assert cited(article, "kdg", KDG_2026) == f"{kdg_2026} KDG"
    assert cited(article, "dsg_ekd", DSG_EKD_2025 - MICROSECOND) == f"{ekd_2017} DSG-EKD"
    assert cited(article, "dsg_ekd", DSG_EKD_2025) == f"{ekd_2025} DSG-EKD"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_is_to_be_confirmed(row: list[str]) -> None:
    """Church norms are to be confirmed unless the table marks them as read."""
    rows = EQUIVALENTS[f"{row[0]} DSGVO"].rows
    marks = [norm.confirmed for regime in ("kdg", "dsg_ekd") for norm in rows[regime]]
    assert marks == [cell.endswith("!") for cell in row[3:]]
    assert all(norm.confirmed for regime in ("gdpr_bdsg", "sgb_x", "dsg_nrw") for norm in rows[regime])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_days_of_each_version(row: list[str]) -> None:
    """The GDPR since its first day; both versions of each church act, without a gap."""
    days = {
        regime: [(str(norm.since), norm.until and str(norm.until)) for norm in norms]
        for regime, norms in EQUIVALENTS[f"{row[0]} DSGVO"].rows.items()
    }
    assert days == {
        "gdpr_bdsg": [("2018-05-25", None)],
        "sgb_x": [("2018-05-25", None)],
        "dsg_nrw": [("2018-05-25", None)],
        "kdg": [("2018-05-24", "2026-02-28"), ("2026-03-01", None)],
        "dsg_ekd": [("2018-05-24", "2025-04-30"), ("2025-05-01", None)],
    }


def test_the_table_has_these_rows_and_no_other() -> None:
    """One row for each article, with every regime."""
    assert list(EQUIVALENTS) == [f"{row[0]} DSGVO" for row in ROWS]
    assert all(set(equivalent.rows) == set(REGIMES) for equivalent in EQUIVALENTS.values())


def test_days_without_a_row_are_judged_by_the_first() -> None:
    """Before 2018 the oldest row is cited; a partner without a regime is told the GDPR's article."""
    long_ago = datetime(1990, 1, 1, tzinfo=UTC)
    assert cited("Art. 7 Abs. 1", "kdg", long_ago) == "§ 8 Abs. 5 KDG"
    assert cited("Art. 7 Abs. 1", None, long_ago) == "Art. 7 Abs. 1 DSGVO"


def test_no_church_is_told_an_article_of_the_gdpr() -> None:
    """Neither before nor after its act changed."""
    for at in (KDG_2026 - timedelta(days=900), KDG_2026):
        for article in EQUIVALENTS:
            assert "DSGVO" not in norms_of([article], ["kdg", "dsg_ekd"], at)


def test_several_citations_are_joined_and_none_is_repeated() -> None:
    """Of both sides and of several articles, in this order."""
    sides = ["sgb_x", "kdg", "sgb_x"]
    assert norms_of(["Art. 7 Abs. 1 DSGVO"], sides, KDG_2026) == (
        "Art. 7 Abs. 1 DSGVO; § 67b Abs. 2 Satz 1 SGB X; § 8 Abs. 1 KDG"
    )
    assert norms_of(["Art. 5 Abs. 1 lit. f DSGVO", "Art. 32 DSGVO"], [None], KDG_2026) == (
        "Art. 5 Abs. 1 lit. f DSGVO; Art. 32 DSGVO"
    )
    assert norms_of(["Art. 32 DSGVO"], [], KDG_2026) == "Art. 32 DSGVO"
    assert joined("a; b", None, "b; c") == "a; b; c"
    assert joined(None, None) is None
