"""The fault campaign's judge must find what it is there to find."""

from dataclasses import replace

import pytest

from tests.campaigns.crash.trial import NOTHING, ONCE, Effects, Said, Trial, judge

HONEST = Trial("decision, before message 3", "done", ONCE, settled=True, finally_=ONCE, same_answer=True)
TWICE = Effects(2, 1, 1)


@pytest.mark.parametrize(
    ("said", "then"), [("done", ONCE), ("nothing recorded", NOTHING), ("unknown", NOTHING), ("unknown", ONCE)]
)
def test_honest_answers_break_nothing(said: Said, then: Effects) -> None:
    """A success with its effect, a failure without one, and an unknown outcome with either."""
    assert judge(replace(HONEST, said=said, then=then)) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"said": "done", "then": NOTHING}, "false success"),
        ({"said": "nothing recorded", "then": ONCE}, "false failure"),
        ({"said": "unknown", "then": Effects(1, 0, 1)}, "half an effect"),
        ({"said": "unknown", "then": Effects(0, 0, 1)}, "half an effect"),
        ({"said": "something else"}, "an answer that says neither"),
        ({"settled": False}, "the key did not settle it"),
        ({"finally_": TWICE}, "double or lost effect"),
        ({"finally_": NOTHING}, "double or lost effect"),
        ({"same_answer": False}, "the key gave another answer"),
    ],
)
def test_every_broken_promise_is_found(changed: dict[str, object], expected: str) -> None:
    """Each defect alone is reported by its name."""
    assert any(expected in found for found in judge(replace(HONEST, **changed)))  # type: ignore[arg-type]
