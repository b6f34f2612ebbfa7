"""Which form and which age a consent needs, in the plainest possible words, by the German calendar.

Written from the table of forms without a look at ``domain/``: days are what a calendar in Germany shows at that
instant, so that nothing is computed from offsets.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime

BERLIN = ZoneInfo("Europe/Berlin")
HEALTH = ("health", "mental-health")
# The first day of each regime's oldest row.
SINCE = {
    "sgb_x": date(2018, 5, 25),
    "gdpr_bdsg": date(2018, 5, 25),
    "kdg": date(2018, 5, 24),
    "dsg_ekd": date(2018, 5, 24),
    "dsg_nrw": date(2018, 5, 25),
}
# Stricter first.
STRICTNESS = ("written", "written_or_electronic", "written_or_electronic_preferred", "provable")


def form_needed(regime: str | None, category: str, at: datetime, *, special: bool, by_its_flow: bool) -> str | None:
    """The form that one side's law or the register asks for on that German day, or None where there is no row."""
    day = at.astimezone(BERLIN).date()
    if regime not in SINCE or day < SINCE[regime]:
        return None
    sensitive = special or by_its_flow
    if regime == "sgb_x":
        if not sensitive:
            return "written_or_electronic_preferred"
        named = by_its_flow or category in {*HEALTH, "protected-identity"}
        return "written_or_electronic" if named else None
    if regime == "kdg" and day <= date(2026, 2, 28):
        return "written"
    if regime == "dsg_ekd" and day <= date(2025, 4, 30):
        return "provable"
    return "written_or_electronic" if sensitive else "provable"


def stricter_form(left: str, right: str) -> str:
    """The first of the two in the order of strictness."""
    for form in STRICTNESS:
        if form in {left, right}:
            return form
    raise AssertionError(left, right)


def circumstances_count(circumstances: str | None, category: str, *, by_its_flow: bool) -> bool:
    """Whether these special circumstances allow another form; `other` never does for data about health."""
    if circumstances == "other":
        return category not in HEALTH and not by_its_flow
    return circumstances is not None


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
