"""Reading a network's log as it is published: checkpoint, tiles, entries, and proofs made from tiles.

Nothing beyond the published checkpoint is shown: later leaves belong to the next checkpoint.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import NotFound
from consent_registry.operations.runtime.actors import Actor, require_standing
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.log.append import read_leaves
from consent_registry.storage.log.checkpoints import PublishedCheckpoint, latest_checkpoint
from consent_registry.storage.log.tiles import read_tiles
from consent_registry.tlog.encoding import encode_base64
from consent_registry.tlog.note import NoteRefused
from consent_registry.tlog.proof import TlogProof
from consent_registry.tlog.tile import TILE_WIDTH, Bundle, Tile, TileRefused, encode_bundle
from consent_registry.tlog.tile_proofs import (
    consistency_path,
    inclusion_path,
    tiles_for_consistency,
    tiles_for_inclusion,
)


class Consistency(msgspec.Struct, frozen=True, rename={"old_size": "from", "new_size": "to"}):
    """A consistency proof (RFC 6962 section 2.1.2): the tree of `to` leaves continues the tree of `from` leaves."""

    origin: str
    old_size: int
    new_size: int
    hashes: list[str]


class LogReader(msgspec.Struct, frozen=True):
    """The network whose log is read, and the caller; None where logs are public."""

    network: Network
    actor: Actor | None

    @classmethod
    async def of(cls, runtime: Runtime, slug: str, actor: Actor | None) -> "LogReader":
        """A reader of the network with this slug; raises NotFound if it is not the caller's own network."""
        network = await runtime.network(slug) if actor is None else actor.network
        if network is None or network.slug != slug:
            raise NotFound
        return cls(network, actor)


@asynccontextmanager
async def _reading(runtime: Runtime, reader: LogReader) -> AsyncIterator[tuple[Connection, PublishedCheckpoint]]:
    """A transaction and the published checkpoint; raises NotFound before the first checkpoint is published."""
    async with _turn(runtime, reader), transaction(runtime.pool, reader.network.network_id, ()) as connection:
        await _require_standing(runtime, connection, reader)
        published = await latest_checkpoint(connection, reader.network.network_id)
        if published is None:
            raise NotFound
        yield connection, published


def _turn(runtime: Runtime, reader: LogReader) -> AbstractAsyncContextManager[None]:
    """The reader's turn. All who read a public log without a token share the turns of one caller."""
    return runtime.turn(reader.actor or reader.network, "reads")


async def _require_standing(runtime: Runtime, connection: Connection, reader: LogReader) -> None:
    if reader.actor is not None:
        await lock_catalogue(connection, reader.network.network_id)
        require_standing(reader.actor, await runtime.catalogue(connection, reader.network))


async def read_checkpoint(runtime: Runtime, reader: LogReader) -> bytes:
    """The published checkpoint, a signed note."""
    async with _reading(runtime, reader) as (_, published):
        return published.note


async def read_tile(runtime: Runtime, reader: LogReader, tile: Tile) -> bytes:
    """The hashes of a tile, full or of any width within the published tree; raises NotFound."""
    async with _reading(runtime, reader) as (connection, published):
        _require_published(tile, published.size)
        return (await _tiles(connection, reader, [tile]))[tile]


async def read_bundle(runtime: Runtime, reader: LogReader, bundle: Bundle) -> bytes:
    """The entries of a tile at level 0; raises NotFound."""
    async with _reading(runtime, reader) as (connection, published):
        _require_published(Tile(0, bundle.number, bundle.width), published.size)
        start = bundle.number * TILE_WIDTH
        leaves = await read_leaves(connection, reader.network.network_id, start, bundle.width)
        if len(leaves) != bundle.width:
            raise NotFound
        return encode_bundle(leaves)


async def prove_inclusion(runtime: Runtime, reader: LogReader, index: int) -> bytes:
    """The proof that an entry is under the published checkpoint, as a `.tlog-proof` file; raises NotFound otherwise."""
    async with _reading(runtime, reader) as (connection, published):
        if index >= published.size:
            raise NotFound
        tiles = await _tiles(connection, reader, tiles_for_inclusion(index, published.size))
        return TlogProof(index, inclusion_path(index, published.size, tiles), published.note).format()


async def prove_consistency(runtime: Runtime, reader: LogReader, old_size: int, new_size: int | None) -> Consistency:
    """The proof that the log only grew from one size to another, by default the published size; raises NotFound."""
    async with _reading(runtime, reader) as (connection, published):
        to = published.size if new_size is None else new_size
        if not old_size <= to <= published.size:
            raise NotFound
        path: list[bytes] = []
        if 0 < old_size < to:
            path = consistency_path(old_size, to, await _tiles(connection, reader, tiles_for_consistency(old_size, to)))
        return Consistency(reader.network.log_origin, old_size, to, [encode_base64(node) for node in path])


async def read_vkeys(runtime: Runtime, reader: LogReader) -> list[str]:
    """The verifier keys of the log, the current one first, then those that signed before (C2SP signed-note)."""
    if reader.actor is not None:
        async with _turn(runtime, reader), transaction(runtime.pool, reader.network.network_id, ()) as connection:
            await _require_standing(runtime, connection, reader)
    try:
        return runtime.keys.log_vkeys(reader.network.log_origin)
    except NoteRefused as error:  # a network that was set up before origins were checked
        raise NotFound("The log's origin cannot be the name of a key, so it has no verifier keys.") from error


async def _tiles(connection: Connection, reader: LogReader, tiles: Collection[Tile]) -> dict[Tile, bytes]:
    found = await read_tiles(connection, reader.network.network_id, list(tiles))
    if len(found) < len(tiles):
        raise NotFound
    return found


def _require_published(tile: Tile, size: int) -> None:
    if (tile.number * TILE_WIDTH + tile.width) << 8 * tile.level > size:
        raise NotFound


def read_place(place: str) -> Tile | Bundle:
    """The tile or bundle at a path below `tile/`; raises NotFound for any other path."""
    try:
        return Bundle.parse(f"tile/{place}") if place.startswith("entries/") else Tile.parse(f"tile/{place}")
    except TileRefused as error:
        raise NotFound from error
