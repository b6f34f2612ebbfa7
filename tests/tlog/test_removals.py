"""Which events of a log may be missing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.tlog.removals import MalformedRemoval, Places, RemovalCheck, listed_places


def removal(*spans: tuple[int, int], kind: str = "erasure") -> dict[str, Any]:
    """Return a removal that lists these spans."""
    return {"kind": kind, "indices": [list(span) for span in spans]}


def account(log: list[dict[str, Any] | None]) -> RemovalCheck:
    """Check a log in which a missing event is None."""
    found = RemovalCheck()
    for index, event in enumerate(log):
        if event is None:
            found.missing(index)
        else:
            found.present(index, event)
    return found


ANY: dict[str, Any] = {"kind": "decision"}


@given(st.sets(st.integers(0, 60)))
def test_places_are_a_set(indices: set[int]) -> None:
    """Places contain exactly the indices from which they were made, as ascending spans with gaps."""
    places = Places.of(indices)
    assert {index for index in range(70) if index in places} == indices
    assert len(places) == len(indices)
    ends = [end for span in places.spans for end in span]
    assert ends == sorted(ends)
    assert all(low > high + 1 for (_, high), (low, _) in zip(places.spans, places.spans[1:], strict=False))


@pytest.mark.parametrize("kind", ["erasure", "retention"])
def test_a_place_that_a_removal_lists_may_be_empty(kind: str) -> None:
    """An event may be missing if an erasure or retention lists it, whichever is read first."""
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
    """A missing event is a finding if no removal lists it, or only an event of another kind, or a removal that is
    missing itself.
    """
    assert account(log).unaccounted() != []


def test_an_event_that_came_back_is_found() -> None:
    """An event that is present although a removal lists it is a finding: a backup was restored."""
    assert account([ANY, ANY, None, removal((1, 2))]).returned() == [1]


@pytest.mark.parametrize(
    "indices",
    [
        None,
        {},
        [5],
        ["ab"],
        [[1]],
        [[0, 1], [2]],
        [[1, 2, 3]],
        [["1", 2]],
        [[True, 2]],
        [[2, 1]],
        [[-1, 2]],
        [[1, 2], [2, 3]],
        [[5, 5]],
        [[4, 9]],
    ],
)
def test_a_removal_must_list_places_before_it(indices: object) -> None:
    """A removal without ascending spans, or with its own index, is malformed, so that a forged one excuses nothing."""
    with pytest.raises(MalformedRemoval):
        listed_places({"kind": "erasure", "indices": indices}, 5)


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([], []),
        ([(3, 3)], [(3, 3)]),
        ([(4, 6), (1, 2)], [(1, 2), (4, 6)]),
        ([(1, 2), (3, 3)], [(1, 3)]),
        ([(1, 9), (2, 3), (10, 10)], [(1, 10)]),
        ([(1, 1), (3, 9), (4, 5)], [(1, 1), (3, 9)]),
        ([(1, 4), (4, 6), (8, 8)], [(1, 6), (8, 8)]),
    ],
)
def test_spans_that_touch_are_one(spans: list[tuple[int, int]], merged: list[tuple[int, int]]) -> None:
    """Adjacent and overlapping spans are merged, whatever their order is."""
    places = Places(spans)
    assert places.spans == merged
    assert len(places) == len({index for low, high in spans for index in range(low, high + 1)})
    assert [index in places for index in range(-2, 12)] == [
        any(low <= index <= high for low, high in merged) for index in range(-2, 12)
    ]


def test_what_a_removal_lists() -> None:
    """A removal lists its spans unchanged, from index 0 up to the one before it; other kinds of event list nothing."""
    for kind in ("erasure", "retention"):
        assert listed_places({"kind": kind, "indices": [[0, 0], [1, 1], [3, 4]]}, 5) == [(0, 0), (1, 1), (3, 4)]
        assert listed_places({"kind": kind, "indices": []}, 0) == []
    assert listed_places({"kind": "read", "indices": [[0, 0]]}, 5) == []
    assert listed_places({"indices": [[0, 0]]}, 5) == []
    with pytest.raises(MalformedRemoval, match=r"^removal at 5 lists 3 to 5$"):
        listed_places({"kind": "erasure", "indices": [[1, 1], [3, 5]]}, 5)
    with pytest.raises(MalformedRemoval, match="as pairs of numbers"):
        listed_places({"kind": "erasure"}, 5)


def test_each_place_is_named() -> None:
    """Missing, returned and removed places are each listed."""
    log = [ANY, None, None, ANY, ANY, ANY, None, removal((2, 5)), ANY, None, removal((1, 1), (8, 8), kind="retention")]
    found = account(log)
    assert found.removed.spans == [(1, 5), (8, 8)]
    assert found.unaccounted() == [6, 9]
    assert found.returned() == [3, 4, 5, 8]
    assert (account([]).unaccounted(), account([]).returned(), account([]).removed.spans) == ([], [], [])
