"""The eraser's own connection, and the rewriting of tables after an erasure."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from consent_registry.operations.erasure.erasures import Eraser
from consent_registry.storage.database import rewriting
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.erasure_ledger import ErasureLedger
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.storage.start_checks import require_safe_for_erasing

# As long as the longest erasure may take; the role's own statement_timeout ends sooner.
STATEMENT_SECONDS = 900


@asynccontextmanager
async def opened_eraser(dsn: str, keys: Path, ledger: Path) -> AsyncIterator[Eraser]:
    """The eraser's login at `dsn`, with the key files and the ledger, for the length of a block; raises Unusable for a
    login that is not the eraser's alone.
    """
    await require_safe_for_erasing(dsn)
    pool = await open_pool(dsn, 1, statement_seconds=STATEMENT_SECONDS)
    try:
        yield Eraser(pool, load_keys(keys), ErasureLedger(ledger))
    finally:
        await pool.close()


async def rewrite_tables(dsn: str, partitions: Sequence[str] | None = None) -> bool:
    """Write the tables' files anew as the migrator, so that no removed byte can be read on the disk. Of the events
    only these partitions are written, or all. False where only the database's owner can rewrite the statistics.
    """
    return await rewriting.scrub(dsn, partitions)
