"""Whether two samples of times can be distinguished: ranks, which one slow outlier cannot move."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, variance


def auc(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the chance that a value of `right` is larger than one of `left`; ties count half.

    0.5 means that nobody can tell them apart by any threshold (Mann and Whitney's U over its maximum).
    """
    ordered = sorted([(value, 0) for value in left] + [(value, 1) for value in right])
    rank_sum, position = 0.0, 0
    while position < len(ordered):
        end = position
        while end < len(ordered) and ordered[end][0] == ordered[position][0]:
            end += 1
        # Ranks are counted from 1; a run of equal values shares the mean of its ranks.
        rank_sum += (position + 1 + end) / 2 * sum(side for _, side in ordered[position:end])
        position = end
    return (rank_sum - len(right) * (len(right) + 1) / 2) / (len(left) * len(right))


def trimmed_t(left: Sequence[float], right: Sequence[float], kept: float = 0.95) -> float:
    """Return Welch's t of the fastest share `kept` of each sample, so that pauses of the machine do not count."""
    a, b = (sorted(sample)[: int(len(sample) * kept)] for sample in (left, right))
    return (fmean(b) - fmean(a)) / sqrt(variance(a) / len(a) + variance(b) / len(b))
