"""What a stop may do to requests: which of them were in flight, and which of those failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.campaigns.support.wire import Progress


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request around a stop.

    `sent_at` is when its last byte was handed to the kernel, `recorded` what the log says of it.
    """

    reference: str
    sent_at: float | None
    status: int | None
    progress: Progress | None
    proper: bool = True
    recorded: bool = False
    ended_at: float = 0.0


GOOD = (200, 201)


def in_flight(attempt: Attempt, signalled_at: float) -> bool:
    """Say whether a request was in flight when the signal was sent.

    It was when its last byte had been handed to the kernel, on a connection the kernel had accepted, before the
    signal. It was as well, whenever it was sent, when the server gave it a byte of answer or recorded it.
    """
    if attempt.sent_at is None:
        return attempt.progress is not Progress.NOT_CONNECTED and attempt.recorded
    begun = attempt.status is not None or attempt.progress is Progress.PARTIAL_ANSWER
    return attempt.sent_at <= signalled_at or begun or attempt.recorded


def judge(attempts: Sequence[Attempt], signalled_at: float) -> list[str]:
    """Return the requests that were in flight and failed.

    A 503 with Retry-After to a request sent after the signal is a proper refusal, and a connection closed without a
    byte to a request sent after it is the race of HTTP/1.1 keep-alive that RFC 9112 section 9.3 leaves to the client;
    both are no failures as long as nothing was recorded.
    """
    broken = []
    for attempt in attempts:
        if not in_flight(attempt, signalled_at) or attempt.status in GOOD:
            continue
        late = attempt.sent_at is not None and attempt.sent_at > signalled_at
        if late and attempt.status == 503 and attempt.proper and not attempt.recorded:
            continue
        early_s = None if attempt.sent_at is None else signalled_at - attempt.sent_at
        broken.append(f"sent {early_s} s before the signal: {attempt}")
    return broken
