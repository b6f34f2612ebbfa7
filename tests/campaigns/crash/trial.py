"""One request whose database connection was cut, and what may be true of it afterwards."""

from dataclasses import dataclass
from typing import Literal

Said = Literal["done", "nothing recorded", "unknown", "something else"]


@dataclass(frozen=True, slots=True)
class Effects:
    """How much the request and its repetitions added to the log, to the stored answers and to its own table."""

    events: int
    answers: int
    rows: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A request cut at one message: the first answer, its effects, and the same after sending it again with its key."""

    where: str
    said: Said
    then: Effects
    settled: bool
    finally_: Effects
    same_answer: bool


NOTHING = Effects(0, 0, 0)
ONCE = Effects(1, 1, 1)


def judge(trial: Trial) -> list[str]:
    """Return every promise this trial breaks."""
    broken = []
    if trial.said == "done" and trial.then != ONCE:
        broken.append(f"false success {trial.then}")
    if trial.said == "nothing recorded" and trial.then != NOTHING:
        broken.append(f"false failure {trial.then}")
    if trial.then not in (NOTHING, ONCE):
        broken.append(f"half an effect {trial.then}")
    if trial.said == "something else":
        broken.append("an answer that says neither")
    if not trial.settled:
        broken.append("the key did not settle it")
    elif trial.finally_ != ONCE:
        broken.append(f"double or lost effect {trial.finally_}")
    if not trial.same_answer:
        broken.append("the key gave another answer than before")
    return [f"{trial.where}: {each}" for each in broken]
