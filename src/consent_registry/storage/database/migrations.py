"""Forward-only migrations: numbered SQL files, applied once, in order, each in a transaction, under one lock.

The SHA-256 of every applied file is recorded; an applied file that was edited or is missing is refused by name.
"""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import asyncpg
import msgspec

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.definer_checks import require_no_way_up
from consent_registry.storage.database.roles import DEFAULT_PREFIX, role_names

# Any number that nothing else in this database uses as a one-integer advisory lock.
MIGRATION_LOCK = 727_001


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, file name, text and the SHA-256 of its bytes (64 hex digits)."""

    version: int
    name: str
    text: str
    sha256: str


def read_migrations(directory: Path | None = None) -> list[Migration]:
    """The migrations in order of their numbers, which begin at 1 without a gap; raises Unusable otherwise."""
    folder = directory or _installed_directory()
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", path.name)
        if match is None:
            raise Unusable(f"migration {path.name} is not named NNNN_slug.sql")
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found.append(Migration(int(match[1]), path.name, content.decode("utf-8"), digest))
    if [one.version for one in found] != list(range(1, len(found) + 1)):
        raise Unusable(f"migrations in {folder} are not numbered 1, 2, 3 … without a gap")
    return found


async def migrate(dsn: str, prefix: str = DEFAULT_PREFIX, directory: Path | None = None) -> list[str]:
    """Bring the database up to date as the migrator's login in `dsn`; returns the names applied now.

    Raises Unusable when the database holds a migration that this release does not know, or knows with other bytes; and
    when a login could become the owner (definer_checks.py), before anything is applied and afterwards.
    """
    names = role_names(prefix)
    migrations = read_migrations(directory)
    connection = await connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
        await connection.execute(f"set role {names['owner']}")
        await require_no_way_up(connection)
        await connection.execute(
            "create table if not exists registry.schema_migrations (version integer primary key, "
            "name text not null, sha256 text not null, applied_at timestamptz not null default statement_timestamp())"
        )
        await connection.execute(f"grant select on registry.schema_migrations to {names['app']}")
        applied = await _applied(connection, migrations)
        fresh = [one for one in migrations if one.version > applied]
        for one in fresh:
            await _apply(connection, one, names)
        if fresh:
            await require_no_way_up(connection)
    finally:
        await connection.close()
    return [one.name for one in fresh]


async def check_schema(connection: asyncpg.Connection, directory: Path | None = None) -> None:
    """Raise Unusable unless the database holds exactly this release's migrations."""
    migrations = read_migrations(directory)
    applied = await _applied(connection, migrations)
    if applied < len(migrations):
        raise Unusable(f"the database lacks migration {migrations[applied].name}: run `consent-registry migrate`")


async def _applied(connection: asyncpg.Connection, migrations: list[Migration]) -> int:
    rows = await connection.fetch("select version, name, sha256 from registry.schema_migrations order by version")
    known = {one.version: one for one in migrations}
    for row in rows:
        one = known.get(row["version"])
        if one is None:
            raise Unusable(
                f"the database holds migration {row['name']}, which this release does not know: install the newer "
                "release"
            )
        if one.sha256 != row["sha256"]:
            raise Unusable(
                f"migration {row['name']} was changed after it had been applied: install this release again, unchanged"
            )
    recorded = {row["version"] for row in rows}
    gap = next((one for one in migrations[: max(recorded, default=0)] if one.version not in recorded), None)
    if gap is not None:
        raise Unusable(
            f"the database does not record migration {gap.name}, but later ones: restore registry.schema_migrations "
            "from the backup"
        )
    return len(rows)


async def _apply(connection: asyncpg.Connection, one: Migration, names: dict[str, str]) -> None:
    text = re.sub(r"\{(\w+)\}", lambda match: names.get(match[1], match[0]), one.text)
    async with connection.transaction():
        await connection.execute("set local search_path = registry")
        await connection.execute(text)
        await connection.execute(
            "insert into registry.schema_migrations (version, name, sha256) values ($1, $2, $3)",
            one.version,
            one.name,
            one.sha256,
        )


def _installed_directory() -> Path:
    packaged = Path(str(files("consent_registry") / "migrations"))
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "migrations"
