"""Migrations are applied forward, once and under one lock, and a database of another release is refused."""

import asyncio
import itertools
import shutil
from pathlib import Path

import asyncpg
import pytest

from consent_registry.domain.errors import Unusable
from consent_registry.process.postgres.cluster import Cluster
from consent_registry.storage.database.migration_files import read_functions, read_migrations
from consent_registry.storage.database.migrations import check_schema, migrate
from consent_registry.storage.database.provisioning import create_database, create_roles
from tests.support.installation import ROLES, empty_database

_numbers = itertools.count(1)
MIGRATIONS = Path(__file__).parents[3] / "migrations"


async def prepared(cluster: Cluster) -> str:
    """Create a database with roles and the empty schema, and return the migrator's address of it."""
    name = f"migrations_{next(_numbers)}"
    await create_database(cluster.dsn(), name)
    await create_roles(cluster.dsn(database=name))
    return cluster.dsn(user=ROLES["migrator"], database=name)


async def ask(dsn: str, statement: str) -> object:
    """Return the value of a statement."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def check(dsn: str, directory: Path | None = None) -> None:
    """Check the schema as the server does at its start."""
    connection = await asyncpg.connect(dsn)
    try:
        await check_schema(connection, directory)
    finally:
        await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the migrations to change."""
    return shutil.copytree(MIGRATIONS, tmp_path / "migrations")


async def test_applied_once_in_order(cluster: Cluster) -> None:
    """The first run applies all migrations in order, the second none."""
    dsn = await prepared(cluster)
    names, functions = [migration.name for migration in read_migrations()], read_functions()
    before, after = ([file.name for file in files] for files in (functions.for_tables, functions.others))
    assert await migrate(dsn) == [*before, *names, *after]
    assert await migrate(dsn) == []
    await check(dsn)
    recorded = await ask(dsn, "select array_agg(name order by version) from registry.schema_migrations")
    assert recorded == names == sorted(names)
    functions_recorded = await ask(dsn, "select array_agg(name order by name) from registry.schema_functions")
    assert functions_recorded == sorted([*before, *after])


async def test_parallel_runs_wait_for_each_other(cluster: Cluster) -> None:
    """Of six concurrent runs one applies everything, and five find nothing to do."""
    dsn = await prepared(cluster)
    applied = await asyncio.gather(*(migrate(dsn) for _ in range(6)))
    assert sorted(len(names) for names in applied) == [0] * 5 + [len(read_migrations()) + len(read_functions().all)]


async def test_an_edited_file_is_refused_by_name(cluster: Cluster, folder: Path) -> None:
    """An applied file with one more byte, even in a comment, is refused, and nothing later is applied."""
    dsn = await prepared(cluster)
    await migrate(dsn, directory=folder)
    first = folder / read_migrations()[0].name
    first.write_bytes(first.read_bytes() + b"\n")
    later = folder / f"{len(read_migrations()) + 1:04}_later.sql"
    later.write_text("create table later (id integer);")
    with pytest.raises(Unusable, match=first.name):
        await migrate(dsn, directory=folder)
    assert await ask(dsn, "select to_regclass('registry.later')") is None


async def test_an_unknown_migration_is_refused_by_name(cluster: Cluster, folder: Path) -> None:
    """A database of a newer release is refused by the migrator and by the server, and stays as it is."""
    dsn = await prepared(cluster)
    later = folder / f"{len(read_migrations()) + 1:04}_from_tomorrow.sql"
    later.write_text("create table tomorrow (id integer);")
    await migrate(dsn, directory=folder)
    for refused in (migrate, check):
        with pytest.raises(Unusable, match=later.name):
            await refused(dsn)


async def test_a_database_that_lags_is_refused_by_the_server(cluster: Cluster, folder: Path) -> None:
    """The server names the missing migration and the command that applies it."""
    dsn = await prepared(cluster)
    await migrate(dsn, directory=folder)
    last = folder / f"{len(read_migrations()) + 1:04}_last.sql"
    last.write_text("create table last (id integer);")
    with pytest.raises(Unusable, match=f"{last.name}.*consent-registry migrate"):
        await check(dsn, folder)


async def test_a_migration_that_fails_leaves_nothing(cluster: Cluster, folder: Path) -> None:
    """A failing file is rolled back, earlier files stay, and the corrected file is applied."""
    dsn = await prepared(cluster)
    await migrate(dsn, directory=folder)
    broken = folder / f"{len(read_migrations()) + 1:04}_broken.sql"
    broken.write_text("create table half (id integer); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn, directory=folder)
    assert await ask(dsn, "select to_regclass('registry.half')") is None
    assert await ask(dsn, "select count(*) from registry.schema_migrations") == len(read_migrations())
    broken.write_text("create table half (id integer);")
    assert await migrate(dsn, directory=folder) == [broken.name]


MORE = """
create or replace function registry.more() returns integer language sql as $$ select {number} $$;
call registry.set_callers('registry.more', array['{{app}}']);
"""
MAY = "select has_function_privilege('{role}', 'registry.more()', 'execute')"


async def test_functions_are_replaced_when_their_file_changes(cluster: Cluster, folder: Path) -> None:
    """A changed file of functions is applied alone, and restores the privileges that it names."""
    dsn = await prepared(cluster)
    more = folder / "functions" / "more.sql"
    more.write_text(MORE.format(number=1))
    await migrate(dsn, directory=folder)
    owner, sealer, app = (ROLES[suffix] for suffix in ("owner", "sealer", "app"))
    by_hand = f"set role {owner}; grant execute on function registry.more to {sealer}, public;"
    by_hand += f"revoke execute on function registry.more from {app}"
    connection = await asyncpg.connect(dsn)
    await connection.execute(by_hand)
    await connection.close()
    assert await migrate(dsn, directory=folder) == []
    more.write_text(MORE.format(number=2))
    assert await migrate(dsn, directory=folder) == ["functions/more.sql"]
    assert await ask(dsn, "select registry.more()") == 2
    allowed = {role: await ask(dsn, MAY.format(role=role)) for role in (*ROLES.values(), "public")}
    assert {role for role, may in allowed.items() if may} == {owner, ROLES["migrator"], app}


async def test_functions_that_fail_leave_nothing(cluster: Cluster, folder: Path) -> None:
    """Files of functions are applied all together or not at all."""
    dsn = await prepared(cluster)
    await migrate(dsn, directory=folder)
    (folder / "functions" / "more.sql").write_text(MORE.format(number=1))
    broken = folder / "functions" / "worse.sql"
    broken.write_text("select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn, directory=folder)
    assert await ask(dsn, "select to_regproc('registry.more')") is None
    await check(dsn)
    broken.unlink()
    assert await migrate(dsn, directory=folder) == ["functions/more.sql"]


async def test_functions_of_another_release_are_refused_by_the_server(cluster: Cluster, folder: Path) -> None:
    """The server names a file of functions that differs; a file that this release lacks is deleted from the record."""
    dsn = await prepared(cluster)
    (folder / "functions" / "more.sql").write_text(MORE.format(number=1))
    log = folder / "functions" / "log.sql"
    log.write_bytes(log.read_bytes() + b"\n")
    await migrate(dsn, directory=folder)
    with pytest.raises(Unusable, match=r"functions/log\.sql.*consent-registry migrate"):
        await check(dsn)
    assert await migrate(dsn) == ["functions/log.sql"]
    await check(dsn)
    assert await ask(dsn, "select count(*) from registry.schema_functions") == len(read_functions().all)


async def test_tables_may_need_functions_that_are_new(cluster: Cluster, folder: Path) -> None:
    """A function for tables is created before the numbered file that needs it, all others after it."""
    dsn = await prepared(cluster)
    await migrate(dsn, directory=folder)
    function = "create or replace function registry.{name}() returns integer language sql immutable as $$ {body} $$;"
    early, late = folder / "functions" / "for_tables" / "early.sql", folder / "functions" / "late.sql"
    early.write_text(function.format(name="early", body="select 1"))
    late.write_text(function.format(name="late", body="select number from registry.later"))
    later = folder / f"{len(read_migrations()) + 1:04}_later.sql"
    later.write_text("create table later (number integer default registry.early());")
    names = ["functions/for_tables/early.sql", later.name, "functions/late.sql"]
    assert await migrate(dsn, directory=folder) == names


@pytest.mark.parametrize("name", ["0099_gap.sql", "12_short.sql", "0003-dash.sql", "0003_Big.sql"])
def test_names_that_are_none_are_refused(folder: Path, name: str) -> None:
    """File names need four digits without a gap, and a slug of small letters, digits and underscores."""
    (folder / name).write_text("select 1;")
    with pytest.raises(Unusable):
        read_migrations(folder)


async def test_the_migrator_is_no_superuser(cluster: Cluster) -> None:
    """The migrator migrates a database without superuser rights, and the owner owns everything created."""
    dsn = await prepared(cluster)
    assert await ask(dsn, "select current_setting('is_superuser')") == "off"
    await migrate(dsn)
    owners = (
        "select array_agg(distinct relowner::regrole::text) from pg_class where relnamespace = 'registry'::regnamespace"
    )
    assert await ask(dsn, owners) == [ROLES["owner"]]


@pytest.mark.system
async def test_migrates_postgresql_15(debian_15: Cluster) -> None:
    """The same files apply to the oldest version that is supported."""
    await empty_database(debian_15, "oldest")
    dsn = debian_15.dsn(user=ROLES["app"], database="oldest")
    await check(dsn)
    assert str(await ask(dsn, "show server_version")).startswith("15.")
