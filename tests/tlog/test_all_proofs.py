"""All proofs of small trees, and what is done to them; the campaign does the same to sizes of 1100 and beyond."""

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
    """Of each proof each flipped bit, dropped, added or exchanged hash, other index and other size is refused."""
    assert check_every_inclusion(TREE, size) > 500 * size
    assert check_every_consistency(TREE, size) > 500 * size


def test_one_mutation_of_each_kind() -> None:
    """All proofs of all sizes to 130 hold, and a random mutation of each kind of each is refused."""
    dice = random.Random(9162)
    require_naive_roots(TREE, range(131))
    for size in range(1, 131):
        check_inclusion(TREE, size, dice, 130)
        check_consistency(TREE, size, dice, 130)


def _lenient(real: object) -> object:
    def verify(leaf: bytes, index: int, size: int, path: tuple[bytes, ...], root: bytes) -> None:
        real(leaf, index, size, path[: (size - 1).bit_length()], root)  # type: ignore[operator]

    return verify


def test_control_a_lenient_verifier_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a verifier that overlooks what is too long is found by the added hash."""
    monkeypatch.setattr("tests.tlog.proof_mutations.verify_inclusion", _lenient(merkle.verify_inclusion))
    with pytest.raises(AssertionError):
        check_every_inclusion(TREE, 7)


def test_control_a_verifier_of_half_a_proof_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: one that compares the new root alone lets another old root through, and is found."""
    monkeypatch.setattr(
        "tests.tlog.proof_mutations.verify_consistency",
        lambda old, new, path, _old_root, new_root: merkle.verify_consistency(old, new, path, TREE.root(old), new_root),
    )
    with pytest.raises(AssertionError):
        check_every_consistency(TREE, 7)
