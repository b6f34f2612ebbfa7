"""The readiness probe finds a full disk without creating anything in the database."""

from consent_registry.storage.database.probes import ROWS, probe_room
from tests.support.installation import Registry

TEMP_BYTES = "select temp_bytes from pg_stat_database where datname = current_database()"


async def written(registry: Registry, rows: int = ROWS) -> int:
    """Probe with the application's login, and return how many bytes of temporary files PostgreSQL wrote."""
    async with registry.sql() as admin, registry.sql("app") as app:
        before = await admin.fetchval(TEMP_BYTES)
        async with app.transaction():
            await probe_room(app, rows)
        await app.execute("select pg_stat_force_next_flush()")
        return int(await admin.fetchval(TEMP_BYTES) - before)


async def test_the_probe_writes_a_file(registry: Registry) -> None:
    """The probe writes more than 64 kB to disk; the control, which fits into memory, writes nothing."""
    assert await written(registry) > 64 * 1024
    assert await written(registry, 1000) == 0
