"""Opening the eraser with its own login, and rewriting tables after an erasure."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from consent_registry.operations.erasure.erasures import Eraser
from consent_registry.storage.database import rewriting
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.erasure_ledger import ErasureLedger
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.storage.start_checks import require_safe_for_erasing

# Seconds that the longest erasure may take; the statement_timeout of the eraser's role is shorter.
STATEMENT_SECONDS = 900


@asynccontextmanager
async def opened_eraser(dsn: str, keys: Path, ledger: Path) -> AsyncIterator[Eraser]:
    """Open the eraser for the length of a block: its login at `dsn`, the key files and the ledger. Raises Unusable for
    a login that has more rights than the eraser's role.
    """
    await require_safe_for_erasing(dsn)
    pool = await open_pool(dsn, 1, statement_seconds=STATEMENT_SECONDS)
    try:
        yield Eraser(pool, load_keys(keys), ErasureLedger(ledger))
    finally:
        await pool.close()


async def rewrite_tables(dsn: str, partitions: Sequence[str] | None = None) -> bool:
    """Rewrite the tables' files as the migrator, so that no removed byte can be read on the disk; of the events only
    these partitions, by default all. Returns False if only the database's owner may rewrite the statistics.
    """
    return await rewriting.scrub(dsn, partitions)
