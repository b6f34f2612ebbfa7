"""Sealing a network's log: its leaves become tiles, and a signed checkpoint commits to all of them.

Two sealers may act as leader at once, and any may crash or pause between two lines. So each step compares before it
swaps, and this list says what is durable after it (docs/design/log.md):

1. New leaves are read, and the stored right edge of the tree is extended. The stored edge must have the root of the
   head that was signed last. A database that was restored, truncated or rewritten does not have it: nothing is signed.
2. The tiles are committed. Made again from the same leaves, they have the same bytes.
3. The new head is written to the signer's own disk, if the last head there is the expected one. From here on no other
   head of this or a smaller size is signed.
4. The head is signed: the same bytes each time. 5. Witnesses cosign, and the quorum of the policy is reached.
6. The checkpoint is published. If the process dies before step 6, a head is on disk but unpublished; the next round
   signs and publishes it before anything else.
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
from consent_registry.storage.log.checkpoints import NetworkLog, PublishedCheckpoint, add_checkpoint, latest_checkpoint
from consent_registry.storage.log.tiles import TileDiffers, add_tiles, read_tiles
from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.merkle import EMPTY_ROOT, leaf_hash
from consent_registry.tlog.note import SignerKey
from consent_registry.tlog.tile import TILE_WIDTH, Tile, TileRefused, right_edge
from consent_registry.tlog.tile_proofs import consistency_path, tiles_for_consistency

# Leaves sealed in one step: a log that was not sealed for long is caught up with in several steps.
MOST_LEAVES = 1 << 16
EMPTY = SignedHead(0, EMPTY_ROOT)
# Seconds after which sealing counts as late; normally a checkpoint is a second behind and signed again after 600.
BEHIND, STALE = 30.0, 1200.0


class HistoryChanged(RegistryError):
    """The database no longer contains what was signed. Nothing is signed until it does again."""


class Cosigners(Protocol):
    """Cosigns checkpoints before they are published: `Witnesses`, or `NoWitnesses`."""

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:
        """The note with the cosignatures that were collected; raises BelowQuorum when they are too few."""


class NoWitnesses:
    """Publishes checkpoints without cosignatures."""

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:  # noqa: ARG002 - as in Cosigners
        """The note, unchanged."""
        return note


class SealerTools(msgspec.Struct, frozen=True):
    """What a sealer works with: its connections, the log's keys, the signer's heads on disk, and the witnesses."""

    pool: Pool
    keys: LogKeys
    heads: SignedHeads
    witnesses: Cosigners


class SealedSize(msgspec.Struct, frozen=True):
    """The size of the published checkpoint, and its age in seconds."""

    size: int
    age: float


async def seal(tools: SealerTools, log: NetworkLog, *, again: bool = False) -> SealedSize:
    """Bring a log's checkpoint up to date, at most MOST_LEAVES further; returns what is published now.

    `again`: if no leaf was added, sign and publish the same head again. Raises HistoryChanged, BelowQuorum, HeadMoved
    when another sealer was faster, and CannotRecord, also when the signer's disk is full.
    """
    known = await asyncio.to_thread(tools.heads.read, log.slug, log.origin)
    try:
        head, age = await _prepare(tools, log, known)
    except HistoryChanged:
        if await asyncio.to_thread(tools.heads.read, log.slug, log.origin) != known:
            raise HeadMoved from None  # another sealer signed since the head was read here
        raise
    if head.size and (age is None or again):
        await publish(tools, log, head)
        age = 0.0
    return SealedSize(head.size, age or 0.0)


async def _prepare(tools: SealerTools, log: NetworkLog, known: SignedHead | None) -> tuple[SignedHead, float | None]:
    """The head to publish, which is on the signer's disk and whose tiles are stored; and how many seconds ago it was
    published, None if it was not.
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


async def signed_edge(
    connection: Connection, log: NetworkLog, head: SignedHead, published: PublishedCheckpoint | None
) -> Frontier:
    """The right edge of the tree signed last, read from the stored tiles; raises HistoryChanged if they do not fit."""
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


async def extend(connection: Connection, log: NetworkLog, edge: Frontier) -> Frontier:
    """Read the leaves added since, write their tiles, and return the new right edge; raises HistoryChanged."""
    # The last signed tile is read again with the new leaves: it differs if the log was truncated and grew again.
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


async def publish(tools: SealerTools, log: NetworkLog, head: SignedHead) -> None:
    """Sign a head that is on the signer's disk, have it cosigned, and publish it."""
    note = await tools.witnesses.cosign(sign(tools.keys, log, head), head.size, _prover(tools.pool, log, head.size))
    async with transaction(tools.pool, log.network_id, ()) as connection:
        await add_checkpoint(connection, log.network_id, head.size, head.root, note)


def sign(keys: LogKeys, log: NetworkLog, head: SignedHead) -> bytes:
    """The note of a head, signed by every active key of this log; the same bytes each time."""
    signers = [SignerKey(log.origin, key) for key in keys.signing(log.origin)]
    return sign_checkpoint(Checkpoint(log.origin, head.size, head.root), signers).format()


def _prover(pool: Pool, log: NetworkLog, size: int) -> Prove:
    async def prove(old_size: int) -> list[bytes]:
        needed = tiles_for_consistency(old_size, size)
        async with transaction(pool, log.network_id, ()) as connection:
            return consistency_path(old_size, size, await read_tiles(connection, log.network_id, list(needed)))

    return prove


class SealingState(msgspec.Struct, frozen=True):
    """How far a log is sealed: its leaves, the published size and its age, and the size on the signer's disk.

    `problem` says what contradicts the head that was signed last, if anything does.
    """

    leaves: int
    published: int | None
    age: float | None
    remembered: int | None
    problem: str | None

    @property
    def unsealed(self) -> str | None:
        """Why the log counts as not sealed, apart from `problem`; None if it is sealed."""
        if self.published is None or self.age is None:
            return None if self.leaves == 0 else f"not sealed: none of its {self.leaves} leaves is under a checkpoint"
        behind = self.leaves - self.published
        if behind > 0 and self.age > BEHIND:
            return f"not sealed: {behind} leaves are under no checkpoint, and the last one is {self.age:.0f} s old"
        if self.age > STALE:
            return f"not sealed again: the last checkpoint is {self.age:.0f} s old"
        return None


async def inspect(tools: SealerTools, log: NetworkLog) -> SealingState:
    """Compare the database, the signer's disk and the published checkpoint; nothing is written or signed."""
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


async def adopt(tools: SealerTools, log: NetworkLog, note: bytes) -> SignedHead:
    """Let a signer that has lost its disk go on from a checkpoint; returns the head that is on its disk now.

    Raises NoteRefused for a checkpoint that no key of this log signed, HistoryChanged unless the database contains it
    and nothing larger is published, and HeadMoved if the signer's disk has a head.
    """
    keys = [SignerKey(log.origin, key).verifier for key in tools.keys.all(log.origin)]
    trusted = open_checkpoint(note, keys).checkpoint
    head = SignedHead(trusted.size, trusted.root)
    async with transaction(tools.pool, log.network_id, ()) as connection:
        await signed_edge(connection, log, head, await latest_checkpoint(connection, log.network_id))
    await asyncio.to_thread(tools.heads.advance, log.slug, log.origin, None, head)
    return head
