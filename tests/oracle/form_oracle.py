"""Which form and which age a consent needs, in the plainest possible words, by the German calendar.

Written from the table of docs/rules.md without a look at ``domain/``: days are what a calendar in Germany
shows at that instant, so that nothing is computed from offsets.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime

BERLIN = ZoneInfo("Europe/Berlin")
NAMED_BY_SOCIAL_LAW = ("health", "mental-health", "protected-identity")
# The first day of each regime's oldest rule.
SINCE = {
    "sgb_x": date(2018, 5, 25),
    "gdpr_bdsg": date(2018, 5, 25),
    "kdg": date(2018, 5, 24),
    "dsg_ekd": date(2025, 5, 1),
    "dsg_nrw": date(2018, 5, 25),
}
# Stricter first.
STRICTNESS = ("written", "written_or_electronic", "written_or_electronic_preferred", "provable")


def form_needed(regime: str | None, category: str, at: datetime, *, special: bool, by_its_flow: bool) -> str | None:
    """The form that one side's regime asks for on that German day, or None where it has no rule."""
    day = at.astimezone(BERLIN).date()
    if regime not in SINCE or day < SINCE[regime]:
        return None
    if regime == "kdg":
        return "written" if day <= date(2026, 2, 28) else "provable"
    if regime != "sgb_x":
        return "provable"
    if not special and not by_its_flow:
        return "written_or_electronic_preferred"
    return "written_or_electronic" if by_its_flow or category in NAMED_BY_SOCIAL_LAW else None


def stricter_form(one: str, other: str) -> str:
    """The first of the two in the order of strictness."""
    for form in STRICTNESS:
        if form in {one, other}:
            return form
    raise AssertionError(one, other)


def form_is_sufficient(form: str, method: str, *, special_circumstances: bool) -> bool:
    """Whether an act by this method has the form."""
    if form == "provable":
        return True
    if special_circumstances:
        return True
    if form == "written":
        return method == "written"
    return method != "oral"


def decides_alone(regime: str, band: str, at: datetime, *, insight_assessed: bool, direct_counselling: bool) -> bool:
    """Whether a client of this age needs nobody else on that German day, under this regime."""
    if band == "adult":
        return True
    if band == "under_14":
        return insight_assessed and direct_counselling
    if regime == "dsg_ekd" and at.astimezone(BERLIN).date() >= date(2025, 5, 1):
        return True
    if regime == "sgb_x" and band == "15_17":
        return True
    return insight_assessed
