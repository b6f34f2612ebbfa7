"""All proofs of small trees and their mutations. The campaign does the same for sizes of 1100 and beyond."""

import random

import pytest

from consent_registry.tlog import merkle
from tests.tlog.proof_mutations import (
    Tree,
    check_consistency,
    check_every_consistency,
    check_every_inclusion,
    check_inclusion,
    require_naive_roots,
)

TREE = Tree(132)


@pytest.mark.parametrize("size", range(1, 11))
def test_every_mutation(size: int) -> None:
    """Every flipped bit, every dropped, added or exchanged hash, and every other index and size is refused."""
    assert check_every_inclusion(TREE, size) > 500 * size
    assert check_every_consistency(TREE, size) > 500 * size


def test_one_mutation_of_each_kind() -> None:
    """All proofs of all sizes up to 130 hold, and a random mutation of each kind of each proof is refused."""
    dice = random.Random(9162)
    require_naive_roots(TREE, range(131))
    for size in range(1, 131):
        check_inclusion(TREE, size, dice, 130)
        check_consistency(TREE, size, dice, 130)


def test_control_a_lenient_verifier_is_caught() -> None:
    """Control: a verifier that accepts paths that are too long is caught by the added hash."""

    def lenient(leaf: bytes, index: int, size: int, path: tuple[bytes, ...], root: bytes) -> None:
        merkle.verify_inclusion(leaf, index, size, path[: (size - 1).bit_length()], root)

    with pytest.raises(AssertionError):
        check_every_inclusion(TREE, 7, lenient)


def test_control_a_verifier_of_half_a_proof_is_caught() -> None:
    """Control: a verifier that compares only the new root accepts another old root, and is caught."""

    def half(old: int, new: int, path: tuple[bytes, ...], _old_root: bytes, new_root: bytes) -> None:
        merkle.verify_consistency(old, new, path, TREE.root(old), new_root)

    with pytest.raises(AssertionError):
        check_every_consistency(TREE, 7, half)
