"""Ages of clients without their birthdays: the four age bands, and the month in which a client comes of age."""

from datetime import date, datetime, timedelta

from consent_registry.domain.berlin import day_in_berlin, months_later
from consent_registry.domain.law.proposed import AgeBand

AGE_BANDS: tuple[AgeBand, ...] = ("under_14", "14", "15_17", "adult")
MINORS: frozenset[AgeBand] = frozenset({"under_14", "14", "15_17"})
# An age of the law, in months (§ 2 BGB: eighteen years).
FOURTEEN, FIFTEEN, OF_AGE = 14 * 12, 15 * 12, 18 * 12
# How many months after the act a client of this band comes of age, from and to, both included.
_MONTHS_TO_OF_AGE: dict[AgeBand, tuple[int, int]] = {"under_14": (48, 216), "14": (36, 48), "15_17": (1, 36)}
# From this age, and until before that one (None: without end), in months.
_AGES: dict[AgeBand, tuple[int, int | None]] = {
    "under_14": (0, FOURTEEN),
    "14": (FOURTEEN, FIFTEEN),
    "15_17": (FIFTEEN, OF_AGE),
    "adult": (OF_AGE, None),
}


def month_text(first_day: date) -> str:
    """The month that begins on this day, as YYYY-MM."""
    return first_day.isoformat()[:7]


def fits_band(adult_from: date, age_band: AgeBand, given_at: datetime) -> bool:
    """Whether a client of this age band at this instant can come of age in the month that begins on `adult_from`."""
    given = day_in_berlin(given_at)
    months = (adult_from.year - given.year) * 12 + adult_from.month - given.month
    if age_band == "adult":
        return months <= 0
    fewest, most = _MONTHS_TO_OF_AGE[age_band]
    return fewest <= months <= most


def of_one_person(first: AgeBand, first_at: datetime, second: AgeBand, second_at: datetime) -> bool:
    """Whether one person can have been of the first age band at the one instant and of the second at the other.

    Each band at its day leaves a span of birthdays; the two spans must have a day in common.
    """
    spans = [_birthdays(first, day_in_berlin(first_at)), _birthdays(second, day_in_berlin(second_at))]
    return max(begin for begin, _ in spans) <= min(end for _, end in spans)


def _birthdays(age_band: AgeBand, day: date) -> tuple[date, date]:
    """The first and the last birthday of which a person is in the band on this day."""
    youngest, too_old = _AGES[age_band]
    begin = date.min if too_old is None else months_later(day, -too_old) + timedelta(days=1)
    return begin, months_later(day, -youngest)
