"""The tree compared with worked examples of others and with the definition written a second time."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.tlog import merkle
from consent_registry.tlog.merkle import (
    EMPTY_ROOT,
    ProofRefused,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.tlog import naive_tree
from tests.tlog.vectors import CONSISTENCY, INCLUSION_5_IN_8, LEAVES, ROOTS, hashes

HASHES = [leaf_hash(entry) for entry in LEAVES]
MANY = [leaf_hash(number.to_bytes(2, "big")) for number in range(70)]


def test_known_hashes() -> None:
    """Empty tree, leaf and node are the hashes that transparency-dev/merkle gives."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    expected = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert node_hash(b"N123", b"N456").hex() == expected


def test_known_roots() -> None:
    """The roots of sizes 0 to 8 are those of the reference tree."""
    assert root([]) == EMPTY_ROOT
    assert [root(HASHES[:size]) for size in range(1, 9)] == hashes(ROOTS)


def test_known_inclusion() -> None:
    """The inclusion of leaf 5 in 8 is the reference path, and it verifies."""
    path = hashes(INCLUSION_5_IN_8)
    assert [root(HASHES[start:end]) for start, end in merkle.inclusion_ranges(5, 8)] == path
    verify_inclusion(HASHES[5], 5, 8, path, root(HASHES))


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_known_consistency(sizes: tuple[int, int]) -> None:
    """The consistency proofs are the reference ones, and they verify."""
    path = hashes(CONSISTENCY[sizes])
    assert [root(HASHES[start:end]) for start, end in merkle.consistency_ranges(*sizes)] == path
    verify_consistency(*sizes, path, *(root(HASHES[:size]) for size in sizes))


@pytest.mark.parametrize("size", range(1, 71))
def test_as_the_definition_says(size: int) -> None:
    """Root, every inclusion path and every consistency path equal those of the recursion in RFC 6962."""
    leaves = MANY[:size]
    assert root(leaves) == naive_tree.mth(leaves)
    for index in range(size):
        ours = [root(leaves[start:end]) for start, end in merkle.inclusion_ranges(index, size)]
        assert ours == naive_tree.path(index, leaves)
        verify_inclusion(leaves[index], index, size, ours, root(leaves))
    for old in range(1, size + 1):
        ours = [root(leaves[start:end]) for start, end in merkle.consistency_ranges(old, size)]
        assert ours == naive_tree.proof(old, leaves)
        verify_consistency(old, size, ours, root(leaves[:old]), root(leaves))


@given(st.integers(1, 2**62), st.data())
def test_ranges_of_trees_of_any_size(size: int, data: st.DataObject) -> None:
    """In trees larger than memory, an inclusion path has the ranges of all other leaves, each made of full subtrees."""
    index = data.draw(st.integers(0, size - 1))
    ranges = sorted([*merkle.inclusion_ranges(index, size), (index, index + 1)])
    assert ranges[0][0] == 0
    assert ranges[-1][1] == size
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ranges))
    assert len(ranges) <= 64
    for span in ranges:
        full = list(merkle.full_subtrees(span))
        assert (full[0][0], full[-1][1]) == span
        assert all((end - start).bit_count() == 1 and start % (end - start) == 0 for start, end in full)


def test_a_range_from_its_full_subtrees() -> None:
    """The root of a range is combined from its full subtrees, from the right."""
    for size in range(1, 71):
        parts = [root(MANY[start:end]) for start, end in merkle.full_subtrees((0, size))]
        assert merkle.root_of_subtrees(parts) == root(MANY[:size])


def test_the_edges_of_consistency() -> None:
    """From size 0 and between equal sizes the path is empty; another root, or a path, is refused."""
    three, shifted = root(MANY[:3]), root(MANY[1:4])
    verify_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    verify_consistency(0, 3, [], EMPTY_ROOT, three)
    verify_consistency(3, 3, [], three, three)
    for case in [
        (0, 3, [three], EMPTY_ROOT, three),
        (0, 3, [], three, three),
        (0, 0, [], EMPTY_ROOT, three),
        (3, 3, [], three, shifted),
        (3, 3, [three], three, three),
        (2, 3, [], root(MANY[:2]), three),
        (3, 5, [], three, root(MANY[:5])),
        (4, 3, [], three, three),
        (-1, 3, [], EMPTY_ROOT, three),
    ]:
        with pytest.raises(ProofRefused):
            verify_consistency(*case)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (-1, -1), (4, 3), (1, 0)])
def test_no_tree_begins_with_a_larger_one(old: int, new: int) -> None:
    """Negative and shrinking sizes are refused as such, whatever the path is."""
    for path in ([], MANY[:1], MANY[:3]):
        with pytest.raises(ProofRefused, match=f"^size {old} is not before size {new}$"):
            verify_consistency(old, new, path, MANY[0], MANY[0])
    with pytest.raises(ProofRefused, match=f"^size {old} is not before size {new}$"):
        merkle.consistency_ranges(old, new)


@pytest.mark.parametrize("size", range(1, 18))
def test_a_path_of_another_length_is_refused_though_it_leads_to_the_root(size: int) -> None:
    """A path of a wrong length is refused even if it leads to the root: a dishonest signer could choose such a root."""
    leaves, more = MANY[:size], MANY[69]
    for index in range(size):
        path = naive_tree.path(index, leaves)
        with pytest.raises(ProofRefused, match="too long"):
            verify_inclusion(leaves[index], index, size, [*path, more], node_hash(more, root(leaves)))
        if path:
            middle = naive_tree.split(size)
            part = leaves[:middle] if index < middle else leaves[middle:]
            with pytest.raises(ProofRefused, match="too short"):
                verify_inclusion(leaves[index], index, size, path[:-1], root(part))
    for old in range(1, size):
        path, before = naive_tree.proof(old, leaves), root(leaves[:old])
        above = node_hash(more, before), node_hash(more, root(leaves))
        with pytest.raises(ProofRefused, match="too long"):
            verify_consistency(old, size, [*path, more], *above)
        if old < naive_tree.split(size):
            with pytest.raises(ProofRefused, match="too short"):
                verify_consistency(old, size, path[:-1], before, root(leaves[: naive_tree.split(size)]))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (4, 3), (-1, 3)])
def test_no_leaf_outside_the_tree(index: int, size: int) -> None:
    """An index at or beyond the size, or below 0, is refused, whatever the path is."""
    with pytest.raises(ProofRefused, match="there is no leaf"):
        verify_inclusion(MANY[0], index, size, [], MANY[0])
    with pytest.raises(ProofRefused, match="there is no leaf"):
        merkle.inclusion_ranges(index, size)


def test_leaf_and_node_do_not_meet() -> None:
    """A node's content is not a valid leaf, because of the first byte (control: without it they are equal)."""
    left, right = MANY[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert hashlib.sha256(left + right).digest() not in {leaf_hash(left + right), node_hash(left, right)}
