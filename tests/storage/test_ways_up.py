"""No login becomes the owner: the attack is tried for each login and each SECURITY DEFINER function, on both PostgreSQL
versions, with each defence alone, and with none (the control), where it succeeds.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.errors import CannotRecord, Unusable
from consent_registry.process.postgres.cluster import Cluster
from consent_registry.storage.database.database import open_pool, session
from consent_registry.storage.database.migrations import migrate
from consent_registry.storage.database.roles import LOOKS_IN_PG_TEMP_LAST, roles_sql
from consent_registry.storage.database.session_checks import LIMITS, REQUIRED
from consent_registry.storage.oversight.table_check import open_snapshot
from consent_registry.storage.start_checks import require_safe, require_safe_for_erasing, require_safe_for_sealing
from tests.cli.dangers import DANGERS, WAYS_UP, Danger
from tests.storage.rising import EVIL, TAKEN, call, definers, stand_in, variant, weaken
from tests.support.installation import ROLES, empty_database

SOURCE = "ways_up"
OWNED = "ways_up_owned"
LOGINS = ("app", "sealer", "eraser", "auditor", "backup")
REFUSED = asyncpg.InsufficientPrivilegeError
# A type or a relation of PostgreSQL's own that a body names without its schema.
BARE = re.compile(
    r"(?:::|\n\s+\w+ )(?:uuid|jsonb|text|regclass|regnamespace|timestamptz|date|bytea|record)\b"
    r"|(?<![.\w])pg_(?:class|policy|attribute|constraint|inherits|namespace|proc)\b"
)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="session",
    params=["cluster", pytest.param("debian_15", marks=pytest.mark.system)],
    ids=["embedded 18", "debian 15"],
)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """Give a server with a migrated database."""
    cluster: Cluster = request.getfixturevalue(request.param)
    await empty_database(cluster, SOURCE)
    yield cluster


@asynccontextmanager
async def connected(server: Cluster, role: str, database: str = SOURCE) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection as one of the roles, or as `postgres`."""
    connection = await asyncpg.connect(server.dsn(user=ROLES.get(role, role), database=database))
    try:
        yield connection
    finally:
        await connection.close()


async def fallen(server: Cluster, *, path: bool, bodies: bool) -> set[tuple[str, str]]:
    """Attack every SECURITY DEFINER function as every login that may create temporary objects, with these defects.
    Returns the functions through which a login's own code ran as the owner.
    """
    found = set()
    async with variant(server.dsn(), SOURCE, "ways_up_weak"):
        async with connected(server, "postgres", "ways_up_weak") as admin:
            await admin.execute(
                "create function registry.careless(p_any integer) returns date language plpgsql security definer"
                " set search_path = pg_catalog, pg_temp"
                " as $$ declare day pg_catalog.date := now(); begin return day; end $$;"
                f"alter function registry.careless owner to {ROLES['owner']}"
            )
            await weaken(admin, path=path, bodies=bodies)
            functions = await definers(admin)
        for role in LOGINS:
            async with connected(server, role, "ways_up_weak") as login:
                await stand_in(login)
                for name, parameters in functions:
                    if await call(login, name, parameters) == TAKEN:
                        found.add((role, name))
    return found


async def test_with_no_defence_logins_become_the_owner(server: Cluster) -> None:
    """Control: with TEMPORARY granted, no pg_temp in the search path and bare names in the bodies, logins become the
    owner.
    """
    found = await fallen(server, path=True, bodies=True)
    for role in ("app", "sealer", "eraser", "auditor"):
        assert (role, "careless") in found, role
    assert {("app", "make_event_partitions"), ("eraser", "survey_clients"), ("eraser", "erase_clients")} <= found
    assert not [role for role, _ in found if role == "backup"]  # it may not even enter the schema


@pytest.mark.parametrize("left", ["path", "bodies"])
async def test_each_defence_holds_alone(server: Cluster, left: str) -> None:
    """With TEMPORARY granted, a search path with pg_temp last stops the attack alone, and so do qualified names in the
    bodies.
    """
    assert await fallen(server, path=left != "path", bodies=left != "bodies") == set()


@pytest.mark.parametrize("role", LOGINS)
async def test_no_login_makes_anything_temporary(server: Cluster, role: str) -> None:
    """In an installation no login can create temporary objects."""
    async with connected(server, role) as login:
        for statement in (
            EVIL,
            "create domain pg_temp.date as pg_catalog.date",
            "create temporary table pg_class (oid integer)",
            "create temporary view pg_inherits as select 1 as inhrelid",
            "create temporary sequence numbers",
        ):
            with pytest.raises(REFUSED):
                await login.execute(statement)


async def test_every_definer_looks_in_pg_temp_last(server: Cluster) -> None:
    """Every SECURITY DEFINER function searches pg_temp last, and qualifies every type and relation of
    PostgreSQL's own.
    """
    async with connected(server, "postgres") as admin:
        rows = await admin.fetch(
            "select p.oid::regprocedure::text, coalesce(proconfig, '{}'), prosrc, prosecdef from pg_proc p"
            " where pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        )
    definer = [row for row in rows if row["prosecdef"]]
    assert len(definer) > 20
    for name, settings, _, _ in definer:
        assert any(re.match(LOOKS_IN_PG_TEMP_LAST, setting) for setting in settings), name
    for name, _, body, _ in rows:
        assert BARE.findall(re.sub(r"--.*|'[^']*'", "", body)) == [], name


async def test_what_else_would_lead_up_is_closed(server: Cluster) -> None:
    """No login can create schemas, extensions, functions, tables or large objects, become another role, switch triggers
    off or reach the server's files; functions that build statements from text are the owner's.
    """
    statements = [
        "create schema mine",
        "create extension hstore schema public",
        "create function public.mine() returns integer language sql as 'select 1'",
        "create table public.mine ()",
        "create table registry.mine ()",
        "create type registry.mine as enum ()",
        "create event trigger mine on ddl_command_end execute function registry.refuse_change()",
        "create publication mine for all tables",
        f"set role {ROLES['owner']}",
        f"set session authorization {ROLES['owner']}",
        "set session_replication_role = replica",
        f"alter default privileges for role {ROLES['owner']} grant update on tables to public",
        f"alter role {ROLES['owner']} login",
        "alter table registry.events disable trigger all",
        "select lo_create(0)",
        "select lo_creat(-1)",
        "select lo_from_bytea(0, 'x')",
        "select lo_open(1, 131072)",
        "select lo_import('/etc/passwd')",
        "select pg_read_file('/etc/passwd')",
        "copy registry.networks to program 'cat'",
        "copy registry.networks to '/tmp/networks'",
        "select registry.make_removable('leaves')",
        "select registry.removal_rule('leaves')",
        "select registry.remove_rows(1, '{}', '{}', '{}', '{}')",
        "do language plpython3u 'pass'",
    ]
    for role in LOGINS:
        async with connected(server, role) as login:
            for statement in statements:
                try:
                    await login.execute(statement)
                except (REFUSED, asyncpg.UndefinedObjectError):
                    continue
                pytest.fail(f"{role} may {statement}")


async def test_every_function_on_large_objects_is_closed(server: Cluster) -> None:
    """No login may call any function on large objects, found in PostgreSQL's catalogue."""
    async with connected(server, "postgres") as admin:
        names = await admin.fetch(
            "select oid, proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace"
            " and proname ~ '^(lo_|loread$|lowrite$)'"
        )
        assert len(names) >= 15
        for oid, name in names:
            for role in (*LOGINS, "migrator"):
                may = await admin.fetchval("select has_function_privilege($1, $2::oid, 'execute')", ROLES[role], oid)
                assert not may, (role, name)


async def test_the_roles_script_mends_an_installation(server: Cluster) -> None:
    """Run again by an administrator who is no superuser, the roles script revokes TEMPORARY, repairs SECURITY DEFINER
    functions and revokes what it may.
    """
    async with (
        variant(server.dsn(), SOURCE, OWNED),
        connected(server, "postgres", OWNED) as admin,
    ):
        await weaken(admin, path=True, bodies=False)
        await admin.execute("create role custodian login createrole nosuperuser")
        try:
            await admin.execute(f"alter database {OWNED} owner to custodian")
            await admin.execute("alter schema public owner to custodian")
            for name in ROLES.values():
                await admin.execute(f"grant {name} to custodian with admin option")
            await admin.execute(f"grant temporary on database {OWNED} to {ROLES['app']}")
            async with connected(server, "custodian", OWNED) as custodian:
                await custodian.execute(roles_sql())
            for role in LOGINS:
                assert not await admin.fetchval(
                    "select has_database_privilege($1, current_database(), 'temporary')", ROLES[role]
                )
            unsafe = await admin.fetch(
                "select proname from pg_proc where pronamespace = 'registry'::regnamespace and prosecdef"
                " and not exists (select from unnest(proconfig) as s where s ~ $1)",
                LOOKS_IN_PG_TEMP_LAST,
            )
            assert unsafe == []
        finally:
            await admin.execute("reassign owned by custodian to postgres; drop owned by custodian; drop role custodian")


def shown(line: str) -> re.Pattern[str]:
    """Return a pattern for a line in which `…` matches anything."""
    return re.compile(".+".join(re.escape(part) for part in line.split("…")))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mended(server: Cluster) -> AsyncIterator[str]:
    """Give the name of a copy in which the roles script was run; a test that alters it repairs it."""
    name = "ways_up_mended"
    async with variant(server.dsn(), SOURCE, name):
        async with connected(server, "postgres", name) as admin:
            await admin.execute(roles_sql())
        yield name


@pytest.mark.parametrize("danger", [pytest.param(way, id=way.name.replace(" ", "-")) for way in WAYS_UP])
async def test_a_way_up_is_refused(server: Cluster, mended: str, danger: Danger) -> None:
    """The server refuses to start with any way to become the owner, in one line with the cure; after the cure it
    starts.
    """
    names = ROLES | {"db": mended}
    dsn = server.dsn(user=ROLES["app"], database=mended)
    await require_safe(dsn, demonstration=False)
    async with connected(server, "postgres", mended) as admin:
        try:
            for statement in danger.sql:
                await admin.execute(statement.format(**names))
            with pytest.raises(Unusable) as refused:
                await require_safe(dsn, demonstration=False)
        finally:
            for statement in danger.undo:
                await admin.execute(statement.format(**names))
            await admin.execute(roles_sql())
    assert shown(danger.line).fullmatch(str(refused.value)), refused.value
    await require_safe(dsn, demonstration=False)


@pytest.mark.parametrize(
    "statement",
    [
        "alter function registry.make_event_partitions(integer, bigint) set search_path = pg_catalog",
        "grant temporary on database {db} to {auditor}",
    ],
)
async def test_migrate_and_every_login_refuse_it_until_the_script_was_run(
    server: Cluster, mended: str, statement: str
) -> None:
    """The migrator, the sealer, the eraser and the auditor refuse what the server refuses, until the roles script was
    run.
    """
    starts: dict[str, Callable[[str], Awaitable[object]]] = {
        "migrator": migrate,
        "sealer": require_safe_for_sealing,
        "eraser": require_safe_for_erasing,
        "auditor": look,
    }
    async with connected(server, "postgres", mended) as admin:
        for role, start in starts.items():
            await start(server.dsn(user=ROLES[role], database=mended))
        await admin.execute(statement.format(**ROLES, db=mended))
        for role, start in starts.items():
            with pytest.raises(Unusable, match="run what `consent-registry roles` prints once more"):
                await start(server.dsn(user=ROLES[role], database=mended))
        await admin.execute(roles_sql())
        for role, start in starts.items():
            await start(server.dsn(user=ROLES[role], database=mended))


async def look(dsn: str) -> None:
    """Open the database as the auditor's verbs do."""
    async with open_snapshot(dsn):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "0") for name in LIMITS),
        ("synchronous_commit", "off"),
        ("search_path", "public"),
        ("row_security", "off"),
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
        ("transform_null_equals", "on"),
        ("array_nulls", "off"),
        ("standard_conforming_strings", "off"),
        ("timezone", "CET"),
    ],
)
async def test_what_a_login_sets_on_itself_is_seen_at_its_next_connection(
    server: Cluster, mended: str, name: str, value: str
) -> None:
    """After the application's login changes its own setting, no new connection with it is used."""
    dsn, altered = server.dsn(user=ROLES["app"], database=mended), f"alter role {ROLES['app']} in database {mended}"
    pool = await open_pool(dsn, 1)
    async with connected(server, "app", mended) as login:
        try:
            assert await pool.fetchval("select 1") == 1
            await login.execute(f"{altered} set {name} = '{value}'")
            await pool.expire_connections()
            with pytest.raises(CannotRecord):
                await pool.fetchval("select 1")
            with pytest.raises(CannotRecord):
                async with session(dsn):
                    pass
        finally:
            await login.execute(f"{altered} reset all")
            await pool.close()


def test_every_required_setting_is_tried() -> None:
    """Every required setting has a test with a dangerous value."""
    tried = {danger.name.split()[0] for danger in DANGERS} | {"lock_timeout"}
    assert set(REQUIRED) <= tried
