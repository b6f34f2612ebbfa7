"""The walk over a whole log: what it reads, what it compares, and how it continues if a file cannot be used."""

from functools import cache
from typing import NamedTuple

import pytest

from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.merkle import leaf_hash, root
from consent_registry.tlog.report import Check, CheckFinding
from consent_registry.tlog.tile import Bundle, encode_bundle, new_bundles
from consent_registry.tlog.tree_walk import TreeUnreadable, TreeWalk

Files = dict[str, bytes]
LEAVES = [b"\1" + number.to_bytes(32, "big") for number in range(70_000)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
SIZE = 600


@cache
def _published(size: int) -> Files:
    return {tile.path(): data for tile, data in Frontier().extend(HASHES[:size])[1].items()} | {
        bundle.path(): encode_bundle(LEAVES[bundle.number * 256 :][: bundle.width]) for bundle in new_bundles(0, size)
    }


def published(size: int = SIZE) -> Files:
    """Return the files of a log, to be altered by a test."""
    return dict(_published(size))


class Walked(NamedTuple):
    """A finished walk."""

    walk: TreeWalk
    steps: list[tuple[int, list[bytes] | None]]
    entries: list[CheckFinding]
    tiles: list[CheckFinding]
    reads: list[str]


def walked(files: Files, size: int = SIZE, sizes: tuple[int, ...] = ()) -> Walked:
    """Walk over these files."""
    reads: list[str] = []

    def read(path: str) -> bytes | None:
        reads.append(path)
        return files.get(path)

    entries, tiles = Check("entries", findings=[]), Check("tiles", findings=[])
    walk = TreeWalk(read, size, entries, tiles, sizes)
    steps = list(walk.steps())
    return Walked(walk, steps, entries.findings, tiles.findings, reads)


def flipped(data: bytes, at: int) -> bytes:
    """Return the bytes with one bit of one of them flipped."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_every_file_is_read_once() -> None:
    """A walk over 70,000 leaves reads each file once, passes every leaf, and computes each requested root."""
    sizes = (0, 1, 255, 256, 257, 512, 65_535, 65_536, 65_537, 69_999, 256, 70_000)
    files = published(70_000)
    done = walked(files, 70_000, sizes)
    assert sorted(done.reads) == sorted(files)
    assert done.walk.tiles_read == 274 + 2 + 1
    assert [start for start, _ in done.steps] == list(range(0, 70_000, 256))
    assert [leaf for _, leaves in done.steps for leaf in leaves or []] == LEAVES
    assert done.walk.roots == {size: root(HASHES[:size]) for size in sizes}
    assert (done.entries, done.tiles, done.walk.differing) == ([], [], [])


@pytest.mark.parametrize(
    ("path", "place", "first", "last"),
    [
        ("tile/1/000", 0, 0, 255),
        ("tile/1/000", 255, 65_280, 65_535),
        ("tile/1/001.p/17", 0, 65_536, 65_791),
        ("tile/1/001.p/17", 16, 69_632, 69_887),
        ("tile/2/000.p/1", 0, 0, 65_535),
    ],
)
def test_a_tile_above_names_other_leaves(path: str, place: int, first: int, last: int) -> None:
    """A wrong hash in a higher tile, first or last, is a finding about its leaves, and not about entries."""
    files = published(70_000)
    for at in (32 * place, 32 * place + 31):
        done = walked(files | {path: flipped(files[path], at)}, 70_000)
        detail = f"{path} has a wrong hash for the leaves {first} to {last}"
        assert done.tiles == [CheckFinding("tile_differs", detail, first, path)]
        assert (done.entries, done.walk.differing) == ([], [])


PLACES = [0, 1, 255, 256, 511, 512, 599]


@pytest.mark.parametrize("what", ["entry", "tile"])
def test_leaves_of_which_entry_and_tile_do_not_agree(what: str) -> None:
    """Each leaf whose entry and tile differ is named, at any position in its file."""
    for index in PLACES:
        files = published()
        number, place = divmod(index, 256)
        bundle = Bundle(number, 256 if number < 2 else 88)
        path, at = {
            "entry": (bundle.path(), 35 * place + 20),
            "tile": (bundle.path().replace("entries", "0"), 32 * place + 31),
        }[what]
        done = walked(files | {path: flipped(files[path], at)})
        assert done.walk.differing == [index]
        assert (done.walk.roots[SIZE] == root(HASHES[:SIZE])) == (what == "tile")


def test_of_many_differing_leaves_the_first_hundred_are_kept() -> None:
    """At most a hundred differing leaves are kept, so that a false log does not fill the memory."""
    done = walked({path: bytes(len(data)) if "tile/0/" in path else data for path, data in published().items()})
    assert done.walk.differing == list(range(100))
    files = published()
    for path, count in (("tile/0/000", 60), ("tile/0/001", 60)):
        files[path] = bytes(32 * count) + files[path][32 * count :]
    assert walked(files).walk.differing == [*range(60), *range(256, 296)]


@pytest.mark.parametrize(
    "entry", [LEAVES[5][:32], LEAVES[5] + b"\0", b"\2" + LEAVES[5][1:], b"\0" + LEAVES[5][1:], b"\1", b""]
)
def test_what_is_no_leaf(entry: bytes) -> None:
    """An entry of another length or version than 0x01 and 32 bytes is a finding, even if the tree is right."""
    leaves = [*LEAVES[:5], entry, *LEAVES[6:7]]
    tile = b"".join(leaf_hash(leaf) for leaf in leaves)
    done = walked({"tile/entries/000.p/7": encode_bundle(leaves), "tile/0/000.p/7": tile}, 7)
    assert done.entries == [CheckFinding("entry_shape", "entry 5 is not a leaf of a registry", 5)]
    assert (done.tiles, done.walk.differing) == ([], [])
    assert done.walk.roots[7] == root([leaf_hash(leaf) for leaf in leaves])


ENTRIES_1, ENTRIES_2, TILE_1, TILE_2, ABOVE = (
    "tile/entries/001",
    "tile/entries/002.p/88",
    "tile/0/001",
    "tile/0/002.p/88",
    "tile/1/000.p/2",
)


@pytest.mark.parametrize(
    ("path", "data", "code", "reason"),
    [
        (ENTRIES_1, None, "bundle_missing", " is missing"),
        (ENTRIES_2, None, "bundle_missing", " is missing"),
        (ENTRIES_1, b"", "bundle_malformed", ": a bundle of 256 entries holds 0"),
        (ENTRIES_1, encode_bundle(LEAVES[256:511]), "bundle_malformed", ": a bundle of 256 entries holds 255"),
        (ENTRIES_2, encode_bundle(LEAVES[512:601]), "bundle_malformed", ": a bundle of 88 entries holds 89"),
        (ENTRIES_2, encode_bundle(LEAVES[512:600])[:-1], "bundle_malformed", ": a bundle ends within an entry"),
        (TILE_1, None, "tile_missing", " is missing"),
        (TILE_2, None, "tile_missing", " is missing"),
        (ABOVE, None, "tile_missing", " is missing"),
        (TILE_1, bytes(255 * 32), "tile_malformed", ": a tile of 256 hashes has 8160 bytes"),
        (TILE_2, bytes(88 * 32 + 1), "tile_malformed", ": a tile of 88 hashes has 2817 bytes"),
        (ABOVE, b"", "tile_malformed", ": a tile of 2 hashes has 0 bytes"),
    ],
)
def test_one_file_that_cannot_be_used(path: str, data: bytes | None, code: str, reason: str) -> None:
    """An unusable file is named, and the walk continues with the other file of the same leaves and finds the root."""
    files = published()
    del files[path]
    done = walked(files if data is None else files | {path: data}, sizes=(300, 599))
    first = {ENTRIES_1: 256, ENTRIES_2: 512}.get(path)
    assert done.entries + done.tiles == [CheckFinding(code, path + reason, first, path)]
    assert bool(done.entries) == (first is not None)
    assert [start for start, leaves in done.steps if leaves is None] == ([] if first is None else [first])
    assert done.walk.roots == {0: root([])} | {size: root(HASHES[:size]) for size in (300, 599, 600)}
    assert done.walk.differing == []


def test_a_full_file_stands_for_a_partial_one() -> None:
    """If only the full file exists, it is read up to the tree's size; if it is malformed, it is named."""
    later, files = published(768), published()
    del files[ENTRIES_2], files[TILE_2]
    full = {path: later[path] for path in ("tile/entries/002", "tile/0/002")}
    done = walked(files | full)
    assert (done.entries, done.tiles, done.walk.tiles_read) == ([], [], 4)
    assert done.steps[-1] == (512, LEAVES[512:600])
    done = walked(files | full | {"tile/entries/002": full["tile/entries/002"][:-35]})
    detail = "tile/entries/002: a bundle of 256 entries holds 255"
    assert done.entries == [CheckFinding("bundle_malformed", detail, 512, "tile/entries/002")]
    done = walked(files | full | {"tile/0/002": full["tile/0/002"][:-32]})
    detail = "tile/0/002: a tile of 256 hashes has 8160 bytes"
    assert done.tiles == [CheckFinding("tile_malformed", detail, None, "tile/0/002")]
    above = {path: data for path, data in published().items() if path != ABOVE}
    assert walked(above | {"tile/1/000": published()[ABOVE] + bytes(254 * 32)}).tiles == []


def test_where_neither_stands_the_walk_ends() -> None:
    """If both entries and tile of some leaves are unusable, the walk ends."""
    for gone, first in (((ENTRIES_1, TILE_1), 256), ((ENTRIES_2, TILE_2), 512)):
        files = {path: data for path, data in published().items() if path not in gone}
        for more in ({}, {gone[0]: b""}, {gone[1]: b""}):
            with pytest.raises(TreeUnreadable, match=f"^neither entries nor hashes of the leaves from {first} on can"):
                walked(files | more)
    crossed = {path: data for path, data in published().items() if path not in {ENTRIES_1, TILE_2}}
    assert walked(crossed).walk.roots[SIZE] == root(HASHES[:SIZE])
