"""Finds unusual look-ups by counting, without a score (Art. 5 Abs. 1 lit. c und f, Art. 32 DSGVO).

Each rule counts the look-ups in the hour, or the day, that ends with a question. If a count reaches its limit, there is
one finding for that hour or day of UTC, with the numbers of its worst moment. So the findings depend only on the
look-ups: not on the period of the search, and not on whether the bad hour is an hour of the clock.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec

from consent_registry.domain.findings import Finding, FindingKind

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# A system asks about clients that its office has registered. One refused person a minute, for most of an hour, is not
# work at a counter; somebody is trying a list.
REFUSED_REFERENCES = 50
# A permit is for one transfer. Ten questions about one person within a day without a transfer had another purpose.
QUESTIONS_WITHOUT_TRANSFER = 10
_EPOCH = datetime.fromtimestamp(0, UTC)


class Lookup(msgspec.Struct, frozen=True):
    """One question about a person. `client_id` is None for an unknown reference; `sent`: a transfer followed."""

    decision_id: str
    log_index: int | None
    at: datetime
    client_id: str | None
    sent: bool


def lookups_needed_since(begin: datetime, length: timedelta) -> datetime:
    """The earliest look-up that findings from `begin` on depend on: one window before the hour (or day) of UTC that
    contains `begin`.
    """
    return _EPOCH + ((begin - _EPOCH) // length - 1) * length


class _Window:
    """A sliding window: counts the look-ups of the hour or day that ends with the last one taken."""

    def __init__(self, length: timedelta) -> None:
        self._length = length
        self._inside: deque[Lookup] = deque()
        self._clients: Counter[str | None] = Counter()
        self.sent = 0

    def take(self, lookups: Iterable[Lookup], at: datetime) -> None:
        """Move the window's end to `at`, where these look-ups happened, and drop those that are now too old."""
        while self._inside and self._inside[0].at <= at - self._length:
            self._count(self._inside.popleft(), -1)
        for lookup in lookups:
            self._inside.append(lookup)
            self._count(lookup, 1)

    def _count(self, lookup: Lookup, step: int) -> None:
        self._clients[lookup.client_id] += step
        if not self._clients[lookup.client_id]:
            del self._clients[lookup.client_id]
        self.sent += step * lookup.sent

    @property
    def questions(self) -> int:
        """The number of look-ups in the window."""
        return len(self._inside)

    @property
    def unregistered(self) -> int:
        """The number of look-ups with an unknown reference."""
        return self._clients[None]

    @property
    def clients(self) -> int:
        """The number of different known clients."""
        return len(self._clients) - (None in self._clients)

    @property
    def span(self) -> tuple[Lookup, Lookup]:
        """The first and the last look-up in the window."""
        return self._inside[0], self._inside[-1]


# A rule: maps a window to the numbers of a finding, or None below the limit. The first number decides which moment is
# the worst.
Measure = Callable[[_Window], Mapping[str, int] | None]


def lookups_refused(refused: Iterable[Lookup], references: int = REFUSED_REFERENCES) -> list[Finding]:
    """Findings for hours in which one partner was refused for at least `references` persons within sixty minutes.

    The log keeps no trace of unknown references, so it cannot distinguish them: each question with one counts as a
    person.
    """

    def measure(window: _Window) -> Mapping[str, int] | None:
        counted = window.clients + window.unregistered
        numbers = {"references": counted, "unregistered": window.unregistered, "limit": references}
        return numbers if counted >= references else None

    return list(_worst(refused, HOUR, measure, "lookups_refused"))


def lookups_without_transfer(lookups: Iterable[Lookup], questions: int = QUESTIONS_WITHOUT_TRANSFER) -> list[Finding]:
    """Findings for days on which one partner asked at least `questions` times about one client within 24 hours and sent
    nothing. Unknown references cannot be distinguished, so they are not counted.
    """

    def measure(window: _Window) -> Mapping[str, int] | None:
        numbers = {"questions": window.questions, "limit": questions}
        return numbers if window.questions >= questions and not window.sent else None

    of_client: defaultdict[str, list[Lookup]] = defaultdict(list)
    for lookup in lookups:
        if lookup.client_id is not None:
            of_client[lookup.client_id].append(lookup)
    return [
        msgspec.structs.replace(finding, client_id=client_id)
        for client_id, client_lookups in of_client.items()
        for finding in _worst(client_lookups, DAY, measure, "lookups_without_transfer")
    ]


def codes_guessed(kind: FindingKind, failures: Iterable[tuple[str, datetime]], limit: int) -> list[Finding]:
    """Findings for hours in which one partner gave at least `limit` wrong codes within sixty minutes. After so many the
    partner must wait. `failures` are ids and times.
    """

    def measure(window: _Window) -> Mapping[str, int] | None:
        return {"failures": window.questions, "limit": limit} if window.questions >= limit else None

    tried = [Lookup(failure_id, None, at, None, sent=False) for failure_id, at in failures]
    found = _worst(tried, HOUR, measure, kind)
    return [msgspec.structs.replace(finding, decision_id=None) for finding in found]


class _Moment(msgspec.Struct, frozen=True):
    """A moment at which the window that ends there has reached the limit."""

    at: datetime
    first: Lookup
    last: Lookup
    numbers: Mapping[str, int]

    @property
    def counted(self) -> int:
        """The number by which moments are compared."""
        return next(iter(self.numbers.values()))


def _worst(lookups: Iterable[Lookup], length: timedelta, measure: Measure, kind: FindingKind) -> Iterator[Finding]:
    """Yield a finding for each hour (or day) of UTC in which a window ends that has reached the limit. Its subject is
    the look-up that reached the limit; its numbers are the worst moment's.
    """
    beyond = _beyond(lookups, length, measure)
    for _, moments_of_hour in groupby(beyond, key=lambda moment: (moment.at - _EPOCH) // length):
        moments = list(moments_of_hour)
        crossed, worst = moments[0], max(moments, key=lambda moment: moment.counted)
        yield Finding(
            kind=kind,
            subject=crossed.last.decision_id,
            known_at=crossed.at,
            times={"begun_at": worst.first.at, "ended_at": worst.last.at},
            numbers={**worst.numbers, "minutes": length // timedelta(minutes=1)},
            decision_id=crossed.last.decision_id,
            log_index=crossed.last.log_index,
        )


def _beyond(lookups: Iterable[Lookup], length: timedelta, measure: Measure) -> Iterator[_Moment]:
    window = _Window(length)
    ordered = sorted(lookups, key=lambda lookup: (lookup.at, lookup.decision_id))
    for at, simultaneous in groupby(ordered, key=lambda lookup: lookup.at):
        window.take(simultaneous, at)
        numbers = measure(window)
        if numbers is not None:
            yield _Moment(at, *window.span, numbers)
