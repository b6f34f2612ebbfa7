"""Export of a log: everything under the published checkpoint as static files; later exports add only what is new."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import NotFound, Unusable
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.files.static_log import StaticLog
from consent_registry.storage.log.append import read_leaves
from consent_registry.storage.log.checkpoints import PublishedCheckpoint, latest_checkpoint
from consent_registry.storage.log.tiles import read_tiles
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.tile import (
    TILE_WIDTH,
    Bundle,
    Tile,
    TileRefused,
    encode_bundle,
    new_bundles,
    new_tiles,
    right_edge,
)

# Tiles read in one statement: 256 KiB of hashes.
TILES_AT_ONCE = 32


async def export_log(
    runtime: Runtime, network: Network, folder: Path, open_log: Callable[[Path], StaticLog] = StaticLog
) -> int:
    """Bring a folder up to date with a network's log; returns the log's size in the folder.

    Raises NotFound before the first checkpoint, and Unusable when the folder holds another history or the tiles do not
    give the checkpoint's root.
    """
    files = open_log(folder)
    before = files.checkpoint()
    old = 0 if before is None else before.size
    async with transaction(runtime.pool, network.network_id, ()) as connection:
        published = await latest_checkpoint(connection, network.network_id)
    if published is None:
        raise NotFound(f"the log of {network.slug} has no checkpoint yet: is a sealer running?")
    if before is not None and (before.origin != network.log_origin or old > published.size):
        raise Unusable(f"{folder} holds {before.origin} at size {old}, beyond what is published: another history")
    async for place, content in _read_new(runtime, network, old, published):
        files.add(place, content)
    files.publish(published.note, runtime.keys.log_vkeys(network.log_origin))
    return published.size


async def _read_new(
    runtime: Runtime, network: Network, old: int, published: PublishedCheckpoint
) -> AsyncIterator[tuple[Tile | Bundle, bytes]]:
    """The tiles and bundles between two sizes. They never change, so each is read in a short transaction of its own."""
    async with transaction(runtime.pool, network.network_id, ()) as connection:
        edge = await _tiles(connection, network, right_edge(published.size))
        try:
            root = Frontier.of_tiles(published.size, edge).root
        except TileRefused as error:
            raise Unusable(f"the tiles of {network.log_origin} are not those of its checkpoint: {error}") from error
        if root != published.root:
            raise Unusable(f"the tiles of {network.log_origin} do not give the root of its checkpoint")
    tiles = new_tiles(old, published.size)
    for start in range(0, len(tiles), TILES_AT_ONCE):
        async with transaction(runtime.pool, network.network_id, ()) as connection:
            read = await _tiles(connection, network, tiles[start : start + TILES_AT_ONCE])
        for tile, content in read.items():
            yield tile, content
    for bundle in new_bundles(old, published.size):
        async with transaction(runtime.pool, network.network_id, ()) as connection:
            leaves = await read_leaves(connection, network.network_id, bundle.number * TILE_WIDTH, bundle.width)
        if len(leaves) != bundle.width:
            raise Unusable(f"leaves of {network.log_origin} are missing in {bundle.path()}")
        yield bundle, encode_bundle(leaves)


async def _tiles(connection: Connection, network: Network, tiles: list[Tile]) -> dict[Tile, bytes]:
    found = await read_tiles(connection, network.network_id, tiles)
    if len(found) < len(tiles):
        missing = min(set(tiles) - set(found))
        raise Unusable(f"{missing.path()} of {network.log_origin} is missing")
    return found
