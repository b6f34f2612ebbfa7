"""The measure of the timing test, compared with its definition."""

import random

import pytest

from tests.campaigns.silence.ranks import auc, trimmed_t


def by_definition(left: list[float], right: list[float]) -> float:
    """Compare every pair."""
    wins = sum(1.0 if b > a else 0.5 if b == a else 0.0 for a in left for b in right)
    return wins / (len(left) * len(right))


@pytest.mark.parametrize("seed", range(20))
def test_auc_is_the_share_of_pairs_won(seed: int) -> None:
    """Counted pair by pair, with ties."""
    source = random.Random(seed)
    left = [float(source.randint(0, 9)) for _ in range(source.randint(1, 40))]
    right = [float(source.randint(0, 9)) for _ in range(source.randint(1, 40))]
    assert auc(left, right) == pytest.approx(by_definition(left, right))


def test_equal_samples_cannot_be_told_apart() -> None:
    """Two samples of one noisy source stay within the band the campaign allows."""
    source = random.Random(7)
    left, right = ([source.lognormvariate(0, 0.4) for _ in range(2500)] for _ in range(2))
    assert 0.47 < auc(left, right) < 0.53
    assert abs(trimmed_t(left, right)) < 4.5


def test_a_twentieth_less_work_is_seen() -> None:
    """A shift of 5 % under 15 % noise lies far outside the band, in both measures."""
    source = random.Random(7)
    left = [source.lognormvariate(0, 0.15) for _ in range(2500)]
    right = [0.95 * source.lognormvariate(0, 0.15) for _ in range(2500)]
    assert auc(left, right) < 0.47
    assert trimmed_t(left, right) < -4.5


def test_outliers_move_the_ranks_little() -> None:
    """One pause of a second in a sample of milliseconds does not matter."""
    left, right = [1.0, 1.1, 1.2] * 100, [1.0, 1.1, 1.2] * 99 + [1.0, 1.1, 1000.0]
    assert auc(left, right) == pytest.approx(0.5, abs=0.01)
