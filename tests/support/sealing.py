"""A sealer's tools on a test's own database, and a second opinion on what it published, made from the leaves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import asyncpg

from consent_registry.operations.log.checkpoints import Cosigners, NoWitnesses, SealedSize, SealerTools, seal
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.signed_heads import SignedHeads
from consent_registry.storage.keys.log_keys import load_log_keys
from consent_registry.storage.log.checkpoints import NetworkLog, list_logs
from consent_registry.tlog.checkpoint import OpenedCheckpoint, open_checkpoint
from consent_registry.tlog.note import SignerKey
from tests.support.installation import Installation

NETWORK = "small"


@dataclass(slots=True)
class Office:
    """A sealer that works when it is told to, and a superuser's connection beside it."""

    tools: SealerTools
    sql: asyncpg.Connection
    dsn: str
    folder: Path
    database: str = ""

    async def log(self, slug: str = NETWORK) -> NetworkLog:
        """Return one network's log."""
        return next(log for log in await list_logs(self.sql) if log.slug == slug)

    async def seal(self, slug: str = NETWORK, *, again: bool = False) -> SealedSize:
        """Seal one network's log once."""
        return await seal(self.tools, await self.log(slug), again=again)

    async def add_leaves(self, count: int, slug: str = NETWORK) -> None:
        """Put leaves into a log without any event: the sealer knows no others."""
        await self.sql.execute(
            """
            insert into registry.leaves (network_id, log_index, leaf)
            select network_id, size + n, '\\x01'::bytea || sha256(n::text::bytea || slug::bytea)
            from registry.networks, generate_series(0, $2 - 1) n,
                lateral (select coalesce(max(log_index) + 1, 0) as size from registry.leaves l
                    where l.network_id = networks.network_id) found
            where slug = $1
            """,
            slug,
            count,
        )

    async def leaves(self, slug: str = NETWORK) -> list[bytes]:
        """Return every leaf of a log in order."""
        rows = await self.sql.fetch(
            "select leaf from registry.leaves join registry.networks using (network_id) where slug = $1"
            " order by log_index",
            slug,
        )
        return [row["leaf"] for row in rows]

    async def checkpoint(self, slug: str = NETWORK) -> OpenedCheckpoint:
        """Return the published checkpoint, its signature verified."""
        note = await self.sql.fetchval(
            "select note from registry.checkpoints join registry.networks using (network_id) where slug = $1"
            " order by size desc, published_at desc limit 1",
            slug,
        )
        origin = (await self.log(slug)).origin
        return open_checkpoint(note, [SignerKey(origin, key).verifier for key in self.tools.keys.all(origin)])

    async def check(self, slug: str = NETWORK) -> int:
        """Assert that the published checkpoint is that of the leaves up to its size, and return this size."""
        checkpoint = (await self.checkpoint(slug)).checkpoint
        leaves = await self.leaves(slug)
        assert checkpoint.size <= len(leaves)
        assert checkpoint.root == tree_root(leaves[: checkpoint.size])
        return checkpoint.size


@asynccontextmanager
async def office(
    installation: Installation, database: str, folder: Path, witnesses: Cosigners | None = None
) -> AsyncIterator[Office]:
    """Run a sealer's tools on a database, its memory in `folder`."""
    dsn = installation.dsn(database, "sealer")
    pool = await open_pool(dsn, 2)
    sql = await asyncpg.connect(installation.dsn(database, "postgres"))
    try:
        heads = SignedHeads(made(folder))
        tools = SealerTools(pool, load_log_keys(installation.keys), heads, witnesses or NoWitnesses())
        yield Office(tools, sql, dsn, folder)
    finally:
        await sql.close()
        await pool.close()


def made(folder: Path) -> Path:
    """Return a folder, which is there now."""
    folder.mkdir(exist_ok=True)
    return folder


def tree_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + tree_root(leaves[:half]) + tree_root(leaves[half:])).digest()
