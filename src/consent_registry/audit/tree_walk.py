"""Going through a whole log once, from its first entry to its last, in bounded memory.

The tree is built anew from the entries, and every tile is compared with what it must be. So when the root is met all
entries are authentic, and whatever tile differs is a bad tile; when it is not, the lowest tiles that differ say where.
"""

from collections.abc import Callable, Collection, Iterator
from hashlib import sha256

from consent_registry.audit.frontier import Frontier
from consent_registry.audit.leaf import LEAF_LENGTH, LEAF_VERSION
from consent_registry.audit.report import SHOWN, Check
from consent_registry.audit.tile import (
    HASH,
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
    leaves whose entry and whose tile do not agree.
    """

    def __init__(self, read: Read, size: int, entries: Check, tiles: Check, sizes: Collection[int]) -> None:
        self._read = read
        self._size = size
        self._entries = entries
        self._tiles = tiles
        self._wanted = sorted({*sizes, size} - {0})
        self._frontier = Frontier()
        self.roots: dict[int, bytes] = {0: Frontier().root}
        self.differing: list[int] = []
        self.tiles_read = 0

    def steps(self) -> Iterator[tuple[int, list[bytes] | None]]:
        """Each bundle's first index and entries, None where they cannot be read; the walk is done when it ends.

        Raises TreeUnreadable.
        """
        for start in range(0, self._size, TILE_WIDTH):
            number, width = start // TILE_WIDTH, min(TILE_WIDTH, self._size - start)
            entries = self._bundle(Bundle(number, width))
            tile = self._tile(Tile(0, number, width))
            if entries is None and tile is None:
                raise TreeUnreadable(f"neither entries nor hashes of the leaves from {start} on can be read")
            if entries is None:
                hashes = [tile[at : at + HASH] for at in range(0, len(tile or b""), HASH)] if tile else []
            else:
                hashes = [sha256(b"\0" + entry).digest() for entry in entries]
                self._compare_leaves(start, entries, hashes, tile)
            self._grow(start, hashes)
            yield start, entries
        for tile_name in right_edge(self._size):
            if tile_name.level:
                self._compare(tile_name, self._frontier.edge[tile_name.level])

    def _grow(self, start: int, hashes: list[bytes]) -> None:
        for size in self._wanted:
            if start < size <= start + len(hashes):
                self.roots[size] = self._frontier.extend(hashes[: size - start])[0].root
        self._frontier, made = self._frontier.extend(hashes)
        for tile, data in made.items():
            # Level 0 was compared leaf by leaf; partial tiles above come at the end, as the tree's right edge.
            if tile.level and tile.width == TILE_WIDTH:
                self._compare(tile, data)

    def _compare_leaves(self, start: int, entries: list[bytes], hashes: list[bytes], tile: bytes | None) -> None:
        for place, entry in enumerate(entries):
            if len(entry) != LEAF_LENGTH or entry[:1] != LEAF_VERSION:
                self._entries.find(
                    "entry_shape", f"entry {start + place} is no leaf of a registry", index=start + place
                )
        if tile is not None and tile != b"".join(hashes) and len(self.differing) < SHOWN:
            # Whether the entry or the tile is the wrong one, the root tells in the end.
            places = enumerate(hashes)
            self.differing += [start + one for one, made in places if tile[one * HASH : (one + 1) * HASH] != made]

    def _compare(self, tile: Tile, expected: bytes) -> None:
        data = self._tile(tile)
        if data is None or data == expected:
            return
        below = TILE_WIDTH**tile.level
        for place in range(tile.width):
            if data[place * HASH : (place + 1) * HASH] != expected[place * HASH : (place + 1) * HASH]:
                first = (tile.number * TILE_WIDTH + place) * below
                detail = f"{tile.path()} does not name the leaves {first} to {first + below - 1} as they are"
                self._tiles.find("tile_differs", detail, index=first, path=tile.path())

    def _bundle(self, bundle: Bundle) -> list[bytes] | None:
        """Its entries; a partial bundle may have gone for the full one (tlog-tiles, "Partial Tiles")."""
        path, data = bundle.path(), self._read(bundle.path())
        full = self._read(Bundle(bundle.number).path()) if data is None and bundle.width < TILE_WIDTH else None
        try:
            if full is not None:
                return decode_bundle(full, TILE_WIDTH)[: bundle.width]
            if data is not None:
                return decode_bundle(data, bundle.width)
        except TileRefused as error:
            self._entries.find("bundle_malformed", f"{path}: {error}", index=bundle.number * TILE_WIDTH, path=path)
        else:
            self._entries.find("bundle_missing", f"{path} is missing", index=bundle.number * TILE_WIDTH, path=path)
        return None

    def _tile(self, tile: Tile) -> bytes | None:
        path, data = tile.path(), self._read(tile.path())
        if data is None and tile.width < TILE_WIDTH:
            full = self._read(Tile(tile.level, tile.number).path())
            data = full[: HASH * tile.width] if full is not None and len(full) == HASH * TILE_WIDTH else None
        self.tiles_read += 1
        if data is None:
            self._tiles.find("tile_missing", f"{path} is missing", path=path)
            return None
        try:
            split_hashes(data, tile.width)
        except TileRefused as error:
            self._tiles.find("tile_malformed", f"{path}: {error}", path=path)
            return None
        return data
