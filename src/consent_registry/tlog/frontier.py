"""The right edge of a growing tree. It is enough to append leaves, to cut tiles and to compute the root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from consent_registry.tlog.merkle import root
from consent_registry.tlog.tile import HASH, TILE_WIDTH, Tile, TileRefused, right_edge, split_hashes


@dataclass(frozen=True)
class Frontier:
    """The partial tiles of a tree of `size` leaves: one entry of bytes for each level, empty if the level has none."""

    size: int = 0
    edge: tuple[bytes, ...] = ()

    @classmethod
    def of_tiles(cls, size: int, tiles: Mapping[Tile, bytes]) -> Self:
        """The frontier of a tree from its right-edge tiles; raises TileRefused if one is missing or has a wrong size.

        The tiles are not authenticated here. All their hashes go into `root`, so they are authentic exactly when `root`
        equals the root that was signed for this size.
        """
        edge: list[bytes] = []
        for tile in right_edge(size):
            if tile not in tiles:
                raise TileRefused(f"tile {tile.path()} is missing")
            split_hashes(tiles[tile], tile.width)
            edge += [b""] * (tile.level - len(edge)) + [tiles[tile]]
        return cls(size, tuple(edge))

    @cached_property
    def root(self) -> bytes:
        """The tree's root (RFC 6962 section 2.1): each level's partial tile is the last subtree of the level above."""
        rest: list[bytes] = []
        for data in self.edge:
            row = _hashes(data) + rest
            rest = [root(row)] if row else []
        return root(rest)

    def extend(self, leaf_hashes: Sequence[bytes]) -> tuple["Frontier", dict[Tile, bytes]]:
        """Append leaves: the new frontier and every new tile, both completed and partial."""
        edge: list[bytes] = []
        written: dict[Tile, bytes] = {}
        grown, level = b"".join(leaf_hashes), 0
        if len(grown) != HASH * len(leaf_hashes):
            raise TileRefused(f"a leaf hash has {HASH} bytes")
        while grown or level < len(self.edge):
            old = self.edge[level] if level < len(self.edge) else b""
            number = (self.size >> 8 * level) // TILE_WIDTH
            row, above = old + grown, []
            full = len(row) // (HASH * TILE_WIDTH)
            for nth in range(full):
                data = row[nth * HASH * TILE_WIDTH : (nth + 1) * HASH * TILE_WIDTH]
                written[Tile(level, number + nth)] = data
                above.append(root(_hashes(data)))
            rest = row[full * HASH * TILE_WIDTH :]
            if rest and grown:
                written[Tile(level, number + full, len(rest) // HASH)] = rest
            edge.append(rest)
            grown, level = b"".join(above), level + 1
        return Frontier(self.size + len(leaf_hashes), tuple(edge)), written


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]
