"""Unusual look-ups: rules that count and can be defended, no score (Art. 5 Abs. 1 lit. c und f, Art. 32 DSGVO).

Each counts what happened in the hour, or the day, that ends with a question. What goes beyond is told once for each
hour or day of UTC in which it does, with the numbers of its worst moment. So what is told depends on nothing but what
happened: not on the period asked for, and not on whether the bad hour falls on a clock's hour.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec

from consent_registry.domain.findings import Finding, FindingKind

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# A system asks about clients its office has registered. One refused person a minute, most of an hour long, is no day's
# work at a counter; it is a list that somebody goes through.
REFUSED_REFERENCES = 50
# Each permit is good for one sending. Who asked ten times about one person within a day and sent nothing did not ask in
# order to send.
QUESTIONS_WITHOUT_TRANSFER = 10
_EPOCH = datetime.fromtimestamp(0, UTC)


class Lookup(msgspec.Struct, frozen=True):
    """One question about a person: when, about whom (None: nobody had registered the reference), and whether something
    was sent on its answer.
    """

    decision_id: str
    log_index: int | None
    at: datetime
    client_id: str | None
    sent: bool


def looked_at_since(begin: datetime, length: timedelta) -> datetime:
    """From when on look-ups must be known to tell what lies in a period that begins then: a whole window before the
    hour (or day) of UTC it begins in.
    """
    return _EPOCH + ((begin - _EPOCH) // length - 1) * length


class _Window:
    """The look-ups of the hour or day that ends with those taken in last, counted as they come and go."""

    def __init__(self, length: timedelta) -> None:
        self._length = length
        self._inside: deque[Lookup] = deque()
        self._clients: Counter[str | None] = Counter()
        self.sent = 0

    def take(self, some: Iterable[Lookup], at: datetime) -> None:
        """Add what happened at this moment; what is as old as the window is long leaves it."""
        while self._inside and self._inside[0].at <= at - self._length:
            self._count(self._inside.popleft(), -1)
        for one in some:
            self._inside.append(one)
            self._count(one, 1)

    def _count(self, one: Lookup, step: int) -> None:
        self._clients[one.client_id] += step
        if not self._clients[one.client_id]:
            del self._clients[one.client_id]
        self.sent += step * one.sent

    @property
    def questions(self) -> int:
        """How many there are."""
        return len(self._inside)

    @property
    def unregistered(self) -> int:
        """How many of them are about references that nobody had registered."""
        return self._clients[None]

    @property
    def clients(self) -> int:
        """About how many clients the others are."""
        return len(self._clients) - (None in self._clients)

    @property
    def span(self) -> tuple[Lookup, Lookup]:
        """The first and the last."""
        return self._inside[0], self._inside[-1]


# What is counted, with the numbers to be told; None while nothing is beyond the limit. The first number decides which
# moment is the worst.
Measure = Callable[[_Window], Mapping[str, int] | None]


def lookups_refused(refused: Iterable[Lookup], references: int = REFUSED_REFERENCES) -> list[Finding]:
    """Hours in which one partner was refused for at least so many different persons within sixty minutes.

    References nobody has registered cannot be told apart in the log, which holds no trace of them: each question about
    one counts as a person.
    """

    def measure(window: _Window) -> Mapping[str, int] | None:
        counted = window.clients + window.unregistered
        numbers = {"references": counted, "unregistered": window.unregistered, "limit": references}
        return numbers if counted >= references else None

    return list(_worst(refused, HOUR, measure, "lookups_refused"))


def lookups_without_transfer(lookups: Iterable[Lookup], questions: int = QUESTIONS_WITHOUT_TRANSFER) -> list[Finding]:
    """Days on which one partner asked about one client at least so often within 24 hours, and sent nothing on any of
    the answers. Persons nobody has registered are not told apart, and so not counted.
    """

    def measure(window: _Window) -> Mapping[str, int] | None:
        numbers = {"questions": window.questions, "limit": questions}
        return numbers if window.questions >= questions and not window.sent else None

    of_client: defaultdict[str, list[Lookup]] = defaultdict(list)
    for one in lookups:
        if one.client_id is not None:
            of_client[one.client_id].append(one)
    return [
        msgspec.structs.replace(finding, client_id=client_id)
        for client_id, some in of_client.items()
        for finding in _worst(some, DAY, measure, "lookups_without_transfer")
    ]


def codes_guessed(kind: FindingKind, failures: Iterable[tuple[str, datetime]], limit: int) -> list[Finding]:
    """Hours in which one partner gave at least `limit` wrong codes within sixty minutes, after which it has to wait;
    `failures` are ids and times.
    """

    def measure(window: _Window) -> Mapping[str, int] | None:
        return {"failures": window.questions, "limit": limit} if window.questions >= limit else None

    tried = [Lookup(failure_id, None, at, None, sent=False) for failure_id, at in failures]
    found = _worst(tried, HOUR, measure, kind)
    return [msgspec.structs.replace(one, decision_id=None) for one in found]


class _Moment(msgspec.Struct, frozen=True):
    """A moment at which the window that ends there is beyond the limit."""

    at: datetime
    first: Lookup
    last: Lookup
    numbers: Mapping[str, int]

    @property
    def counted(self) -> int:
        """What decides how bad it is."""
        return next(iter(self.numbers.values()))


def _worst(lookups: Iterable[Lookup], length: timedelta, measure: Measure, kind: FindingKind) -> Iterator[Finding]:
    """A finding for each hour (or day) of UTC in which a window of that length that ends in it is beyond the limit: it
    is about the look-up that crossed it, and tells the worst moment's numbers.
    """
    beyond = _beyond(lookups, length, measure)
    for _, several in groupby(beyond, key=lambda one: (one.at - _EPOCH) // length):
        moments = list(several)
        crossed, worst = moments[0], max(moments, key=lambda one: one.counted)
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
    ordered = sorted(lookups, key=lambda one: (one.at, one.decision_id))
    for at, some in groupby(ordered, key=lambda one: one.at):
        window.take(some, at)
        numbers = measure(window)
        if numbers is not None:
            yield _Moment(at, *window.span, numbers)
