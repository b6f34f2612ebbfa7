"""All proofs of a tree and all mutations of them: what a verifier must accept, and what it must refuse.

The roots are those of the recursion in RFC 6962, written again in naive_tree.py. A wrong size comes with the root of
that size, for size and root are signed together.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from consent_registry.tlog.merkle import (
    ProofRefused,
    consistency_ranges,
    full_subtrees,
    inclusion_ranges,
    leaf_hash,
    root,
    root_of_subtrees,
    verify_consistency,
    verify_inclusion,
)
from tests.tlog import naive_tree

Path = tuple[bytes, ...]


class Inclusion(NamedTuple):
    """The arguments of an inclusion verification."""

    leaf: bytes
    leaf_index: int
    size: int
    path: Path
    root: bytes

    def holds(self, verify: Callable[[bytes, int, int, Path, bytes], None] = verify_inclusion) -> bool:
        """Return what a verifier says."""
        try:
            verify(*self)
        except ProofRefused:
            return False
        return True


class Consistency(NamedTuple):
    """The arguments of a consistency verification."""

    old: int
    new: int
    path: Path
    old_root: bytes
    new_root: bytes

    def holds(self, verify: Callable[[int, int, Path, bytes, bytes], None] = verify_consistency) -> bool:
        """Return what a verifier says."""
        try:
            verify(*self)
        except ProofRefused:
            return False
        return True


class Tree:
    """All trees of the first leaves, and their proofs."""

    def __init__(self, leaves: int) -> None:
        self.leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(leaves)]
        self.span = lru_cache(maxsize=1 << 18)(self._span)

    def _span(self, start: int, end: int) -> bytes:
        parts = list(full_subtrees((start, end)))
        if len(parts) > 1:
            return root_of_subtrees([self.span(*part) for part in parts])
        if end - start == 1:
            return self.leaves[start]
        middle = (start + end) // 2
        return root([self.span(start, middle), self.span(middle, end)])

    def root(self, size: int) -> bytes:
        """Return the root of the first leaves."""
        return self.span(0, size) if size else root([])

    def inclusion(self, index: int, size: int) -> Inclusion:
        """Return the true proof."""
        path = tuple(self.span(*span) for span in inclusion_ranges(index, size))
        return Inclusion(self.leaves[index], index, size, path, self.root(size))

    def consistency(self, old: int, new: int) -> Consistency:
        """Return the true proof."""
        path = tuple(self.span(*span) for span in consistency_ranges(old, new))
        return Consistency(old, new, path, self.root(old), self.root(new))


def require_naive_roots(tree: Tree, sizes: Iterable[int]) -> None:
    """Assert that the roots are those of the definition."""
    for size in sizes:
        assert tree.root(size) == naive_tree.mth(tree.leaves[:size]), size


def flip(value: bytes, bit: int) -> bytes:
    """Return the value with one bit flipped."""
    altered = bytearray(value)
    altered[bit >> 3] ^= 1 << (bit & 7)
    return bytes(altered)


def altered_paths(path: Path, *, bits: Sequence[int]) -> Iterator[Path]:
    """Every path with a flipped bit (of `bits`), a dropped, an added, or two exchanged hashes."""
    for at, node in enumerate(path):
        yield from ((*path[:at], flip(node, bit), *path[at + 1 :]) for bit in bits)
        yield (*path[:at], *path[at + 1 :])
        for second in range(at + 1, len(path)):
            swapped = list(path)
            swapped[at], swapped[second] = swapped[second], swapped[at]
            yield tuple(swapped)
    for at in range(len(path) + 1):
        for more in {bytes(32), sha256(b"another").digest(), *path}:
            yield (*path[:at], more, *path[at:])


def inclusion_mutations(tree: Tree, proof: Inclusion, sizes: Sequence[int]) -> Iterator[Inclusion]:
    """Return every mutation: each bit of path, leaf and root; each dropped, added, exchanged hash; each other index and
    size.
    """
    every_bit = range(256)
    yield from (proof._replace(path=path) for path in altered_paths(proof.path, bits=every_bit))
    yield from (proof._replace(leaf=flip(proof.leaf, bit)) for bit in every_bit)
    yield from (proof._replace(root=flip(proof.root, bit)) for bit in every_bit)
    yield from (proof._replace(leaf_index=index) for index in range(-1, proof.size + 2) if index != proof.leaf_index)
    yield from (proof._replace(size=size, root=tree.root(size)) for size in sizes if size != proof.size)


def consistency_mutations(tree: Tree, proof: Consistency, sizes: Sequence[int]) -> Iterator[Consistency]:
    """Return every mutation: each bit of path and roots; each dropped, added, exchanged hash; each other old and new
    size.
    """
    every_bit = range(256)
    yield from (proof._replace(path=path) for path in altered_paths(proof.path, bits=every_bit))
    yield from (proof._replace(old_root=flip(proof.old_root, bit)) for bit in every_bit)
    yield from (proof._replace(new_root=flip(proof.new_root, bit)) for bit in every_bit)
    yield from (proof._replace(old=size, old_root=tree.root(size)) for size in sizes if size != proof.old)
    yield from (proof._replace(new=size, new_root=tree.root(size)) for size in sizes if size != proof.new)


def is_another_truth(tree: Tree, proof: Consistency) -> bool:
    """Whether a mutation is also a valid proof: every tree continues the empty one, and equal sizes need no path."""
    if not 0 <= proof.old <= proof.new:
        return False
    return proof[:4] == (0, proof.new, (), tree.root(0)) or proof == tree.consistency(proof.old, proof.new)


def _one_path_of_each_kind(path: Path, dice: random.Random) -> Iterator[Path]:
    length = len(path)
    at = int(dice.random() * (length + 1))
    yield (*path[:at], sha256(at.to_bytes(2, "big")).digest(), *path[at:])
    if length:
        at = int(dice.random() * length)
        yield (*path[:at], flip(path[at], int(dice.random() * 256)), *path[at + 1 :])
        yield (*path[:at], *path[at + 1 :])
    if length > 1:
        place = int(dice.random() * (length - 1))
        swapped = list(path)
        swapped[place], swapped[place + 1 :] = swapped[-1], [*swapped[place + 1 : -1], swapped[place]]
        yield tuple(swapped)


def one_of_each_inclusion(tree: Tree, proof: Inclusion, dice: random.Random, sizes: int) -> Iterator[Inclusion]:
    """Return a random mutation of each kind."""
    yield from (proof._replace(path=path) for path in _one_path_of_each_kind(proof.path, dice))
    if proof.size > 1:
        yield proof._replace(leaf_index=(proof.leaf_index + 1 + int(dice.random() * (proof.size - 1))) % proof.size)
    size = 1 + int(dice.random() * sizes)
    if size != proof.size:
        yield proof._replace(size=size, root=tree.root(size))


def one_of_each_consistency(tree: Tree, proof: Consistency, dice: random.Random, sizes: int) -> Iterator[Consistency]:
    """Return a random mutation of each kind."""
    yield from (proof._replace(path=path) for path in _one_path_of_each_kind(proof.path, dice))
    old, new = int(dice.random() * (sizes + 1)), int(dice.random() * (sizes + 1))
    if old != proof.old:
        yield proof._replace(old=old, old_root=tree.root(old))
    if new != proof.new:
        yield proof._replace(new=new, new_root=tree.root(new))


def check_inclusion(tree: Tree, size: int, dice: random.Random, sizes: int) -> int:
    """Assert that every leaf's proof holds and a mutation of each kind is refused; return the number of refusals."""
    refused = 0
    for index in range(size):
        proof = tree.inclusion(index, size)
        assert proof.holds(), proof
        for mutation in one_of_each_inclusion(tree, proof, dice, sizes):
            assert not mutation.holds(), (proof, mutation)
            refused += 1
    return refused


def check_consistency(tree: Tree, size: int, dice: random.Random, sizes: int) -> int:
    """Assert that the proof from every earlier size holds and mutations are refused; return the number of refusals."""
    refused = 0
    for old in range(size + 1):
        proof = tree.consistency(old, size)
        assert proof.holds(), proof
        for mutation in one_of_each_consistency(tree, proof, dice, sizes):
            assert not mutation.holds() or is_another_truth(tree, mutation), (proof, mutation)
            refused += 1
    return refused


def check_every_inclusion(
    tree: Tree, size: int, verify: Callable[[bytes, int, int, Path, bytes], None] = verify_inclusion
) -> int:
    """Assert that every mutation of every inclusion proof is refused."""
    refused = 0
    for index in range(size):
        for mutation in inclusion_mutations(tree, tree.inclusion(index, size), range(1, size + 3)):
            assert not mutation.holds(verify), mutation
            refused += 1
    return refused


def check_every_consistency(
    tree: Tree, size: int, verify: Callable[[int, int, Path, bytes, bytes], None] = verify_consistency
) -> int:
    """Assert that every mutation of every consistency proof is refused."""
    refused = 0
    for old in range(size + 1):
        for mutation in consistency_mutations(tree, tree.consistency(old, size), range(size + 3)):
            assert not mutation.holds(verify) or is_another_truth(tree, mutation), mutation
            refused += 1
    return refused
