"""Brings the schema up to date by files: numbered migrations, forward only, and functions, which are replaced whole.

A numbered file is applied once, in order, in its own transaction. A file of functions is applied whenever its SHA-256
differs from the recorded one, all due files in one transaction. A lock allows one run at a time. An applied numbered
file that was edited or is missing is refused by name.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.definer_checks import require_no_escalation
from consent_registry.storage.database.migration_files import (
    Migration,
    SchemaFile,
    read_functions,
    read_migrations,
)
from consent_registry.storage.database.roles import DEFAULT_PREFIX, role_names

# A one-integer advisory lock that nothing else in this database uses.
MIGRATION_LOCK = 727_001
# The first file of the schema that was written before the first release. Nothing leads from that one to this.
BEFORE_THE_FIRST_RELEASE = "0001_ground.sql"
_TO_REMOVE = "the database, with the keys and the files that belong to it"
_BOOKS = """
    create table if not exists registry.schema_migrations (version integer primary key,
        name text not null, sha256 text not null, applied_at timestamptz not null default statement_timestamp());
    create table if not exists registry.schema_functions (name text primary key,
        sha256 text not null, applied_at timestamptz not null default statement_timestamp());
    grant select on registry.schema_migrations, registry.schema_functions to {app};
"""


async def migrate(
    dsn: str, prefix: str = DEFAULT_PREFIX, directory: Path | None = None, *, to_remove: str = _TO_REMOVE
) -> list[str]:
    """Bring the database up to date with the migrator's login in `dsn`. Returns the names of the files applied now.

    Raises Unusable if the database holds a migration that this release does not have, or has with other bytes; if it is
    older than the first release (the message names what is `to_remove`); and if a login could become the owner
    (definer_checks.py), checked before and after.
    """
    names = role_names(prefix)
    migrations, functions = read_migrations(directory), read_functions(directory)
    connection = await connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
        await connection.execute(f"set role {names['owner']}")
        await require_no_escalation(connection)
        await _require_no_earlier_schema(connection, to_remove)
        await connection.execute(_with_roles(_BOOKS, names))
        applied = await _applied(connection, migrations)
        done = await _replace(connection, functions.for_tables, names)
        for migration in migrations[applied:]:
            await _apply(connection, migration, names)
            done.append(migration.name)
        done += await _replace(connection, functions.others, names)
        if done:
            await _delete_records(connection, functions.all)
            await require_no_escalation(connection)
    finally:
        await connection.close()
    return done


async def check_schema(connection: asyncpg.Connection, directory: Path | None = None) -> None:
    """Raise Unusable unless the database holds exactly this release's migrations and functions."""
    migrations = read_migrations(directory)
    await _require_no_earlier_schema(connection, _TO_REMOVE)
    applied = await _applied(connection, migrations)
    if applied < len(migrations):
        raise Unusable(f"the database lacks migration {migrations[applied].name}: run `consent-registry migrate`")
    outdated = await _outdated(connection, read_functions(directory).all)
    if outdated:
        raise Unusable(
            f"the database does not have {outdated[0].name} as this release does: run `consent-registry migrate`"
        )


async def _require_no_earlier_schema(connection: asyncpg.Connection, to_remove: str) -> None:
    if await connection.fetchval("select to_regclass('registry.schema_migrations')") is None:
        return
    if await connection.fetchval(
        "select exists (select from registry.schema_migrations where name = $1)", BEFORE_THE_FIRST_RELEASE
    ):
        raise Unusable(
            f"this database was set up before the first release ({BEFORE_THE_FIRST_RELEASE}), and no migration leads "
            f"from there to here: remove {to_remove}, and begin anew"
        )


async def _applied(connection: asyncpg.Connection, migrations: list[Migration]) -> int:
    rows = await connection.fetch("select version, name, sha256 from registry.schema_migrations order by version")
    known = {migration.version: migration for migration in migrations}
    for row in rows:
        migration = known.get(row["version"])
        if migration is None:
            raise Unusable(
                f"the database holds migration {row['name']}, which this release does not know: install the newer "
                "release"
            )
        if migration.sha256 != row["sha256"]:
            raise Unusable(
                f"migration {row['name']} was changed after it had been applied: install this release again, unchanged"
            )
    recorded = {row["version"] for row in rows}
    gap = next((file for file in migrations[: max(recorded, default=0)] if file.version not in recorded), None)
    if gap is not None:
        raise Unusable(
            f"the database does not record migration {gap.name}, but later ones: restore registry.schema_migrations "
            "from the backup"
        )
    return len(rows)


async def _outdated(connection: asyncpg.Connection, files: Sequence[SchemaFile]) -> list[SchemaFile]:
    rows = await connection.fetch("select name, sha256 from registry.schema_functions")
    recorded = {row["name"]: row["sha256"] for row in rows}
    return [file for file in files if recorded.get(file.name) != file.sha256]


async def _replace(connection: asyncpg.Connection, files: Sequence[SchemaFile], names: dict[str, str]) -> list[str]:
    """Apply the files of functions that differ from their recorded SHA-256. Returns their names."""
    outdated = await _outdated(connection, files)
    async with connection.transaction():
        await connection.execute("set local search_path = registry")
        for file in outdated:
            await connection.execute(_with_roles(file.text, names))
            await connection.execute(
                "insert into registry.schema_functions (name, sha256) values ($1, $2) "
                "on conflict (name) do update set sha256 = excluded.sha256, applied_at = statement_timestamp()",
                file.name,
                file.sha256,
            )
    return [file.name for file in outdated]


async def _delete_records(connection: asyncpg.Connection, files: Sequence[SchemaFile]) -> None:
    """Delete the records of files that this release does not have; a migration drops their functions."""
    await connection.execute(
        "delete from registry.schema_functions where name <> all ($1)", [file.name for file in files]
    )


async def _apply(connection: asyncpg.Connection, migration: Migration, names: dict[str, str]) -> None:
    async with connection.transaction():
        await connection.execute("set local search_path = registry")
        await connection.execute(_with_roles(migration.text, names))
        await connection.execute(
            "insert into registry.schema_migrations (version, name, sha256) values ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.sha256,
        )


def _with_roles(text: str, names: dict[str, str]) -> str:
    """Replace `{app}` and the like by the installation's role names."""
    return re.sub(r"\{(\w+)\}", lambda match: names.get(match[1], match[0]), text)
