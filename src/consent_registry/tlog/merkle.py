"""The log's Merkle tree (RFC 6962 section 2.1, SHA-256) and its verifiers (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

A tree of n leaves is split at the largest power of two below n; it has no padding and no duplicated leaves. A *range*
is the pair (start, end) of a subtree's leaves, end excluded. A proof is a list of the roots of certain ranges.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from consent_registry.tlog.refusal import TlogRefused

EMPTY_ROOT = sha256(b"").digest()

Range = tuple[int, int]


class ProofRefused(TlogRefused):
    """A proof, or the tree it is about, is wrong; the message names the broken rule."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes (MTH, RFC 6962 section 2.1), or over the roots of equally high full subtrees."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        # Pairing from the left and lifting the odd last hash unchanged is the split at the largest power of two.
        odd = row[-1:] if len(row) % 2 else []
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)] + odd
    [whole] = row
    return whole


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], tree_root: bytes) -> None:
    """Return if `path` proves that the leaf hash is at `index` of the tree; raise ProofRefused otherwise.

    The numbers are the steps of RFC 9162 section 2.1.3.2.
    """
    # 1. An index at or beyond the size fails.
    if not 0 <= index < size:
        raise ProofRefused(f"there is no leaf {index} in a tree of size {size}")
    # 2. fn is the index, sn the last index.  3. r is the leaf's hash.
    fn, sn, r = index, size - 1, leaf
    # 4. For each hash p of the path:
    for p in path:
        # a. If sn is 0, the path is too long.
        if sn == 0:
            raise ProofRefused("the inclusion path is too long")
        # b. A right child, or the last node of its row: p is on the left. Rows where it has no sibling are skipped.
        if fn & 1 or fn == sn:
            r = sha256(b"\x01" + p + r).digest()
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            r = sha256(b"\x01" + r + p).digest()
        # c. One row up.
        fn >>= 1
        sn >>= 1
    # 5. The path reached the top, and what was computed is the root.
    if sn:
        raise ProofRefused("the inclusion path is too short")
    if r != tree_root:
        raise ProofRefused(f"the inclusion path of leaf {index} does not lead to the root of size {size}")


def verify_consistency(  # noqa: C901 (the steps stay in one piece, to be compared with the RFC)
    old_size: int, new_size: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Return if `path` proves that the old tree is the beginning of the new tree; raise ProofRefused otherwise.

    The numbers are the steps of RFC 9162 section 2.1.4.2. From size 0, and between equal sizes, the path is empty.
    """
    if not 0 <= old_size <= new_size:
        raise ProofRefused(f"size {old_size} is not before size {new_size}")
    # Two cases that the RFC does not define: every tree begins with the empty tree, and with itself.
    if old_size in {0, new_size}:
        _verify_edge(old_size, new_size, path, old_root, new_root)
        return
    # 1. An empty path fails.
    if not path:
        raise ProofRefused("the consistency path is empty")
    # 2. If the old size is a power of two, the old root is the first hash.
    steps = list(path) if old_size & (old_size - 1) else [old_root, *path]
    # 3. fn and sn are the last indices.  4. Up to the row of the old tree's last full subtree.
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    # 5. Both roots grow from the first hash.
    fr = sr = steps[0]
    # 6. For each further hash c:
    for c in steps[1:]:
        # a. If sn is 0, the path is too long.
        if sn == 0:
            raise ProofRefused("the consistency path is too long")
        # b. c is on the left in both trees, or on the right in the new tree alone.
        if fn & 1 or fn == sn:
            fr = sha256(b"\x01" + c + fr).digest()
            sr = sha256(b"\x01" + c + sr).digest()
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = sha256(b"\x01" + sr + c).digest()
        # c. One row up.
        fn >>= 1
        sn >>= 1
    # 7. Both roots are met, and the path reached the top.
    if sn:
        raise ProofRefused("the consistency path is too short")
    if fr != old_root:
        raise ProofRefused(f"the consistency path does not lead to the old root of size {old_size}")
    if sr != new_root:
        raise ProofRefused(f"the consistency path does not lead to the new root of size {new_size}")


def _verify_edge(old_size: int, new_size: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    if path:
        raise ProofRefused(f"a consistency path from {old_size} to {new_size} is empty")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofRefused("the root of size 0 is not that of the empty tree")
    if old_size == new_size and old_root != new_root:
        raise ProofRefused(f"two different roots of size {new_size}")


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots are the inclusion path, the leaf's sibling first (PATH, RFC 6962 section 2.1.1)."""
    if not 0 <= index < size:
        raise ProofRefused(f"there is no leaf {index} in a tree of size {size}")
    ranges: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, new_size: int) -> list[Range]:
    """The ranges whose roots are the consistency path (PROOF, RFC 6962 section 2.1.2).

    The list is empty if the old size is 0 or equals the new one.
    """
    if not 0 <= old_size <= new_size:
        raise ProofRefused(f"size {old_size} is not before size {new_size}")
    if old_size == 0:
        return []
    ranges: list[Range] = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # otherwise the old tree is a full subtree, and the verifier knows its root
        ranges.append((start, end))
    return ranges[::-1]


def full_subtrees(span: Range) -> Iterator[Range]:
    """The full subtrees of a range from left to right. Each is lower than the one before."""
    start, end = span
    while start < end:
        width = 1 << (end - start).bit_length() - 1
        yield start, start + width
        start += width


def root_of_subtrees(roots: Sequence[bytes]) -> bytes:
    """The root of a range from the roots of its full subtrees, in the order of `full_subtrees`."""
    whole = roots[-1]
    for left in reversed(roots[:-1]):
        whole = node_hash(left, whole)
    return whole


def _split(width: int) -> int:
    """The largest power of two below `width`, which is at least 2."""
    return 1 << (width - 1).bit_length() - 1
