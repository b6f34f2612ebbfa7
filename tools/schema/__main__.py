"""`make schema`: write the kinds of events for SQL, and migrations/schema.sql from a database with every migration."""

import asyncio
import tempfile
from pathlib import Path

import asyncpg

from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.storage.database.migration_files import GENERATED
from consent_registry.storage.database.migrations import migrate
from consent_registry.storage.database.provisioning import create_database, create_roles
from tools.schema.event_kinds import FILE, event_kinds_sql
from tools.schema.reader import read_schema

MIGRATIONS = Path(__file__).parents[2] / "migrations"


async def schema_of(cluster: Cluster, name: str = "schema") -> str:
    """The schema of a new database of this cluster."""
    await create_database(cluster.dsn(), name)
    await create_roles(cluster.dsn(database=name))
    await migrate(cluster.dsn(database=name), directory=MIGRATIONS)
    connection = await asyncpg.connect(cluster.dsn(database=name))
    try:
        return await read_schema(connection)
    finally:
        await connection.close()


def main() -> None:
    """Write the file of event kinds, and then the schema that all files of `migrations/` make."""
    (MIGRATIONS / FILE).write_text(event_kinds_sql(), encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="registry-schema-") as folder:
        Path(folder).chmod(0o755)
        cluster = prepare(Path(folder) / "data", sync=False)
        cluster.start()
        try:
            text = asyncio.run(schema_of(cluster))
        finally:
            cluster.stop()
    (MIGRATIONS / GENERATED).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
