"""What withdrawals take back of papers, in the plainest possible words, whatever was recorded first.

Written from the contract's rule alone (a withdrawal takes back the flow: every yes given until it was received),
without a look at ``domain/withdrawals``. Each rule is a loop or an ``if`` that can be compared with its sentence. Days
are counted by the European rule for summer time, not by a time zone database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Paper(NamedTuple):
    """One tick on a paper that the client signed."""

    name: str
    consent: str
    sender: str
    recipient: str
    purpose: str
    categories: frozenset[str]
    refused: bool
    given_at: datetime
    recorded_at: datetime
    day_only: bool


class Told(NamedTuple):
    """A withdrawal: by a consent, by a client at a partner (`by`), or of everything; of some categories, or of all
    (None). `alone`: of the named consent and no other paper.
    """

    received_at: datetime
    consent: str | None
    by: str
    everything: bool
    alone: bool
    categories: frozenset[str] | None


def last_sunday(year: int, month: int) -> datetime:
    """One in the morning, in Greenwich, of the last Sunday of a month with 31 days."""
    day = date(year, month, 31)
    while day.isoweekday() != 7:
        day -= timedelta(days=1)
    return datetime(day.year, day.month, day.day, 1, tzinfo=UTC)


def german_day(moment: datetime) -> date:
    """The day in Germany: two hours ahead of Greenwich in summer, one in winter."""
    if last_sunday(moment.year, 3) <= moment < last_sunday(moment.year, 10):
        return (moment + timedelta(hours=2)).date()
    return (moment + timedelta(hours=1)).date()


def was_before(paper: Paper, told: Told) -> bool:
    """Whether the paper was given until the withdrawal was received."""
    given_at = paper.given_at
    # A time ahead of the clock counts as the time of recording.
    given_at = min(given_at, paper.recorded_at)
    if paper.day_only:
        return german_day(given_at) <= german_day(told.received_at)
    return given_at <= told.received_at


def is_asked_for(category: str, told: Told) -> bool:
    """Whether the withdrawal is about this category at all."""
    if told.categories is None:
        return True
    return category in told.categories


def is_covered(paper: Paper, category: str, told: Told, papers: Sequence[Paper]) -> bool:
    """Whether the withdrawal covers this category in the paper's flow."""
    if told.everything:
        return True
    if not is_asked_for(category, told):
        return False
    if told.consent is None:
        return told.by in (paper.sender, paper.recipient)
    if told.alone:
        return False
    for named in papers:
        if named.consent != told.consent or named.refused:
            continue
        if (named.sender, named.recipient, named.purpose) != (paper.sender, paper.recipient, paper.purpose):
            continue
        if category in named.categories:
            return True
    return False


def is_taken(paper: Paper, category: str, told: Told, papers: Sequence[Paper]) -> bool:
    """Whether the withdrawal takes this category of the paper back."""
    # What a withdrawal names it takes back whenever it was given.
    if told.consent == paper.consent and not told.everything:
        return is_asked_for(category, told)
    if not was_before(paper, told):
        return False
    return is_covered(paper, category, told, papers)


def left(papers: Sequence[Paper], withdrawals: Sequence[Told]) -> dict[str, set[str]]:
    """The rest of each paper after all is recorded."""
    remaining: dict[str, set[str]] = {}
    for paper in papers:
        remaining[paper.name] = set()
        if paper.refused:
            continue
        for category in paper.categories:
            taken = False
            for told in withdrawals:
                if is_taken(paper, category, told, papers):
                    taken = True
            if not taken:
                remaining[paper.name].add(category)
    return remaining
