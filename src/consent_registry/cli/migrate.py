"""`consent-registry migrate`: bring the database up to date."""

import asyncio
import os

from consent_registry.cli.data_folder import CannotServe
from consent_registry.storage import migrations
from consent_registry.storage.roles import DEFAULT_PREFIX


def migrate() -> None:
    """Apply the migrations that are missing, as the migrator's login in CONSENT_REGISTRY_DATABASE_URL."""
    dsn = os.environ.get("CONSENT_REGISTRY_DATABASE_URL")
    if not dsn:
        raise CannotServe("set CONSENT_REGISTRY_DATABASE_URL to the migrator's login")
    applied = asyncio.run(migrations.migrate(dsn, os.environ.get("CONSENT_REGISTRY_ROLE_PREFIX", DEFAULT_PREFIX)))
    print("\n".join(applied) or "up to date")
