"""The tree of RFC 6962 section 2.1 a second time: recursive and slow, written from the definitions only."""

import hashlib
from collections.abc import Sequence


def mth(hashes: Sequence[bytes]) -> bytes:
    """Return MTH over leaf hashes (section 2.1)."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D[n]) (section 2.1.1)."""
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def proof(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """Return PROOF(m, D[n]) (section 2.1.2)."""
    return _subproof(m, hashes, is_whole=True)


def _subproof(m: int, hashes: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if is_whole else [mth(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*_subproof(m, hashes[:k], is_whole=is_whole), mth(hashes[k:])]
    return [*_subproof(m - k, hashes[k:], is_whole=False), mth(hashes[:k])]


def split(n: int) -> int:
    """Return the largest power of two below n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k
