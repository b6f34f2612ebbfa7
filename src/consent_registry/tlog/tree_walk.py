"""Going through a whole log once, from its first entry to its last, in bounded memory.

The tree is built anew from the entries, and every tile is compared with what it must be. So when the root is met all
entries are authentic, and whatever tile differs is a bad tile; when it is not, the lowest tiles that differ say where.
"""

from collections.abc import Callable, Collection, Iterator

from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.leaf import LEAF_LENGTH, LEAF_VERSION
from consent_registry.tlog.merkle import EMPTY_ROOT, leaf_hash
from consent_registry.tlog.report import SHOWN, Check
from consent_registry.tlog.tile import (
    TILE_WIDTH,
    Bundle,
    Tile,
    TileRefused,
    decode_bundle,
    right_edge,
    split_hashes,
)

Read = Callable[[str], bytes | None]
"""Gives the file at a path below the log's prefix, or None when there is none."""


class TreeUnreadable(Exception):
    """Neither the entries nor the tile of some leaves are there: nothing can be said of the rest."""


class TreeWalk:
    """One walk. After it `roots` has the root at each size that was asked for, and `differing` the first
    leaves whose entry and whose tile do not agree, as many as a report shows.
    """

    def __init__(self, read: Read, size: int, entries: Check, tiles: Check, sizes: Collection[int]) -> None:
        self._read = read
        self._size = size
        self._entries = entries
        self._tiles = tiles
        self._wanted = sorted({*sizes, size}, reverse=True)
        self._frontier = Frontier()
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.differing: list[int] = []
        self.tiles_read = 0

    def steps(self) -> Iterator[tuple[int, list[bytes] | None]]:
        """Each bundle's first index and entries, None where they cannot be read; the walk is done when it ends.

        Raises TreeUnreadable.
        """
        for start in range(0, self._size, TILE_WIDTH):
            number, width = start // TILE_WIDTH, min(TILE_WIDTH, self._size - start)
            entries, named = self._bundle(Bundle(number, width)), self._tile(Tile(0, number, width))
            if entries is not None:
                hashes = [leaf_hash(entry) for entry in entries]
                self._compare_leaves(start, entries, hashes, named)
            elif named is not None:
                hashes = named
            else:
                raise TreeUnreadable(f"neither entries nor hashes of the leaves from {start} on can be read")
            self._grow(start, hashes)
            yield start, entries
        for tile_name in right_edge(self._size):
            if tile_name.level:
                self._compare(tile_name, self._frontier.edge[tile_name.level])

    def _grow(self, start: int, hashes: list[bytes]) -> None:
        while self._wanted and self._wanted[-1] <= start + len(hashes):
            size = self._wanted.pop()
            self.roots[size] = self._frontier.extend(hashes[: size - start])[0].root
        self._frontier, made = self._frontier.extend(hashes)
        for tile, data in made.items():
            # Level 0 was compared leaf by leaf; partial tiles above come at the end, as the tree's right edge.
            if tile.level and tile.width == TILE_WIDTH:
                self._compare(tile, data)

    def _compare_leaves(self, start: int, entries: list[bytes], hashes: list[bytes], named: list[bytes] | None) -> None:
        for index, entry in enumerate(entries, start):
            if len(entry) != LEAF_LENGTH or entry[:1] != LEAF_VERSION:
                self._entries.find("entry_shape", f"entry {index} is no leaf of a registry", index=index)
        if named is not None:
            # Whether the entry or the tile is the wrong one, the root tells in the end.
            self.differing += [start + place for place, made in enumerate(hashes) if named[place] != made]
            del self.differing[SHOWN:]

    def _compare(self, tile: Tile, expected: bytes) -> None:
        named = self._tile(tile)
        if named is None:
            return
        below = TILE_WIDTH**tile.level
        for place, made in enumerate(split_hashes(expected)):
            if named[place] != made:
                first = (tile.number * TILE_WIDTH + place) * below
                detail = f"{tile.path()} does not name the leaves {first} to {first + below - 1} as they are"
                self._tiles.find("tile_differs", detail, index=first, path=tile.path())

    # A partial file may have gone for the full one (tlog-tiles, "Partial Tiles"), which begins as the partial one did.

    def _bundle(self, bundle: Bundle) -> list[bytes] | None:
        """Its entries, None where they cannot be read."""
        one, first = bundle, bundle.number * TILE_WIDTH
        data = self._read(one.path())
        if data is None:
            one = Bundle(bundle.number)
            data = self._read(one.path())
        if data is None:
            self._entries.find("bundle_missing", f"{bundle.path()} is missing", index=first, path=bundle.path())
            return None
        try:
            return decode_bundle(data, one.width)[: bundle.width]
        except TileRefused as error:
            self._entries.find("bundle_malformed", f"{one.path()}: {error}", index=first, path=one.path())
            return None

    def _tile(self, tile: Tile) -> list[bytes] | None:
        """Its hashes, None where they cannot be read."""
        self.tiles_read += 1
        one = tile
        data = self._read(one.path())
        if data is None:
            one = Tile(tile.level, tile.number)
            data = self._read(one.path())
        if data is None:
            self._tiles.find("tile_missing", f"{tile.path()} is missing", path=tile.path())
            return None
        try:
            return split_hashes(data, one.width)[: tile.width]
        except TileRefused as error:
            self._tiles.find("tile_malformed", f"{one.path()}: {error}", path=one.path())
            return None
