"""Remarks: weaknesses of a consent that do not refuse it but that a reviewer must see (docs/rules.md).

The record and the log hold the code; this table has the norm and the sentence.
"""

from collections.abc import Sequence

import msgspec


class Remark(msgspec.Struct, frozen=True):
    """A weakness to look at: its code, its norm, and a sentence for people."""

    code: str
    norm: str
    text: str


REMARKS = {
    remark.code: remark
    for remark in (
        Remark(
            "benefits_notice_unstated",
            "§ 67b Abs. 2 Satz 3 SGB X",
            "Ein Jobcenter ist beteiligt, und es steht nicht fest, ob gesagt wurde, was eine Verweigerung bedeutet.",
        ),
        Remark(
            "guardian_is_recipient",
            "§ 1789 Abs. 2 BGB",
            "Die Stelle, die als Vormund oder Betreuung entschieden hat, bekommt die Daten selbst.",
        ),
        Remark(
            "mandate_ends_first",
            "§§ 1773, 1814 BGB",
            "Die Einwilligung endet mit der Vertretung, früher als gewünscht.",
        ),
        Remark(
            "third_parties_unstated",
            "Art. 6 Abs. 1 lit. a DSGVO",
            "Es steht nicht fest, ob Daten anderer Personen dabei sind; für sie gilt diese Einwilligung nicht.",
        ),
        Remark(
            "lay_interpreter",
            "Art. 9 Abs. 2 lit. a DSGVO",
            "Besondere Daten wurden ohne beeidigte Sprachmittlung erklärt; das schwächt den Nachweis.",
        ),
        Remark(
            "family_interpreter",
            "Art. 7 Abs. 4 DSGVO",
            "Angehörige haben übersetzt; ob die Einwilligung freiwillig war, ist zu prüfen.",
        ),
    )
}


def remarks_of(codes: Sequence[str]) -> list[Remark]:
    """The remarks with these codes."""
    return [REMARKS[code] for code in codes]
