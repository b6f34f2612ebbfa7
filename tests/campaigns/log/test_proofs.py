"""All proofs of trees of one tile and of more, and samples of larger trees, with what is done to them, on every
processor.

PROOFS_SCALE=full takes every size to 1100; otherwise every size to 300, and beyond it those around whole tiles and
every sixteenth.
"""

import os
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.tlog.proof_mutations import (
    Tree,
    check_consistency,
    check_every_consistency,
    check_every_inclusion,
    check_inclusion,
    is_another_truth,
    one_of_each_consistency,
    one_of_each_inclusion,
    require_naive_roots,
)

pytestmark = pytest.mark.campaign

FULL = os.environ.get("PROOFS_SCALE") == "full"
EXHAUSTIVE, ALL = 40 if FULL else 32, 1100
TILE = 256
SIZES = [
    size for size in range(1, ALL + 1) if FULL or size <= 300 or size % 16 == 0 or (size + 3) % TILE < 7 or size == ALL
]
LARGE = (1792, 65535, 65536, 65537, 70000)
SAMPLES = 400
PROCESSES = 2
Shard = Callable[[int], int]


def _shards(shard: Shard) -> int:
    """How many mutations were refused in all."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        return sum(pool.map(shard, range(PROCESSES)))


def _every(shard: int) -> int:
    tree = Tree(EXHAUSTIVE + 2)
    sizes = range(1 + shard, EXHAUSTIVE + 1, PROCESSES)
    return sum(check_every_inclusion(tree, size) + check_every_consistency(tree, size) for size in sizes)


def _inclusion(shard: int) -> int:
    tree, dice = Tree(ALL), random.Random(shard)
    require_naive_roots(tree, [0, *SIZES[shard::PROCESSES]])
    return sum(check_inclusion(tree, size, dice, ALL) for size in SIZES[shard::PROCESSES])


def _consistency(shard: int) -> int:
    tree, dice = Tree(ALL), random.Random(shard)
    return sum(check_consistency(tree, size, dice, ALL) for size in SIZES[shard::PROCESSES])


def test_every_mutation_of_small_trees() -> None:
    """Each flipped bit, dropped, added or exchanged hash, other index and size of each proof is refused."""
    assert _shards(_every) > (2_000_000 if FULL else 1_000_000)


def test_all_inclusion_proofs_of_many_sizes() -> None:
    """Every leaf of every tree is proved, and a random mutation of each kind is refused."""
    assert _shards(_inclusion) > 5 * sum(SIZES)


def test_all_consistency_proofs_of_many_sizes() -> None:
    """Every tree is proved to continue every earlier one, and a random mutation of each kind is refused."""
    assert _shards(_consistency) > 5 * sum(SIZES)


@pytest.mark.parametrize("size", LARGE)
def test_larger_trees(size: int) -> None:
    """Leaves and earlier sizes at the edges of tiles and at random are proved, and mutations refused."""
    tree, dice = Tree(size), random.Random(size)
    edges = {0, 1, 2, 255, 256, 257, 511, 512, 65535, 65536, 65537, size // 2, size - 2, size - 1}
    for index in sorted({*edges, *dice.sample(range(size), SAMPLES)} & set(range(size))):
        proof = tree.inclusion(index, size)
        assert proof.holds(), index
        for mutation in one_of_each_inclusion(tree, proof, dice, size):
            assert not mutation.holds(), (proof, mutation)
    for old in sorted({*edges, size, *dice.sample(range(size), SAMPLES)} & set(range(size + 1))):
        step = tree.consistency(old, size)
        assert step.holds(), old
        for mutated in one_of_each_consistency(tree, step, dice, size):
            assert not mutated.holds() or is_another_truth(tree, mutated), (step, mutated)
