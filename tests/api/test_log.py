"""The log's routes: every file verifies, only published files exist, and caches may keep what never changes."""

import base64
import gzip
import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint
from consent_registry.tlog.merkle import verify_consistency
from consent_registry.tlog.note import VerifierKey
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.proof import TlogProof
from consent_registry.tlog.tile import decode_bundle, new_tiles, split_hashes
from tests.support.installation import Installation, Registry, serving
from tests.support.sealing import Office, office, tree_root
from tests.web.test_problems import assert_problem

SIZE = 600  # two full tiles, a partial one, and a level above
FOREVER = "max-age=31536000, immutable"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """Make a sealed log of 600 leaves, and one leaf beyond the checkpoint."""
    folder: Path = tmp_path_factory.mktemp("sealer")
    async with installation.copy() as database, office(installation, database, folder) as sealer:
        await sealer.add_leaves(SIZE - len(await sealer.leaves()))
        await sealer.seal()
        await sealer.add_leaves(1)
        sealer.database = database
        yield sealer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def public(installation: Installation, desk: Office) -> AsyncIterator[Registry]:
    """Run the registry with public logs."""
    async with serving(installation, desk.database, log_public=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def private(installation: Installation, desk: Office) -> AsyncIterator[Registry]:
    """Run the registry with its default, private logs."""
    async with serving(installation, desk.database) as running:
        yield running


async def get(registry: Registry, path: str, **headers: str) -> httpx.Response:
    """GET below the small network's log."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await registry.http.get(f"/log/small/{path}", headers={"Accept-Encoding": "identity"} | sent)


async def policy(registry: Registry) -> Policy:
    """Return a policy that trusts the log's published keys."""
    vkeys = (await get(registry, "vkeys")).text.splitlines()
    return Policy.parse("".join(f"log {vkey}\n" for vkey in vkeys).encode() + b"quorum none\n")


async def checkpoint(registry: Registry) -> Checkpoint:
    """Return the published checkpoint, verified with the published keys."""
    keys = [VerifierKey.parse(vkey) for vkey in (await get(registry, "vkeys")).text.splitlines()]
    return open_checkpoint((await get(registry, "checkpoint")).content, keys).checkpoint


async def test_the_whole_log_can_be_read_and_verifies(public: Registry, desk: Office) -> None:
    """Checkpoint, tiles and bundles of the published size equal those computed from the leaves."""
    leaves = (await desk.leaves())[:SIZE]
    assert await checkpoint(public) == Checkpoint((await desk.log()).origin, SIZE, tree_root(leaves))
    for tile in new_tiles(0, SIZE):
        answer = await get(public, tile.path())
        assert answer.headers["content-type"] == "application/octet-stream"
        span = 256**tile.level
        starts = [(tile.number * 256 + nth) * span for nth in range(tile.width)]
        assert split_hashes(answer.content) == [tree_root(leaves[start : start + span]) for start in starts]
        if tile.level == 0:
            bundle = (await get(public, tile.path().replace("tile/0/", "tile/entries/"))).content
            assert decode_bundle(bundle, tile.width) == leaves[tile.number * 256 :][: tile.width]


@pytest.mark.parametrize("kind", ["0", "entries"])
async def test_every_narrower_partial_is_served(public: Registry, kind: str) -> None:
    """For every earlier size the partial tile of that size is served."""
    wide = (await get(public, f"tile/{kind}/001")).content
    for width in (1, 2, 17, 255):
        narrow = await get(public, f"tile/{kind}/001.p/{width}")
        assert narrow.content == wide[: len(wide) // 256 * width]


NOT_THERE = [
    *("tile/0/002.p/89", "tile/0/002", "tile/0/003", "tile/1/000.p/3", "tile/2/000.p/1", "tile/entries/002.p/89"),
    *("tile/63/000", "tile/7/999", "tile/0/x999/x999/x999/x999/x999/x999/999"),
    *(
        "tile/64/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x000/000",
    ),
    *(
        "tile/0/%2e%2e",
        "tile/0/..%2f..%2fetc",
        "tile/0/000%00",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/entries/000",
    ),
    *("proofs/600", "proofs/601", "proofs/-1", "proofs/01", "proofs/1.0", "proofs/x", f"proofs/{2**63}"),
    *("consistency?from=601", "consistency?from=1&to=601", "nothing", ""),
]


@pytest.mark.parametrize("path", NOT_THERE)
async def test_nothing_beyond_the_checkpoint_and_no_other_spelling(public: Registry, path: str) -> None:
    """Unpublished sizes, empty tiles and malformed paths are 404, never a 5xx."""
    assert (await get(public, path)).status_code == 404
    assert (await public.http.get(f"/log/nobody/{path}")).status_code == 404


@pytest.mark.parametrize("query", ["", "?from=", "?from=x", "?from=-1", "?from=01", "?from=1&to=x", "?from=2&to=1"])
async def test_a_malformed_size_is_named(public: Registry, query: str) -> None:
    """Consistency needs two decimal sizes, the earlier first; a fault names the parameter."""
    assert_problem(await get(public, f"consistency{query}"), 400, "malformed")


async def test_proofs_verify_offline(public: Registry, desk: Office) -> None:
    """Leaves in all positions have inclusion proofs, pairs of sizes consistency proofs; another leaf is refused."""
    leaves, trusted = await desk.leaves(), await policy(public)
    for index in (0, 1, 255, 256, 511, 512, 598, 599):
        answer = await get(public, f"proofs/{index}")
        proof = TlogProof.parse(answer.content)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert proof.verify(leaves[index], trusted).checkpoint.size == SIZE
        with pytest.raises(ValueError, match=r"."):
            proof.verify(leaves[index - 1], trusted)
    chance = random.Random(4)
    pairs = [(0, SIZE), (SIZE, SIZE), (1, 2), (256, 512), (255, 257)]
    pairs += [(old, chance.randint(old, SIZE)) for old in chance.sample(range(1, SIZE), 30)]
    for old, new in pairs:
        said = (await get(public, f"consistency?from={old}&to={new}")).json()
        assert (said["from"], said["to"]) == (old, new)
        path = [base64.b64decode(encoded) for encoded in said["hashes"]]
        if 0 < old < new:
            verify_consistency(old, new, path, tree_root(leaves[:old]), tree_root(leaves[:new]))
        else:
            assert path == []
    assert (await get(public, "consistency?from=9")).json()["to"] == SIZE


async def test_static_file_semantics(public: Registry) -> None:
    """Tiles are cached for ever and checkpoints for a second; ETags are strong, 304 is empty, HEAD equals GET."""
    for path, kept in {
        "tile/0/000": FOREVER,
        "tile/entries/001.p/9": FOREVER,
        "checkpoint": "max-age=1",
        "proofs/3": "max-age=1",
    }.items():
        first = await get(public, path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == f"public, {kept}"
        assert tag.startswith('"')
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            known = await get(public, path, If_None_Match=sent)
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
        assert (await get(public, path, If_None_Match='"other"')).content == first.content
        head = await public.http.head(f"/log/small/{path}", headers={"Accept-Encoding": "identity"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(first.content))
        assert head.headers["etag"] == tag
        assert (await public.http.post(f"/log/small/{path}")).status_code == 405


async def test_bundles_are_compressed_for_who_takes_it(public: Registry) -> None:
    """A compressed bundle has another ETag and the same content each time; hashes are never compressed."""
    plain = await get(public, "tile/entries/000")
    packed = [await get(public, "tile/entries/000", Accept_Encoding=sent) for sent in ("gzip", "br, gzip;q=0.5")]
    for answer in packed:
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        assert answer.content == plain.content
        assert answer.headers["etag"] == packed[0].headers["etag"] != plain.headers["etag"]
        assert int(answer.headers["content-length"]) < len(plain.content)
    for path, sent in (("tile/entries/000", "gzip;q=0"), ("tile/entries/000", "br"), ("tile/0/000", "gzip")):
        assert "content-encoding" not in (await get(public, path, Accept_Encoding=sent)).headers
    assert gzip.compress(plain.content, mtime=0) == gzip.compress(packed[0].content, mtime=0)


PATHS = ("checkpoint", "tile/0/000", "tile/entries/000", "proofs/0", "consistency?from=1", "vkeys")


@pytest.mark.parametrize("path", PATHS)
async def test_who_may_read_a_log(private: Registry, path: str) -> None:
    """A private log is readable for its network's partners and administration; others get 404."""
    assert_problem(await get(private, path), 401, "not-authentic")
    for slug in ("north", "admin"):
        mine = await private.partner(slug)
        answer = await get(private, path, Authorization=f"Bearer {mine.token}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"].startswith("private, ")
    stranger = await private.partner("awo-paderborn", "paderborn")
    for network in ("small", "nobody"):
        answer = await private.http.get(f"/log/{network}/{path}", headers={"Authorization": f"Bearer {stranger.token}"})
        assert_problem(answer, 404, "not-found")


async def test_a_log_without_a_checkpoint_is_not_found(public: Registry) -> None:
    """Before the first checkpoint only the keys are readable."""
    for path in ("checkpoint", "tile/0/000.p/1", "proofs/0", "consistency?from=0"):
        assert (await public.http.get(f"/log/paderborn/{path}")).status_code == 404
    assert (await public.http.get("/log/paderborn/vkeys")).status_code == 200


async def test_a_suspended_partner_reads_no_log(installation: Installation, desk: Office) -> None:
    """A suspended partner cannot read the log from its next request on."""
    async with serving(installation, desk.database) as registry:
        south, admin = await registry.partner("south"), await registry.partner("admin")
        assert (await get(registry, "checkpoint", Authorization=f"Bearer {south.token}")).status_code == 200
        assert (await admin.post("/suspensions", {"partner": "south"})).status_code == 201
        for path in PATHS:
            answer = await get(registry, path, Authorization=f"Bearer {south.token}")
            assert answer.status_code == 401, path
