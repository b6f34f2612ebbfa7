"""The SIGTERM campaign's judge must find what it is there to find."""

from dataclasses import replace

import pytest

from tests.campaigns.crash.shutdown import Attempt, judge
from tests.campaigns.support.wire import Progress

AT = 100.0
ANSWERED = Attempt("A", 99.9, 200, None)


@pytest.mark.parametrize(
    "attempt",
    [
        ANSWERED,
        replace(ANSWERED, sent_at=100.1, recorded=True),
        Attempt("A", 100.1, 503, None),
        Attempt("A", 100.1, None, Progress.NO_ANSWER),
        Attempt("A", None, None, Progress.NOT_SENT),
        Attempt("A", None, None, Progress.NOT_CONNECTED),
    ],
)
def test_an_honest_stop_has_no_findings(attempt: Attempt) -> None:
    """Answered, or sent after the signal and refused or closed without a trace."""
    assert judge([attempt], AT) == []


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt("A", 99.9, None, Progress.NO_ANSWER),
        Attempt("A", 99.9, 503, None),
        Attempt("A", 99.9, 500, None),
        Attempt("A", 99.9, None, Progress.TIMED_OUT),
        Attempt("A", 100.1, None, Progress.PARTIAL_ANSWER),
        Attempt("A", 100.1, 500, None),
        Attempt("A", 100.1, 503, None, proper=False),
        Attempt("A", 100.1, 503, None, recorded=True),
        Attempt("A", 100.1, None, Progress.NO_ANSWER, recorded=True),
        Attempt("A", None, None, Progress.NOT_SENT, recorded=True),
    ],
)
def test_a_failed_request_is_found(attempt: Attempt) -> None:
    """Sent in time and not answered, answered wrongly or in part, or recorded without an answer."""
    assert len(judge([ANSWERED, attempt], AT)) == 1
