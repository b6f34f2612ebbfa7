"""Unusual look-ups become findings from their limits on, wherever the hour or day begins."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.findings import Finding, FindingKind
from consent_registry.domain.lookups import (
    DAY,
    HOUR,
    QUESTIONS_WITHOUT_TRANSFER,
    REFUSED_REFERENCES,
    Lookup,
    codes_guessed,
    lookups_needed_since,
    lookups_refused,
    lookups_without_transfer,
)

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
STEP = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


def lookup(number: int, at: datetime, client_id: str | None = None, *, sent: bool = False) -> Lookup:
    """A question with this number, which is also its log index."""
    return Lookup(f"d{number:03}", number, at, client_id, sent)


def test_the_limits_and_lengths() -> None:
    """The limits are fifty persons an hour and ten questions a day."""
    assert (REFUSED_REFERENCES, QUESTIONS_WITHOUT_TRANSFER) == (50, 10)
    assert (timedelta(minutes=60), timedelta(hours=24)) == (HOUR, DAY)


@pytest.mark.parametrize("number", [49, 50, 51])
def test_persons_refused_within_an_hour(number: int) -> None:
    """The fiftieth refused person within an hour makes the finding, which is known from then."""
    found = lookups_refused(lookup(minute, AT + minute * MINUTE) for minute in range(number))
    assert len(found) == (number >= 50)
    for finding in found:
        assert (finding.kind, finding.known_at, finding.subject) == ("lookups_refused", AT + 49 * MINUTE, "d049")
        assert finding.numbers == {"references": number, "unregistered": number, "limit": 50, "minutes": 60}
        assert finding.times == {"begun_at": AT, "ended_at": AT + (number - 1) * MINUTE}
        assert (finding.decision_id, finding.log_index, finding.client_id) == ("d049", 49, None)


def test_a_known_person_counts_once_and_an_unknown_one_each_time() -> None:
    """A known client counts once, and each question with an unknown reference counts."""
    history = [lookup(1, AT, "a"), lookup(2, AT, "a"), lookup(3, AT, "b"), lookup(4, AT), lookup(5, AT)]
    assert lookups_refused(history, 5) == []
    (found,) = lookups_refused(history, 4)
    assert found.numbers == {"references": 4, "unregistered": 2, "limit": 4, "minutes": 60}


@pytest.mark.parametrize(("apart", "number"), [(HOUR - STEP, 1), (HOUR, 0), (HOUR + STEP, 0)])
def test_an_hour_is_sixty_minutes_wherever_it_begins(apart: timedelta, number: int) -> None:
    """Two questions less than sixty minutes apart count together, also across a clock's hour."""
    begin = AT + 59 * MINUTE
    assert len(lookups_refused([lookup(1, begin), lookup(2, begin + apart)], 2)) == number


def test_one_finding_for_each_hour_with_its_worst_moment() -> None:
    """A list tried for two hours makes two findings, each with its worst moment."""
    quiet = [lookup(number, AT + number * 20 * MINUTE) for number in range(3)]
    busy = [lookup(10 + number, AT + HOUR + number * 10 * MINUTE) for number in range(6)]
    first, second = lookups_refused([*busy, *quiet], 3)
    assert (first.known_at, first.subject, first.numbers["references"]) == (AT + 40 * MINUTE, "d002", 3)
    assert (second.known_at, second.subject, second.numbers["references"]) == (AT + HOUR, "d010", 6)
    assert second.times == {"begun_at": AT + HOUR, "ended_at": AT + HOUR + 50 * MINUTE}


def test_asked_often_and_nothing_sent() -> None:
    """Many questions about one client without a transfer make a finding; a transfer within a day prevents it."""
    history = [lookup(number, AT + number * MINUTE, "a") for number in range(3)] + [lookup(9, AT, "b"), lookup(8, AT)]
    (found,) = lookups_without_transfer(history, 3)
    assert (found.kind, found.client_id, found.subject) == ("lookups_without_transfer", "a", "d002")
    assert found.numbers == {"questions": 3, "limit": 3, "minutes": 1440}
    assert lookups_without_transfer(history, 4) == []
    assert lookups_without_transfer([*history, lookup(5, AT, "a", sent=True)], 3) == []
    later = [lookup(20 + number, AT + DAY + number * MINUTE, "a") for number in range(3)]
    assert len(lookups_without_transfer([lookup(5, AT, "a", sent=True), *later], 3)) == 1
    assert lookups_without_transfer([lookup(5, AT + 3 * MINUTE, "a", sent=True), *later], 3) == []


def test_ten_questions_unless_said_otherwise() -> None:
    """By default the tenth question within a day makes the finding."""
    history = [lookup(number, AT + number * MINUTE, "a") for number in range(10)]
    assert lookups_without_transfer(history[:9]) == []
    assert len(lookups_without_transfer(history)) == 1


@pytest.mark.parametrize("kind", ["receipt_codes_guessed", "link_codes_guessed"])
def test_wrong_codes(kind: FindingKind) -> None:
    """Wrong codes make a finding from the number at which the partner must wait, and it names no decision."""
    failures = [(f"f{number}", AT + number * MINUTE) for number in range(5)]
    assert codes_guessed(kind, failures[:4], 5) == []
    (found,) = codes_guessed(kind, failures, 5)
    assert (found.kind, found.subject, found.known_at) == (kind, "f4", AT + 4 * MINUTE)
    assert found.numbers == {"failures": 5, "limit": 5, "minutes": 60}
    assert (found.decision_id, found.log_index, found.client_id) == (None, None, None)


@pytest.mark.parametrize(
    ("begin", "since"),
    [
        (AT, AT - HOUR),
        (AT + STEP, AT - HOUR),
        (AT + HOUR - STEP, AT - HOUR),
        (AT + HOUR, AT),
    ],
)
def test_what_must_be_known(begin: datetime, since: datetime) -> None:
    """A period needs look-ups from one window before the clock's hour in which it begins."""
    assert lookups_needed_since(begin, HOUR) == since


minutes = st.integers(0, 200).map(lambda number: AT + number * 10 * MINUTE)
people = st.sampled_from([None, "a", "b"])
histories = st.lists(st.tuples(minutes, people, st.booleans()), max_size=14).map(
    lambda history: [lookup(number, at, who, sent=sent) for number, (at, who, sent) in enumerate(history)]
)


def told(found: Sequence[Finding]) -> set[tuple[object, ...]]:
    """The essentials of findings: client, time of knowledge and count."""
    return {(finding.client_id, finding.known_at, next(iter(finding.numbers.values()))) for finding in found}


def by_the_words(history: Sequence[Lookup], length: timedelta, limit: int, *, persons: bool) -> set[tuple[object, ...]]:
    """A plain second implementation: counts the hour or day before each moment, then takes the worst of each clock's
    hour or day.
    """
    beyond: dict[int, list[tuple[datetime, int]]] = {}
    for moment in sorted({lookup.at for lookup in history}):
        inside = [lookup for lookup in history if moment - length < lookup.at <= moment]
        known = {lookup.client_id for lookup in inside if lookup.client_id}
        count = len(known) + sum(lookup.client_id is None for lookup in inside) if persons else len(inside)
        if count >= limit and (persons or not any(lookup.sent for lookup in inside)):
            clock = math.floor(moment.timestamp() / length.total_seconds())
            beyond.setdefault(clock, []).append((moment, count))
    return {(each[0][0], max(count for _, count in each)) for each in beyond.values()}


@given(histories, st.integers(1, 4))
def test_any_history_against_the_words(history: list[Lookup], limit: int) -> None:
    """For any history the findings agree with the plain second implementation, in any order of input."""
    refused = told(lookups_refused(history, limit))
    assert refused == {(None, *expected) for expected in by_the_words(history, HOUR, limit, persons=True)}
    assert refused == told(lookups_refused(history[::-1], limit))
    silent = told(lookups_without_transfer(history, limit))
    assert silent == {
        (who, *expected)
        for who in ("a", "b")
        for expected in by_the_words([each for each in history if each.client_id == who], DAY, limit, persons=False)
    }


@given(histories, st.integers(1, 4), minutes)
def test_a_period_needs_no_more_than_it_looks_at(history: list[Lookup], limit: int, begin: datetime) -> None:
    """The findings of a period are the same from the whole history and from `lookups_needed_since` on."""
    since = lookups_needed_since(begin, HOUR)
    part = [lookup for lookup in history if lookup.at >= since]
    wanted = {finding for finding in told(lookups_refused(history, limit)) if finding[1] >= begin}  # type: ignore[operator]
    assert {finding for finding in told(lookups_refused(part, limit)) if finding[1] >= begin} == wanted  # type: ignore[operator]
