"""Which places of a log may be empty."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.audit.removals import Account, MalformedRemoval, Places, listed_places


def removal(*spans: tuple[int, int], kind: str = "erasure") -> dict[str, Any]:
    """Return a removal that lists these spans."""
    return {"kind": kind, "indices": [list(span) for span in spans]}


def account(log: list[dict[str, Any] | None]) -> Account:
    """Go through a log whose missing events are None."""
    found = Account()
    for index, event in enumerate(log):
        if event is None:
            found.missing(index)
        else:
            found.present(index, event)
    return found


ANY: dict[str, Any] = {"kind": "decision"}


@given(st.sets(st.integers(0, 60)))
def test_places_are_a_set(indices: set[int]) -> None:
    """Spans hold exactly the indices they were made of, ascending and apart."""
    places = Places.of(indices)
    assert {index for index in range(70) if index in places} == indices
    assert len(places) == len(indices)
    ends = [end for span in places.spans for end in span]
    assert ends == sorted(ends)
    assert all(low > high + 1 for (_, high), (low, _) in zip(places.spans, places.spans[1:], strict=False))


@pytest.mark.parametrize("kind", ["erasure", "retention"])
def test_a_place_that_a_removal_lists_may_be_empty(kind: str) -> None:
    """Erasure and retention account for what they list, whichever comes first to be read."""
    found = account([ANY, None, None, ANY, removal((1, 2), kind=kind)])
    assert (found.unaccounted(), found.returned()) == ([], [])


@pytest.mark.parametrize(
    "log",
    [
        [ANY, None, ANY],
        [ANY, None, None, removal((1, 1))],
        [ANY, None, {"kind": "read", "indices": [[1, 1]]}],
        [ANY, None, None],
    ],
)
def test_an_empty_place_that_nobody_lists_is_found(log: list[dict[str, Any] | None]) -> None:
    """Missing without a word, beyond the word, with the word of another kind of event, or with the word gone too."""
    assert account(log).unaccounted() != []


def test_an_event_that_came_back_is_found() -> None:
    """An event that is there although its removal is on record: a backup was restored."""
    assert account([ANY, ANY, None, removal((1, 2))]).returned() == [1]


@pytest.mark.parametrize(
    "indices",
    [None, {}, [[1]], [[1, 2, 3]], [["1", 2]], [[True, 2]], [[2, 1]], [[-1, 2]], [[1, 2], [2, 3]], [[5, 5]], [[4, 9]]],
)
def test_a_removal_must_list_places_before_it(indices: object) -> None:
    """What is no ascending list of spans, or reaches its own place, is malformed; a forged one must not excuse."""
    with pytest.raises(MalformedRemoval):
        listed_places({"kind": "erasure", "indices": indices}, 5)
