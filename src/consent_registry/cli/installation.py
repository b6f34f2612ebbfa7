"""Runs a verb's work on an installation, with the same settings as `serve` and two database connections."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.installation import opened_runtime
from consent_registry.settings import read_settings

T = TypeVar("T")


def run_on_installation(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run `work` with the installation that the settings in the environment (CONSENT_REGISTRY_…) name."""

    async def run() -> T:
        settings = read_settings(os.environ)
        async with opened_runtime(settings.database_url, settings.keys, settings.issuer) as runtime:
            return await work(runtime)

    return asyncio.run(run())
