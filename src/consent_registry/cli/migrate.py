"""`consent-registry migrate`: bring the database up to date."""

import asyncio
import os

from consent_registry.process.data_folder import CannotServe
from consent_registry.storage.database import migrations
from consent_registry.storage.database.partitions import settle_partitions
from consent_registry.storage.database.roles import DEFAULT_PREFIX


def migrate() -> None:
    """Apply the missing migrations and make the log's missing partitions.

    CONSENT_REGISTRY_DATABASE_URL must be the migrator's login.
    """
    dsn = os.environ.get("CONSENT_REGISTRY_DATABASE_URL")
    if not dsn:
        raise CannotServe("set CONSENT_REGISTRY_DATABASE_URL to the migrator's login")
    done = asyncio.run(_migrate(dsn, os.environ.get("CONSENT_REGISTRY_ROLE_PREFIX", DEFAULT_PREFIX)))
    print("\n".join(done) or "up to date")


async def _migrate(dsn: str, prefix: str) -> list[str]:
    done = await migrations.migrate(dsn, prefix)
    # The server makes partitions too, except those that would delay its requests too long.
    if made := await settle_partitions(dsn):
        done.append(f"made {made} partitions of the log")
    return done
