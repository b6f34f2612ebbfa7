"""Instants: RFC 3339 in UTC with exactly six decimals, and nothing else."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consent_registry.domain.instants import INSTANT_PATTERN, format_instant, parse_instant
from tests.domain.cases import MICROSECOND

INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(8999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS)
@example(datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
def test_an_instant_comes_back_from_the_wire(at: datetime) -> None:
    """Written and read again an instant is the same, and its text is the contract's."""
    text = format_instant(at)
    assert re.search(INSTANT_PATTERN, text)
    assert parse_instant(text) == at


@given(INSTANTS)
def test_a_microsecond_is_told_apart(at: datetime) -> None:
    """Neighbouring microseconds have different texts, and texts sort by time."""
    assert format_instant(at) < format_instant(at + MICROSECOND)
    assert parse_instant(format_instant(at + MICROSECOND)) - at == MICROSECOND


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T09:30:00Z",
        "2026-11-20T09:30:00.000Z",
        "2026-11-20T09:30:00.0000000Z",
        "2026-11-20T09:30:00.000000+00:00",
        "2026-11-20T09:30:00.000000",
        "2026-11-20t09:30:00.000000z",
        "2026-11-20 09:30:00.000000Z",
        " 2026-11-20T09:30:00.000000Z",
        "20261120T093000.000000Z",
        "2026-11-20T09:30:00.000000Z\n",
        "٢٠٢٦-11-20T09:30:00.000000Z",
        "2026-11-20",
        "",
    ],
)
def test_other_forms_do_not_match(text: str) -> None:
    """Other spellings of RFC 3339 and ISO 8601 are not taken."""
    assert re.search(INSTANT_PATTERN, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-00-10T00:00:00.000000Z",
        "2026-11-31T00:00:00.000000Z",
        "2026-11-20T24:00:00.000000Z",
        "2026-11-20T09:60:00.000000Z",
        "2026-11-20T09:30:61.000000Z",
        "0000-11-20T09:30:00.000000Z",
        "0001-01-01T00:00:00.000000Z",  # to the driver minus infinity
        "1899-12-31T23:59:59.999999Z",
        "9000-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",  # to the driver infinity
    ],
)
def test_times_that_do_not_exist_are_refused(text: str) -> None:
    """A text of the right form that names no day or time raises ValueError."""
    assert re.search(INSTANT_PATTERN, text)
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


def test_the_first_and_the_last_instant_are_known() -> None:
    """The years 1900 to 8999 are known from their first to their last microsecond."""
    assert parse_instant("1900-01-01T00:00:00.000000Z") == datetime(1900, 1, 1, tzinfo=UTC)
    assert parse_instant("8999-12-31T23:59:59.999999Z") == datetime(9000, 1, 1, tzinfo=UTC) - MICROSECOND
