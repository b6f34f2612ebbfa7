"""Work on an installation from the command line: the same settings as `serve`, a few connections, one act."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from consent_registry.operations.running.context import Runtime
from consent_registry.settings import read_settings
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys

T = TypeVar("T")


def run_on_installation(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run `work` with the installation that CONSENT_REGISTRY_… in the environment names."""

    async def run() -> T:
        settings = read_settings(os.environ)
        pool = await open_pool(settings.database_url, 2)
        try:
            return await work(Runtime(pool, load_keys(settings.keys), settings.issuer))
        finally:
            await pool.close()

    return asyncio.run(run())
