"""The five demonstration networks together, for stories that need more of them than every test gets."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest_asyncio

from consent_registry.demo.documents import (
    SLUGS,
)
from consent_registry.demo.loader import load_network
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from tests.support.flag_network import with_flags
from tests.support.installation import ISSUER, Installation, Registry, serving
from tests.support.log_check import reading_again
from tests.support.office import Office, office

FIVE = "registry_five"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def every_log_is_read_again() -> AsyncIterator[None]:
    """Do it after each story, whether it asks for it or not."""
    async with reading_again():
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def all_five(installation: Installation) -> Installation:
    """Make a template database with all five networks, loaded as `demo` loads them."""
    admin = await asyncpg.connect(installation.dsn("postgres", "postgres"))
    await admin.execute(f"create database {FIVE} template {installation.template} strategy wal_log")
    await admin.close()
    networks = dict(installation.networks)
    pool = await open_pool(installation.dsn(FIVE), 2)
    try:
        runtime = Runtime(pool, load_keys(installation.keys), ISSUER)
        for slug in set(SLUGS) - set(networks):
            networks[slug] = await load_network(runtime, SLUGS.index(slug) + 1, slug)
    finally:
        await pool.close()
    return replace(installation, networks=networks, template=FIVE)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def five_networks(all_five: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database with all five, in which every story leaves what it did."""
    async with all_five.copy() as database, serving(all_five, database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def just_loaded(all_five: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database with all five, in which nothing was done since they were loaded."""
    async with all_five.copy() as database, serving(all_five, database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def flagged(installation: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database with the network in which every flag matters."""
    async with (
        installation.copy() as database,
        serving(await with_flags(installation, database), database) as running,
    ):
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def north(registry: Registry) -> Office:
    """Return the small network's sender."""
    return await office(registry, "north")
