"""What a registry must never answer, however its clocks are set; pure.

The database's clock decides. What had ended at a time it has shown once stays ended, though it is set back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Nothing is judged so close to the end of a consent or to a jump.
MARGIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision: when it was, by the database's clock and at the latest that clock had ever shown; until when the
    consent was given; and what was answered (`None`: no answer).
    """

    phase: str
    at: datetime
    latest: datetime
    until: datetime
    outcome: str | None


def faults(asked: Iterable[Asked]) -> list[str]:
    """Return every answer that no order of events can explain."""
    return [fault for one in asked if (fault := _fault(one)) is not None]


def _fault(one: Asked) -> str | None:
    if one.outcome is None:
        return f"{one.phase}: no answer"
    if one.outcome == "permit" and one.until <= one.latest - MARGIN:
        return f"{one.phase}: an expired consent was permitted, {one.latest - one.until} after its end"
    if one.outcome != "permit" and one.until > one.latest + MARGIN:
        return f"{one.phase}: a consent that counts was denied, {one.until - one.latest} before its end"
    return None
