"""Tiles: their paths, their bytes, which tiles a growing tree adds, and proofs from them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.tlog import tile_proofs
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.merkle import EMPTY_ROOT, leaf_hash, root, verify_consistency, verify_inclusion
from consent_registry.tlog.tile import (
    Bundle,
    Tile,
    TileRefused,
    decode_bundle,
    encode_bundle,
    new_bundles,
    new_tiles,
    right_edge,
    split_hashes,
    tile_at,
)
from tests.tlog.vectors import BUNDLE_B_3, ENTRIES_B, TILE_B_3

EDGES = [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1100, 1792, 65535, 65536, 65537, 70000]
HASHES = [leaf_hash(number.to_bytes(4, "big")) for number in range(70000)]


@pytest.fixture(scope="module")
def big() -> dict[Tile, bytes]:
    """Return all tiles of a tree of 70,000 leaves."""
    return Frontier().extend(HASHES)[1]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 5), "tile/0/005"),
        (Tile(0, 256), "tile/0/256"),
        (Tile(63, 1234067), "tile/63/x001/x234/067"),
        (Tile(0, 1067, 112), "tile/0/x001/067.p/112"),
        (Tile(1, 1000, 1), "tile/1/x001/000.p/1"),
        (Bundle(273, 112), "tile/entries/273.p/112"),
        (Bundle(10**18), "tile/entries/x001/x000/x000/x000/x000/x000/000"),
    ],
)
def test_names(tile: Tile | Bundle, path: str) -> None:
    """Numbers are written in groups of three digits, all but the last with x; partial tiles have their width."""
    assert tile.path() == path
    assert type(tile).parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/5",
        "tile/0/0005",
        "tile/00/005",
        "tile/64/005",
        "tile/-1/005",
        "tile/0/x000/005",
        "tile/0/001/005",
        "tile/0/x001/x005",
        "tile/0/005.p",
        "tile/0/005.p/0",
        "tile/0/005.p/256",
        "tile/0/005.p/01",
        "tile/0/005.p/1/",
        "tile/0/005/",
        "tile/0/../005",
        "tiles/0/005",
        "/tile/0/005",
        "tile/0/\u0660\u0660\u0665",
        "tile/\u0660/005",
        "tile/0/005.p/1000",
        "tile/entries/005/",
        "tile/entry/005",
        "tile/entries/x000/005",
        "tile/data/005",
    ],
)
def test_other_names_are_refused(path: str) -> None:
    """Each path has one spelling: no leading zeros, no empty group, no width of 0 or 256, only ASCII digits."""
    with pytest.raises(TileRefused):
        Tile.parse(path)
    with pytest.raises(TileRefused):
        Bundle.parse(path)


def test_the_worked_example() -> None:
    """Bundle and tile equal those of the Go tools' test log at size 3, byte for byte."""
    assert encode_bundle(ENTRIES_B[:3]) == BUNDLE_B_3
    assert decode_bundle(BUNDLE_B_3, 3) == ENTRIES_B[:3]
    assert Frontier().extend([leaf_hash(entry) for entry in ENTRIES_B[:3]])[1] == {Tile(0, 0, 3): TILE_B_3}


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_bundles_keep_their_entries(entries: list[bytes]) -> None:
    """An encoded bundle is decoded again; a truncated bundle and another width are refused."""
    data = encode_bundle(entries)
    assert decode_bundle(data, len(entries)) == entries
    with pytest.raises(TileRefused):
        decode_bundle(data, len(entries) + 1)
    with pytest.raises(TileRefused):
        decode_bundle(data[:-1], len(entries))


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\1", b"\0\0" * 257])
def test_bundles_that_are_none(data: bytes) -> None:
    """Empty, truncated and too long bundles are refused."""
    with pytest.raises(TileRefused):
        decode_bundle(data)


@pytest.mark.parametrize("width", [None, 1, 255, 256, 257])
def test_the_hashes_of_a_tile(width: int | None) -> None:
    """A tile has 1 to 256 hashes of 32 bytes, and exactly as many as its width."""
    for count in (0, 1, 255, 256, 257):
        data = b"".join(HASHES[:count])
        if 1 <= count <= 256 and width in {None, count}:
            assert split_hashes(data, width) == HASHES[:count]
        else:
            with pytest.raises(TileRefused, match=f"hashes has {len(data)} bytes$"):
                split_hashes(data, width)
        for bad in (data + b"\0", data[:-1] or bytes(31)):
            with pytest.raises(TileRefused, match=f"hashes has {len(bad)} bytes$"):
                split_hashes(bad, width)


def test_what_cannot_be_written() -> None:
    """A bundle has 1 to 256 entries, none of which is longer than 65,535 bytes."""
    for entries in ([], [b""] * 257, [bytes(65536)], [b"", bytes(65536), b""]):
        with pytest.raises(TileRefused):
            encode_bundle(entries)
    assert decode_bundle(encode_bundle([bytes(65535)])) == [bytes(65535)]


def test_the_tiles_of_70000() -> None:
    """A tree of 70,000 leaves has the tiles that tlog-tiles counts: 273 and a partial one, 1 and a partial one, and a
    partial one.
    """
    tiles = new_tiles(0, 70000)
    assert [tile for tile in tiles if tile.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [sum(tile.level == level for tile in tiles) for level in range(4)] == [274, 2, 1, 0]
    assert new_tiles(0, 256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert new_tiles(0, 0) == []


@pytest.mark.parametrize("size", EDGES)
def test_a_tree_grown_in_any_steps(size: int) -> None:
    """Root and tiles do not depend on the steps in which a tree grew, and each step writes exactly the new tiles."""
    steps = random.Random(size)
    frontier, written = Frontier(), dict[Tile, bytes]()
    while frontier.size < size:
        to = min(size, frontier.size + steps.choice([1, 2, 255, 256, 257, 3000, 20000]))
        grown, tiles = frontier.extend(HASHES[frontier.size : to])
        assert sorted(tiles) == sorted(new_tiles(frontier.size, to))
        assert [tile for tile in tiles if tile.level == 0] == [
            Tile(0, bundle.number, bundle.width) for bundle in new_bundles(frontier.size, to)
        ]
        frontier = grown
        written |= tiles
    assert frontier.root == root(HASHES[:size])
    assert frontier.extend([]) == (frontier, {})
    at_once = Frontier().extend(HASHES[:size])[1]
    assert sorted(at_once) == sorted(new_tiles(0, size))
    assert all(written[tile] == data for tile, data in at_once.items())
    assert Frontier.of_tiles(size, written) == frontier


def test_tiles_are_numbered_in_a_tall_tree() -> None:
    """Tiles are numbered correctly after three full tiles of level 1."""
    frontier = Frontier(3 * 65_536, (b"", b"", b"".join(HASHES[:3])))
    grown, written = frontier.extend(HASHES[:256])
    assert set(written) == {Tile(0, 3 * 256), Tile(1, 3, 1)}
    assert grown.size == 3 * 65_536 + 256


def test_a_tile_holds_the_roots_of_256_below(big: dict[Tile, bytes]) -> None:
    """Hash i of tile n at level L is the root of the leaves from (n·256+i)·256^L on."""
    for tile, data in big.items():
        assert len(data) == 32 * tile.width
        if tile.level:
            below = 256**tile.level
            first = tile.number * 256 * below
            expected = [root(HASHES[first + i * below : first + (i + 1) * below]) for i in range(tile.width)]
            assert split_hashes(data, tile.width) == expected


def test_every_tile_is_bound_to_the_root(big: dict[Tile, bytes]) -> None:
    """A flipped bit in any of the 277 tiles is refused, and so is a missing, narrower or foreign tile."""
    top = root(HASHES)
    tile_proofs.authenticate_tiles(70000, top, big)
    for tile, data in big.items():
        read = {ancestor: big[ancestor] for ancestor in tile_proofs.with_ancestors(70000, {tile})}
        tile_proofs.authenticate_tiles(70000, top, read)
        for altered in (data[:-1] + bytes([data[-1] ^ 1]), data[:-32]):
            with pytest.raises(TileRefused):
                tile_proofs.authenticate_tiles(70000, top, read | {tile: altered})
    for foreign in (Tile(0, 274), Tile(0, 273), Tile(0, 273, 111), Tile(3, 0, 1), Tile(2, 0)):
        with pytest.raises(TileRefused):
            tile_proofs.authenticate_tiles(70000, top, big | {foreign: bytes(32 * foreign.width)})
    for tile in right_edge(70000):
        with pytest.raises(TileRefused, match="missing"):
            tile_proofs.authenticate_tiles(70000, top, {path: data for path, data in big.items() if path != tile})


def test_what_must_be_read_to_trust_a_tile(big: dict[Tile, bytes]) -> None:
    """A tile of level 0 is authenticated with four others: its parents and the right edge."""
    needed = tile_proofs.with_ancestors(70000, {Tile(0, 7)})
    assert needed == {Tile(0, 7), Tile(1, 0), *right_edge(70000)}
    tile_proofs.authenticate_tiles(70000, root(HASHES), {tile: big[tile] for tile in needed})
    with pytest.raises(TileRefused, match="missing"):
        tile_proofs.authenticate_tiles(70000, root(HASHES), {tile: big[tile] for tile in needed - {Tile(1, 0)}})
    higher = 256**4 + 256
    assert tile_proofs.with_ancestors(higher, {Tile(0, 256**3), Tile(1, 70)}) == {
        *(Tile(0, 256**3), Tile(1, 256**2, 1), Tile(4, 0, 1)),
        *(Tile(1, 70), Tile(2, 0), Tile(3, 0)),
    }


def test_the_topmost_tile_that_is_another_is_named(big: dict[Tile, bytes]) -> None:
    """The message names a foreign tile of level 1, not the tiles below it."""
    altered = bytes(32) + big[Tile(1, 0)][32:]
    with pytest.raises(TileRefused, match=r"^tile tile/1/000 does not match the hash in its parent$"):
        tile_proofs.authenticate_tiles(70000, root(HASHES), big | {Tile(1, 0): altered})
    for tile in (Tile(0, 5), Tile(0, 272)):
        with pytest.raises(TileRefused, match=f"^tile {tile.path()} does not match the hash in its parent$"):
            tile_proofs.authenticate_tiles(70000, root(HASHES), big | {tile: bytes(32 * 256)})


def test_no_proof_from_a_tile_of_another_length(big: dict[Tile, bytes]) -> None:
    """A tile with a hash less or a byte more is refused before it is used."""
    for path, first, tiles in (
        (tile_proofs.consistency_path, 65_537, tile_proofs.tiles_for_consistency(65_537, 70_000)),
        (tile_proofs.inclusion_path, 1_800, tile_proofs.tiles_for_inclusion(1_800, 70_000)),
    ):
        for tile in tiles:
            for data in (big[tile][:-32], big[tile] + b"\0", b""):
                with pytest.raises(TileRefused, match=f"^tile {tile.path()} has {len(data)} bytes$"):
                    path(first, 70_000, big | {tile: data})


@pytest.mark.parametrize("size", [edge for edge in EDGES if edge])
def test_proofs_from_tiles(size: int) -> None:
    """The named tiles, and no others, give proofs that verify."""
    tiles = Frontier().extend(HASHES[:size])[1]
    top = root(HASHES[:size])
    for index in {0, 1, size // 2, size - 2, size - 1, 255, 256} & set(range(size)):
        read = {tile: tiles[tile] for tile in tile_proofs.tiles_for_inclusion(index, size)}
        assert len(read) <= 2 * 4
        path = tile_proofs.inclusion_path(index, size, read)
        leaf = read[tile_at(0, index // 256, size)][index % 256 * 32 :][:32]
        verify_inclusion(leaf, index, size, path, top)
    for old in {0, 1, 2, size // 3, size - 1, size, 255, 256, 257, 65536} & set(range(size + 1)):
        before = root(HASHES[:old])
        read = {tile: tiles[tile] for tile in tile_proofs.tiles_for_consistency(old, size)}
        verify_consistency(old, size, tile_proofs.consistency_path(old, size, read), before, top)


def test_the_empty_tree() -> None:
    """The empty tree has no tiles, a root, and no leaf to prove."""
    assert (Frontier().root, Frontier.of_tiles(0, {}).root) == (EMPTY_ROOT, EMPTY_ROOT)
    assert tile_proofs.tiles_for_consistency(0, 0) == set()
    with pytest.raises(ValueError, match="no leaf 0"):
        tile_proofs.tiles_for_inclusion(0, 0)
    with pytest.raises(TileRefused):
        tile_at(0, 0, 0)


def test_what_does_not_fit(big: dict[Tile, bytes]) -> None:
    """A shrinking tree, a hash of 31 bytes, and a missing or truncated tile are refused with the reason."""
    for old, new in ((2, 1), (-1, 1), (1, 0)):
        with pytest.raises(TileRefused, match="does not shrink"):
            new_tiles(old, new)
    for level, number, size in ((0, -1, 600), (0, 3, 600), (0, 3, 768), (1, 0, 255), (1, 1, 65_536), (2, -1, 2**24)):
        with pytest.raises(TileRefused, match=f"^a tree of size {size} has no tile {number} at level {level}$"):
            tile_at(level, number, size)
    with pytest.raises(TileRefused, match="32 bytes"):
        Frontier().extend([bytes(31)])
    with pytest.raises(TileRefused, match="missing"):
        Frontier.of_tiles(70000, {})
    edge = {tile: big[tile] for tile in right_edge(70000)}
    with pytest.raises(TileRefused, match="hashes has"):
        Frontier.of_tiles(70000, edge | {Tile(1, 1, 17): bytes(18 * 32)})
    with pytest.raises(TileRefused, match="missing"):
        tile_proofs.inclusion_path(7, 70000, edge)
