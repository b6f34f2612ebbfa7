"""One pass over a whole log, from its first entry to its last, in bounded memory.

The pass builds the tree again from the entries and compares every tile with the computed one. If the computed root
equals the signed root, all entries are authentic and every tile that differs is a bad tile. If it does not, the lowest
tiles that differ show where the entries are wrong.
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

ReadFile = Callable[[str], bytes | None]
"""Returns the file at a path below the log's prefix, or None if there is none."""


class TreeUnreadable(Exception):
    """Both the entries and the tile of some leaves are missing, so the pass cannot go on."""


class TreeWalk:
    """One pass over a log, which fills `roots` and `differing`.

    `roots` has the root at each requested size; `differing` has the first 100 leaves whose entry and tile do not match.
    """

    def __init__(self, read: ReadFile, size: int, entries: Check, tiles: Check, sizes: Collection[int]) -> None:
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
        """Walk the log and yield each bundle's first index and its entries, or None if they cannot be read.

        The results are complete when the iterator is exhausted. Raises TreeUnreadable.
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
            # Level 0 was compared leaf by leaf. Partial tiles of higher levels are compared at the end (right edge).
            if tile.level and tile.width == TILE_WIDTH:
                self._compare(tile, data)

    def _compare_leaves(self, start: int, entries: list[bytes], hashes: list[bytes], named: list[bytes] | None) -> None:
        for index, entry in enumerate(entries, start):
            if len(entry) != LEAF_LENGTH or entry[:1] != LEAF_VERSION:
                self._entries.find("entry_shape", f"entry {index} is not a leaf of a registry", index=index)
        if named is not None:
            # Whether the entry or the tile is wrong is known at the end, from the root.
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
                detail = f"{tile.path()} has a wrong hash for the leaves {first} to {first + below - 1}"
                self._tiles.find("tile_differs", detail, index=first, path=tile.path())

    # A log may replace a partial file by the full one, which begins with the same bytes (tlog-tiles, "Partial Tiles").

    def _bundle(self, bundle: Bundle) -> list[bytes] | None:
        """The bundle's entries, or None if they cannot be read."""
        found, first = bundle, bundle.number * TILE_WIDTH
        data = self._read(found.path())
        if data is None:
            found = Bundle(bundle.number)
            data = self._read(found.path())
        if data is None:
            self._entries.find("bundle_missing", f"{bundle.path()} is missing", index=first, path=bundle.path())
            return None
        try:
            return decode_bundle(data, found.width)[: bundle.width]
        except TileRefused as error:
            self._entries.find("bundle_malformed", f"{found.path()}: {error}", index=first, path=found.path())
            return None

    def _tile(self, tile: Tile) -> list[bytes] | None:
        """The tile's hashes, or None if they cannot be read."""
        self.tiles_read += 1
        found = tile
        data = self._read(found.path())
        if data is None:
            found = Tile(tile.level, tile.number)
            data = self._read(found.path())
        if data is None:
            self._tiles.find("tile_missing", f"{tile.path()} is missing", path=tile.path())
            return None
        try:
            return split_hashes(data, found.width)[: tile.width]
        except TileRefused as error:
            self._tiles.find("tile_malformed", f"{found.path()}: {error}", path=found.path())
            return None
