"""Which events of a log may be missing: those that a later event of kind `erasure` or `retention` lists
(docs/design/erasure.md). A *place* is a leaf's index.

Leaves are never removed. An event that is missing although no removal lists it is a finding. So is an event that is
present although a removal lists it: a backup was restored and the erasure was not repeated.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REMOVALS = frozenset({"erasure", "retention"})
Span = tuple[int, int]


class MalformedRemoval(ValueError):
    """A removal's list of places breaks a rule: ascending inclusive spans, disjoint, all before the removal itself."""


class Places:
    """A set of places in a log, kept as ascending, inclusive spans."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        merged: list[list[int]] = []
        for low, high in sorted(spans):
            if merged and low <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], high)
            else:
                merged.append([low, high])
        self._lows = [low for low, _ in merged]
        self._highs = [high for _, high in merged]

    @classmethod
    def of(cls, indices: Iterable[int]) -> "Places":
        """The set of these indices."""
        return cls((index, index) for index in indices)

    @property
    def spans(self) -> list[Span]:
        """The places as ascending, inclusive spans, with a gap between each two."""
        return list(zip(self._lows, self._highs, strict=True))

    def __contains__(self, index: int) -> bool:
        position = bisect_right(self._lows, index) - 1
        return position >= 0 and index <= self._highs[position]

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.spans)


def listed_places(event: Mapping[str, Any], log_index: int) -> list[Span]:
    """The spans of places that the removal at `log_index` lists; none for events of other kinds. Raises
    MalformedRemoval.
    """
    if event.get("kind") not in REMOVALS:
        return []
    spans: list[Span] = []
    end = -1
    for item in _items(event):
        low, high = item
        if not end < low <= high < log_index:
            raise MalformedRemoval(f"removal at {log_index} lists {low} to {high}")
        spans.append((low, high))
        end = high
    return spans


def _items(event: Mapping[str, Any]) -> Sequence[tuple[int, int]]:
    items = event.get("indices")
    if not isinstance(items, list) or not all(
        isinstance(item, list) and len(item) == 2 and all(type(end) is int for end in item)  # noqa: PLR2004 - two ends
        for item in items
    ):
        raise MalformedRemoval("a removal must list its places as pairs of numbers")
    return [(item[0], item[1]) for item in items]


class RemovalCheck:
    """Compares a log's missing and present events with the removals on record, in one pass over the log."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._missing: list[int] = []
        self._present: list[Span] = []

    def missing(self, log_index: int) -> None:
        """Note that there is no event at this place."""
        self._missing.append(log_index)

    def present(self, log_index: int, event: Mapping[str, Any]) -> None:
        """Note that this event is present, and read what it removes. Raises MalformedRemoval."""
        if self._present and self._present[-1][1] == log_index - 1:
            self._present[-1] = (self._present[-1][0], log_index)
        else:
            self._present.append((log_index, log_index))
        self._spans += listed_places(event, log_index)

    @property
    def removed(self) -> Places:
        """All places that removals list."""
        return Places(self._spans)

    def unaccounted(self) -> list[int]:
        """Places whose event is missing although no removal lists it. Each is a finding."""
        removed = self.removed
        return [index for index in self._missing if index not in removed]

    def returned(self) -> list[int]:
        """Places whose event is present although a removal lists it. Each is a finding."""
        present = Places(self._present)
        return [index for low, high in self.removed.spans for index in range(low, high + 1) if index in present]
