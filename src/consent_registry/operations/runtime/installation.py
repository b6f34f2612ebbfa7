"""A runtime outside the server: for a verb of the command line and for loading a demonstration."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.storage.start_checks import require_safe


@asynccontextmanager
async def opened_runtime(dsn: str, keys: Path, issuer: str = "", connections: int = 2) -> AsyncIterator[Runtime]:
    """A runtime on the database at `dsn` with the key files in the folder `keys`, for the length of a block."""
    loaded = load_keys(keys)
    pool = await open_pool(dsn, connections)
    try:
        yield Runtime(pool, loaded, issuer)
    finally:
        await pool.close()


async def require_safe_to_serve(dsn: str, keys: Path, connections: int) -> None:
    """Refuse to serve with unusable key files or an unsafe database; `connections` is their number in all. Raises
    Unusable, or another RegistryError that names the danger and its cure.
    """
    load_keys(keys)
    await require_safe(dsn, demonstration=False, connections=connections)
