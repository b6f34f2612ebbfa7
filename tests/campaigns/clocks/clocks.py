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
    return [fault for question in asked if (fault := _fault(question)) is not None]


def _fault(question: Asked) -> str | None:
    if question.outcome is None:
        return f"{question.phase}: no answer"
    if question.outcome == "permit" and question.until <= question.latest - MARGIN:
        return f"{question.phase}: an expired consent was permitted, {question.latest - question.until} after its end"
    if question.outcome != "permit" and question.until > question.latest + MARGIN:
        return f"{question.phase}: a consent that counts was denied, {question.until - question.latest} before its end"
    return None
