"""What the German text must say before it is published: the dated rows of the checklist that a plain text can show.

What may be told instead of printed is asked of each consent (`domain/law/information.py`).
"""

from datetime import date
from typing import Literal

from consent_registry.domain.law.codes import Informs
from consent_registry.domain.law.dated import Dated

TextOccasion = Literal["always", "special", "public_body"]


class ChecklistRow(Dated, frozen=True, kw_only=True):
    """One dated row of the checklist for what the text must inform of (`code`) or say (`item`), and on which occasion.

    `of_the_registry` rows are not asked of a form that is older than the registry.
    """

    item: str
    code: Informs | None
    occasion: TextOccasion
    norms: tuple[str, ...]
    of_the_registry: bool = False
    to_be_confirmed: bool = False


_GDPR = date(2018, 5, 25)

# Not here: what only clauses, boxes and layout can show, and what the person who explains the text may say instead.
CHECKLIST: tuple[ChecklistRow, ...] = (
    ChecklistRow(item="direction", code=None, occasion="always", norms=("Art. 4 Nr. 11 DSGVO",), since=_GDPR),
    ChecklistRow(
        item="special_explicit",
        code="special_explicit",
        occasion="special",
        norms=("Art. 9 Abs. 2 lit. a DSGVO", "§ 67b Abs. 2 Satz 2 SGB X"),
        since=_GDPR,
    ),
    ChecklistRow(item="voluntary", code="voluntary", occasion="always", norms=("Art. 7 Abs. 4 DSGVO",), since=_GDPR),
    ChecklistRow(
        item="after_withdrawal",
        code="after_withdrawal",
        occasion="always",
        norms=("Art. 17 Abs. 1 lit. b DSGVO", "Art. 19 DSGVO"),
        since=_GDPR,
    ),
    ChecklistRow(item="duration", code=None, occasion="always", norms=("Art. 13 Abs. 2 lit. a DSGVO",), since=_GDPR),
    ChecklistRow(
        item="complaint",
        code="complaint",
        occasion="always",
        norms=("Art. 13 Abs. 2 lit. d DSGVO", "§ 81 Abs. 1 SGB X", "§ 48 KDG", "§ 46 DSG-EKD"),
        since=_GDPR,
        to_be_confirmed=True,
    ),
    ChecklistRow(
        item="statute_beside",
        code="statute_beside_consent",
        occasion="public_body",
        norms=("Art. 5 Abs. 1 lit. a DSGVO",),
        since=_GDPR,
    ),
    ChecklistRow(
        item="registry",
        code="registry",
        occasion="always",
        norms=("Art. 13 Abs. 1 DSGVO", "Art. 9 Abs. 1 DSGVO"),
        since=_GDPR,
        of_the_registry=True,
    ),
    ChecklistRow(
        item="onward",
        code="onward",
        occasion="always",
        norms=("Art. 5 Abs. 1 lit. b DSGVO", "§ 78 Abs. 1 SGB X"),
        since=_GDPR,
    ),
)
