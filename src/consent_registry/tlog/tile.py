"""Tiles and entry bundles (C2SP tlog-tiles): how a tree is cut into immutable files, and their paths.

A tile at level L holds up to 256 consecutive hashes, each the root of 256^L leaves; a bundle holds the entries of one
tile at level 0. A tree has partial tiles only on its right edge, at most one at each level.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from consent_registry.tlog.encoding import HASH_LENGTH
from consent_registry.tlog.refusal import TlogRefused

TILE_WIDTH = 256
HASH = HASH_LENGTH
HIGHEST_LEVEL = 63
LARGEST_ENTRY = 65535
_PLACE = re.compile(r"((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_LEVEL = re.compile(r"0|[1-9][0-9]?")


class TileRefused(TlogRefused):
    """A tile or bundle does not match its name; the message gives the reason."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile's name: level 0 to 63, number within the level, width 1 to 256 (full)."""

    level: int
    number: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """The tile's path below the log's prefix, as in `tile/0/x001/067.p/112`."""
        return f"tile/{self.level}/{_place(self.number, self.width)}"

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """The tile with this path; raises TileRefused for a text that is not exactly a tile's path."""
        folder, level, place = _cut(path)
        if folder != "tile" or not _LEVEL.fullmatch(level) or int(level) > HIGHEST_LEVEL:
            raise TileRefused(f"not a tile: {path[:200]}")
        return cls(int(level), *_read_place(place))

    @property
    def parent(self) -> tuple[int, int, int]:
        """Level and number of the tile that contains this full tile's root, and the root's position there."""
        return self.level + 1, self.number // TILE_WIDTH, self.number % TILE_WIDTH


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """The name of a file with the entries of one tile at level 0."""

    number: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """The bundle's path below the log's prefix, as in `tile/entries/x001/067.p/112`."""
        return f"tile/entries/{_place(self.number, self.width)}"

    @classmethod
    def parse(cls, path: str) -> "Bundle":
        """The bundle with this path; raises TileRefused for a text that is not exactly a bundle's path."""
        folder, kind, place = _cut(path)
        if (folder, kind) != ("tile", "entries"):
            raise TileRefused(f"not a bundle: {path[:200]}")
        return cls(*_read_place(place))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """A bundle's bytes: 1 to 256 entries, each after its length as two bytes, most significant first."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise TileRefused(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    if any(len(entry) > LARGEST_ENTRY for entry in entries):
        raise TileRefused(f"an entry has at most {LARGEST_ENTRY} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int | None = None) -> list[bytes]:
    """The entries of a bundle; raises TileRefused if it is cut off, empty, too long, or of another width than given."""
    entries = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[start - 2 : start], "big")
        if at > len(data):
            raise TileRefused("a bundle ends within an entry")
        entries.append(data[start:at])
    if not 1 <= len(entries) <= TILE_WIDTH or width not in {None, len(entries)}:
        raise TileRefused(f"a bundle of {width or f'1 to {TILE_WIDTH}'} entries holds {len(entries)}")
    return entries


def split_hashes(data: bytes, width: int | None = None) -> list[bytes]:
    """The hashes of a tile; raises TileRefused unless there are 1 to 256, or exactly `width` if given."""
    count, rest = divmod(len(data), HASH)
    if rest or not 1 <= count <= TILE_WIDTH or width not in {None, count}:
        raise TileRefused(f"a tile of {width or f'1 to {TILE_WIDTH}'} hashes has {len(data)} bytes")
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]


def new_tiles(old_size: int, new_size: int) -> list[Tile]:
    """The tiles that a growing tree adds: those that became full, and partial ones that became wider.

    They are ordered by level, the partial tile last in its level. With an old size of 0 they are all tiles of the tree.
    """
    return [tile for tile, before in _grown(old_size, new_size) if tile.width != before]


def new_bundles(old_size: int, new_size: int) -> list[Bundle]:
    """The bundles that a growing tree adds: those of its new tiles at level 0."""
    return [Bundle(tile.number, tile.width) for tile in new_tiles(old_size, new_size) if tile.level == 0]


def right_edge(size: int) -> list[Tile]:
    """The partial tiles of a tree, at most one at each level. Their hashes together give its root."""
    cut = ((level, *divmod(count, TILE_WIDTH)) for level, count in _counts(size))
    return [Tile(level, number, width) for level, number, width in cut if width]


def tile_at(level: int, number: int, size: int) -> Tile:
    """The tile with this level and number in a tree of this size, full or partial; raises TileRefused without one."""
    width = min(TILE_WIDTH, (size >> 8 * level) - number * TILE_WIDTH)
    if number < 0 or width < 1:
        raise TileRefused(f"a tree of size {size} has no tile {number} at level {level}")
    return Tile(level, number, width)


def _grown(old_size: int, new_size: int) -> Iterator[tuple[Tile, int]]:
    """The new tree's tiles from the old tree's right edge on, each with its old width; 0 or less means it is new."""
    if not 0 <= old_size <= new_size:
        raise TileRefused(f"a tree does not shrink from {old_size} to {new_size}")
    for level, count in _counts(new_size):
        before = old_size >> 8 * level
        bounds = [*range(before // TILE_WIDTH * TILE_WIDTH, count, TILE_WIDTH), count]
        for start, end in pairwise(bounds):
            yield Tile(level, start // TILE_WIDTH, end - start), before - start


def _counts(size: int) -> Iterator[tuple[int, int]]:
    """The number of hashes at each level of a tree, as (level, count)."""
    level = 0
    while size:
        yield level, size
        level, size = level + 1, size // TILE_WIDTH


def _place(number: int, width: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups) + ("" if width == TILE_WIDTH else f".p/{width}")


def _read_place(text: str) -> tuple[int, int]:
    match = _PLACE.fullmatch(text)
    if match is None or text.startswith("x000/") or (match[3] and int(match[3]) >= TILE_WIDTH):
        raise TileRefused(f"not a tile's number and width: {text[:200]}")
    return int(match[1].replace("x", "").replace("/", "") + match[2]), int(match[3] or TILE_WIDTH)


def _cut(path: str) -> tuple[str, str, str]:
    folder, _, rest = path.partition("/")
    kind, _, place = rest.partition("/")
    return folder, kind, place
