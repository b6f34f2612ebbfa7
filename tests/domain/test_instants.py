"""Requests accept any RFC 3339 date-time, and answers use one form."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from consent_registry.domain.instants import (
    DATE_TIME_PATTERN,
    EARLIEST,
    INSTANT_PATTERN,
    LATEST,
    NotAnInstant,
    format_instant,
    parse_instant,
)
from tests.domain.cases import MICROSECOND

INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(8999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS)
@example(datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
def test_an_instant_comes_back_from_the_wire(at: datetime) -> None:
    """An instant that was written and read again is the same, and its text follows the contract."""
    text = format_instant(at)
    assert re.search(INSTANT_PATTERN, text)
    assert parse_instant(text) == at


@given(INSTANTS)
def test_a_microsecond_is_told_apart(at: datetime) -> None:
    """Neighbouring microseconds have different texts, and texts sort by time."""
    assert format_instant(at) < format_instant(at + MICROSECOND)
    assert parse_instant(format_instant(at + MICROSECOND)) - at == MICROSECOND


@given(INSTANTS, st.integers(-23 * 60 - 59, 23 * 60 + 59), st.sampled_from("Tt"), st.booleans())
def test_any_offset_is_read(at: datetime, minutes: int, letter: str, microseconds: bool) -> None:
    """An instant is read at every offset, with upper- or lower-case letters, with all decimals or none."""
    assume(EARLIEST + timedelta(days=1) < at < LATEST - timedelta(days=1))
    at = at if microseconds else at.replace(microsecond=0)
    text = at.astimezone(timezone(timedelta(minutes=minutes))).isoformat(letter)
    assert parse_instant(text) == at
    assert re.search(DATE_TIME_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-20T09:30:00Z", "2026-11-20T09:30:00.000000Z"),
        ("2026-11-20T09:30:00.123Z", "2026-11-20T09:30:00.123000Z"),  # JavaScript's toISOString()
        ("2026-11-20T09:30:00.5+01:00", "2026-11-20T08:30:00.500000Z"),
        ("2026-11-20t09:30:00.000001z", "2026-11-20T09:30:00.000001Z"),
        ("2026-11-20T00:30:00+23:59", "2026-11-19T00:31:00.000000Z"),
        ("2026-11-20T09:30:00-00:00", "2026-11-20T09:30:00.000000Z"),  # RFC 3339 section 4.3
        ("2024-02-29T23:59:59-12:00", "2024-03-01T11:59:59.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2015-06-30T23:59:60Z", "2015-07-01T00:00:00.000000Z"),
        ("2016-12-31T15:59:60.9-08:00", "2017-01-01T00:00:00.000000Z"),  # RFC 3339 section 5.8, but for the decimals
        ("1899-12-31T23:30:00-01:00", "1900-01-01T00:30:00.000000Z"),
    ],
)
def test_every_form_of_the_rfc_is_one_instant(text: str, same: str) -> None:
    """Every spelling of an instant is answered in UTC with six decimals."""
    assert re.search(DATE_TIME_PATTERN, text)
    assert format_instant(parse_instant(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T09:30:00.0000000Z",
        "2026-11-20T09:30:00.Z",
        "2026-11-20T09:30:00,5Z",
        "2026-11-20T09:30Z",
        "2026-11-20T09:30:00",
        "2026-11-20T09:30:00+0100",
        "2026-11-20T09:30:00+01",
        "2026-11-20 09:30:00Z",
        " 2026-11-20T09:30:00Z",
        "20261120T093000Z",
        "2026-W47-5T09:30:00Z",
        "+2026-11-20T09:30:00Z",
        "2026-11-20T09:30:00Z\n",
        "٢٠٢٦-11-20T09:30:00Z",
        "2026-11-20",
        "",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    """A text that is no RFC 3339 date-time, or finer than a microsecond, is refused by the pattern and by
    the parser.
    """
    assert re.search(DATE_TIME_PATTERN, text) is None
    with pytest.raises(NotAnInstant, match="RFC 3339"):
        parse_instant(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2026-02-29T00:00:00Z", "exist"),
        ("2026-13-01T00:00:00Z", "exist"),
        ("2026-00-10T00:00:00Z", "exist"),
        ("2026-11-31T00:00:00Z", "exist"),
        ("2026-11-20T24:00:00Z", "exist"),
        ("2026-11-20T09:60:00Z", "exist"),
        ("2026-11-20T09:30:61Z", "exist"),
        ("2026-11-20T09:30:00+24:00", "exist"),
        ("2026-11-20T09:30:00+01:60", "exist"),
        ("0000-11-20T09:30:00Z", "exist"),
        ("0001-01-01T00:00:00+14:00", "exist"),
        ("2026-11-20T23:59:60Z", "June or December"),
        ("2016-12-31T23:58:60Z", "June or December"),
        ("2016-12-31T23:59:60+01:00", "June or December"),
        ("0001-01-01T00:00:00.000000Z", "1900"),  # to the driver minus infinity
        ("1899-12-31T23:59:59.999999Z", "1900"),
        ("9000-01-01T00:00:00.000000Z", "1900"),
        ("9999-12-31T23:59:59.999999Z", "1900"),  # to the driver infinity
    ],
)
def test_times_that_do_not_exist_are_refused(text: str, rule: str) -> None:
    """A day or time of day that does not exist is refused, with the rule that it breaks."""
    assert re.search(DATE_TIME_PATTERN, text)
    with pytest.raises(NotAnInstant, match=rule):
        parse_instant(text)


def test_the_first_and_the_last_instant_are_known() -> None:
    """The years 1900 to 8999 are accepted from their first to their last microsecond."""
    assert parse_instant("1900-01-01T00:00:00.000000Z") == datetime(1900, 1, 1, tzinfo=UTC)
    assert parse_instant("8999-12-31T23:59:59.999999Z") == datetime(9000, 1, 1, tzinfo=UTC) - MICROSECOND
