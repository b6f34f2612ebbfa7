"""Sealing a network's log: its leaves become tiles, and a signed checkpoint says what the whole of them is.

Several sealers may believe that they lead, and any may die or stand still between two lines. So each step compares
before it swaps, and says what is durable after it (docs/design/log.md):

1. New leaves are read and the tree's right edge, as it is stored, is extended. The head that was signed last must
   follow from that edge: a database that was put back, cut short or rewritten does not contain it, and nothing is
   signed.
2. Tiles are committed. Made again from the same leaves they are the same bytes.
3. The new head is on the signer's own disk, if the last one is still there. From here on it is the only one to sign.
4. It is signed: the same bytes each time. 5. Witnesses cosign, and the quorum that is demanded is reached.
6. It is published. Dying before leaves a head that was promised to the disk and not published: the next round signs and
   publishes that one before anything else.
"""

import asyncio
from typing import Protocol

import msgspec

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.log.witnesses import Prove
from consent_registry.storage.database.database import Connection, Pool, transaction
from consent_registry.storage.files.signed_heads import HeadMoved, SignedHead, SignedHeads
from consent_registry.storage.keys.log_keys import LogKeys
from consent_registry.storage.log.append import LogHasGap, read_leaves, read_size
from consent_registry.storage.log.checkpoints import Log, Published, add_checkpoint, latest_checkpoint
from consent_registry.storage.log.tiles import TileDiffers, add_tiles, read_tiles
from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.merkle import EMPTY_ROOT, leaf_hash
from consent_registry.tlog.note import SignerKey
from consent_registry.tlog.tile import TILE_WIDTH, Tile, TileRefused, right_edge
from consent_registry.tlog.tile_proofs import consistency_path, tiles_for_consistency

# Leaves sealed at once: a log that was left alone for long is caught up with in steps.
MOST_LEAVES = 1 << 16
EMPTY = SignedHead(0, EMPTY_ROOT)
# A checkpoint is normally a second behind and signed again after 10 minutes. Seconds after which that is late.
BEHIND, STALE = 30.0, 1200.0


class HistoryChanged(RegistryError):
    """The database no longer contains what was signed. Nothing is signed until it does again."""


class Cosigners(Protocol):
    """Who cosigns checkpoints before they are published: witnesses.py, or nobody."""

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:
        """The note with the cosignatures that were collected; raises BelowQuorum when they are too few."""


class NoWitnesses:
    """Nobody is asked to cosign."""

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:  # noqa: ARG002 - as in Cosigners
        """The note as it is."""
        return note


class SealerTools(msgspec.Struct, frozen=True):
    """What a sealer works with: its connections, the log's keys, the signer's memory, and the witnesses."""

    pool: Pool
    keys: LogKeys
    heads: SignedHeads
    witnesses: Cosigners


class Sealed(msgspec.Struct, frozen=True):
    """The size that is published, and how many seconds ago that was."""

    size: int
    age: float


async def seal(tools: SealerTools, log: Log, *, again: bool = False) -> Sealed:
    """Bring a log's checkpoint up to date, at most MOST_LEAVES further; returns what is published now.

    `again` publishes anew what is published, when nothing was added. Raises HistoryChanged, BelowQuorum, HeadMoved when
    another sealer was faster, and CannotRecord, also when the signer's disk is full.
    """
    known = await asyncio.to_thread(tools.heads.read, log.slug, log.origin)
    try:
        head, age = await _prepare(tools, log, known)
    except HistoryChanged:
        if await asyncio.to_thread(tools.heads.read, log.slug, log.origin) != known:
            raise HeadMoved from None  # what was read in the database is newer than what was read here
        raise
    if head.size and (age is None or again):
        await publish(tools, log, head)
        age = 0.0
    return Sealed(head.size, age or 0.0)


async def _prepare(tools: SealerTools, log: Log, known: SignedHead | None) -> tuple[SignedHead, float | None]:
    """The head to publish, which is in the signer's memory and whose tiles are stored; and how many seconds ago it was
    published, None when it was not.
    """
    head = known or EMPTY
    async with transaction(tools.pool, log.network_id, ()) as connection:
        published = await latest_checkpoint(connection, log.network_id)
        edge = await signed_edge(connection, log, head, published)
        if head.size and (published is None or published.size < head.size):
            return head, None
        grown = await extend(connection, log, edge)
    if grown.size == head.size:
        return head, None if published is None else published.age
    new = SignedHead(grown.size, grown.root)
    await asyncio.to_thread(tools.heads.advance, log.slug, log.origin, known, new)
    return new, None


async def signed_edge(connection: Connection, log: Log, head: SignedHead, published: Published | None) -> Frontier:
    """The right edge of the tree that was signed last, from the database; raises HistoryChanged if it is not there."""
    if published is not None and (
        published.size > head.size or (published.size == head.size and published.root != head.root)
    ):
        raise HistoryChanged(
            f"{log.origin}: a checkpoint of size {published.size} is published that this sealer does not remember"
            f" (it remembers size {head.size}): its folder is not the one it signed with, or the database was changed"
        )
    size = await read_size(connection, log.network_id)
    if size < head.size:
        raise HistoryChanged(f"{log.origin}: {size} leaves are left of {head.size} that were signed")
    try:
        edge = Frontier.of_tiles(head.size, await read_tiles(connection, log.network_id, right_edge(head.size)))
    except TileRefused as error:
        raise HistoryChanged(f"{log.origin}: of size {head.size}, which was signed, {error}") from error
    if edge.root != head.root:
        raise HistoryChanged(f"{log.origin}: the tiles of size {head.size} do not give the root that was signed")
    return edge


async def extend(connection: Connection, log: Log, edge: Frontier) -> Frontier:
    """Read what was added since, write its tiles, and return the right edge after it; raises HistoryChanged."""
    # The last tile that was signed is read again with the new leaves: cut off and grown anew, a log differs there.
    start = max(0, edge.size - 1) // TILE_WIDTH * TILE_WIDTH
    last = Tile(0, start // TILE_WIDTH, edge.size - start)
    try:
        leaves = await read_leaves(connection, log.network_id, start, MOST_LEAVES)
        hashes = [leaf_hash(leaf) for leaf in leaves]
        if edge.size:
            stored = await read_tiles(connection, log.network_id, [last])
            if stored.get(last) != b"".join(hashes[: last.width]):
                raise HistoryChanged(f"{log.origin}: the leaves of {last.path()} are not those that were signed")
        grown, tiles = edge.extend(hashes[last.width :])
        if tiles:
            await add_tiles(connection, log.network_id, tiles)
    except (LogHasGap, TileDiffers) as error:
        raise HistoryChanged(f"{log.origin}: {error}") from error
    return grown


async def publish(tools: SealerTools, log: Log, head: SignedHead) -> None:
    """Sign a head that stands in the signer's memory, have it cosigned, and publish it."""
    note = await tools.witnesses.cosign(sign(tools.keys, log, head), head.size, _prover(tools.pool, log, head.size))
    async with transaction(tools.pool, log.network_id, ()) as connection:
        await add_checkpoint(connection, log.network_id, head.size, head.root, note)


def sign(keys: LogKeys, log: Log, head: SignedHead) -> bytes:
    """The signed note of a head, by every key that signs for this log now; the same bytes each time."""
    signers = [SignerKey(log.origin, key) for key in keys.signing(log.origin)]
    return sign_checkpoint(Checkpoint(log.origin, head.size, head.root), signers).format()


def _prover(pool: Pool, log: Log, size: int) -> Prove:
    async def prove(old_size: int) -> list[bytes]:
        needed = tiles_for_consistency(old_size, size)
        async with transaction(pool, log.network_id, ()) as connection:
            return consistency_path(old_size, size, await read_tiles(connection, log.network_id, list(needed)))

    return prove


class SealingState(msgspec.Struct, frozen=True):
    """How a log stands: its leaves, the size that is published and its age, the size the signer remembers, and what
    does not fit, if anything.
    """

    leaves: int
    published: int | None
    age: float | None
    remembered: int | None
    problem: str | None

    @property
    def unsealed(self) -> str | None:
        """Why the log counts as not sealed, although nothing contradicts what was signed; None for one that is."""
        if self.published is None or self.age is None:
            return None if self.leaves == 0 else f"not sealed: none of its {self.leaves} leaves is under a checkpoint"
        left = self.leaves - self.published
        if left > 0 and self.age > BEHIND:
            return f"not sealed: {left} leaves are under no checkpoint, and the last one is {self.age:.0f} s old"
        if self.age > STALE:
            return f"not sealed again: the last checkpoint is {self.age:.0f} s old"
        return None


async def inspect(tools: SealerTools, log: Log) -> SealingState:
    """Compare database, memory and published checkpoint; nothing is written or signed."""
    known = await asyncio.to_thread(tools.heads.read, log.slug, log.origin)
    async with transaction(tools.pool, log.network_id, ()) as connection:
        published = await latest_checkpoint(connection, log.network_id)
        problem = None
        try:
            await signed_edge(connection, log, known or EMPTY, published)
        except HistoryChanged as error:
            problem = error.detail
    size, age = (None, None) if published is None else (published.size, published.age)
    return SealingState(log.size, size, age, None if known is None else known.size, problem)


async def adopt(tools: SealerTools, log: Log, note: bytes) -> SignedHead:
    """Let a signer that has lost its memory begin from a checkpoint; returns the head it remembers now.

    Raises NoteRefused for a checkpoint that no key of this log signed, HistoryChanged unless the database contains it
    and nothing larger is published, and HeadMoved when there is a memory.
    """
    keys = [SignerKey(log.origin, key).verifier for key in tools.keys.all(log.origin)]
    trusted = open_checkpoint(note, keys).checkpoint
    head = SignedHead(trusted.size, trusted.root)
    async with transaction(tools.pool, log.network_id, ()) as connection:
        await signed_edge(connection, log, head, await latest_checkpoint(connection, log.network_id))
    await asyncio.to_thread(tools.heads.advance, log.slug, log.origin, None, head)
    return head
