"""Proofs from tiles: which tiles a proof needs, how to make the proof, and whether tiles belong to a signed root.

A proof needs a few tiles at each level, however large the log is. To make a proof, read the tiles of `tiles_for_…` and
call `…_path`. If only the root is trusted, also read the tiles of `with_ancestors`, and call `authenticate_tiles`
first. (The registry reads its own database and needs neither. Both are for readers who get tiles from another party.)
"""

from collections.abc import Iterable, Mapping, Sequence

from consent_registry.tlog.encoding import HASH_LENGTH
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.merkle import (
    Range,
    consistency_ranges,
    full_subtrees,
    inclusion_ranges,
    root,
    root_of_subtrees,
)
from consent_registry.tlog.tile import TILE_WIDTH, Tile, TileRefused, right_edge, split_hashes, tile_at


def tiles_for_inclusion(index: int, size: int) -> set[Tile]:
    """The tiles that `inclusion_path` reads, and the tile that contains the leaf's hash."""
    return _tiles_for(inclusion_ranges(index, size), size) | {tile_at(0, index // TILE_WIDTH, size)}


def inclusion_path(index: int, size: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """The inclusion path of a leaf, its sibling first; raises TileRefused if a tile is missing or has a wrong size."""
    return _path(inclusion_ranges(index, size), size, tiles)


def tiles_for_consistency(old_size: int, new_size: int) -> set[Tile]:
    """The tiles that `consistency_path` reads."""
    return _tiles_for(consistency_ranges(old_size, new_size), new_size)


def consistency_path(old_size: int, new_size: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """The consistency path between two sizes; raises TileRefused if a tile is missing or has a wrong size."""
    return _path(consistency_ranges(old_size, new_size), new_size, tiles)


def with_ancestors(size: int, tiles: Iterable[Tile]) -> set[Tile]:
    """These tiles and all others that `authenticate_tiles` needs: their ancestors and the tree's right edge."""
    needed = {*tiles, *right_edge(size)}
    waiting = [tile for tile in needed if tile.width == TILE_WIDTH]
    while waiting:
        level, number, _ = waiting.pop().parent
        parent = tile_at(level, number, size)
        if parent not in needed:
            needed.add(parent)
            waiting += [parent] if parent.width == TILE_WIDTH else []
    return needed


def authenticate_tiles(size: int, tree_root: bytes, tiles: Mapping[Tile, bytes]) -> None:
    """Return if all these tiles belong to the tree with this root. Raises TileRefused, which names the first wrong tile
    or a missing tile that the check needs.
    """
    # 1. The right edge gives the root: its tiles are authentic together, or not at all.
    if Frontier.of_tiles(size, tiles).root != tree_root:
        raise TileRefused(f"the right-edge tiles of size {size} do not give its root")
    # 2. From the top down, each full tile's root must be in its parent, which was authenticated before it.
    for tile in sorted(tiles, reverse=True):
        # 3. A tile of another width than this tree's belongs to another tree.
        if tile != tile_at(tile.level, tile.number, size):
            raise TileRefused(f"a tree of size {size} has no tile {tile.path()}")
        if tile.width == TILE_WIDTH:
            level, number, place = tile.parent
            if root(_hashes(tile, tiles)) != _hashes(tile_at(level, number, size), tiles)[place]:
                raise TileRefused(f"tile {tile.path()} does not match the hash in its parent")


def _tiles_for(ranges: Iterable[Range], size: int) -> set[Tile]:
    return {_place(subtree, size)[0] for span in ranges for subtree in full_subtrees(span)}


def _path(ranges: Sequence[Range], size: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    return [
        root_of_subtrees([_subtree_root(subtree, size, tiles) for subtree in full_subtrees(span)]) for span in ranges
    ]


def _subtree_root(subtree: Range, size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    tile, first, count = _place(subtree, size)
    _require(tile, tiles)
    if len(tiles[tile]) != HASH_LENGTH * tile.width:
        raise TileRefused(f"tile {tile.path()} has {len(tiles[tile])} bytes")
    # A proof needs only a few hashes of most tiles, so only those are cut out.
    return root(split_hashes(tiles[tile][first * HASH_LENGTH : (first + count) * HASH_LENGTH]))


def _place(subtree: Range, size: int) -> tuple[Tile, int, int]:
    """The tile that contains a full subtree's hashes, the position of the first hash, and the number of hashes."""
    start, end = subtree
    height = (end - start).bit_length() - 1
    level = height // 8
    first = start >> 8 * level
    return tile_at(level, first // TILE_WIDTH, size), first % TILE_WIDTH, 1 << height % 8


def _hashes(tile: Tile, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    _require(tile, tiles)
    return split_hashes(tiles[tile], tile.width)


def _require(tile: Tile, tiles: Mapping[Tile, bytes]) -> None:
    if tile not in tiles:
        raise TileRefused(f"tile {tile.path()} is missing")
