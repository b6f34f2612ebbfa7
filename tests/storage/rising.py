"""Attack tools: objects in pg_temp that replace what a SECURITY DEFINER function names, so that a login becomes the
owner.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.installation import ROLES

# Raised by the substitute when it runs as the owner, so nothing that it calls can hide that it ran.
TAKEN = "TK001"
# What each parameter is given, by its type; written so that nothing in pg_temp stands in for it here.
SAMPLES = {
    "integer": "1",
    "bigint": "1",
    "smallint": "1::smallint",
    "text": "'small'::pg_catalog.text",
    "uuid": "pg_catalog.gen_random_uuid()",
    "bytea": "'\\x7b7d'::pg_catalog.bytea",
    "timestamp with time zone": "pg_catalog.now()",
    "uuid[]": "array[pg_catalog.gen_random_uuid()]",
    "bytea[]": "array['\\x7b7d'::pg_catalog.bytea]",
    "integer[]": "array[1]",
    "bigint[]": "array[1::bigint]",
    "smallint[]": "array[1::smallint]",
    "text[]": "array['small'::pg_catalog.text]",
}
EVIL = f"""
create function pg_temp.evil() returns boolean language plpgsql as $$ begin
    if current_user = '{ROLES["owner"]}' then raise exception 'taken' using errcode = '{TAKEN}'; end if;
    return true;
end $$
"""


async def stand_in(sql: asyncpg.Connection) -> None:
    """Create in this session an object in pg_temp for every type and relation of PostgreSQL's own."""
    await sql.execute(EVIL)
    types = await sql.fetch(
        "select typname from pg_catalog.pg_type where typnamespace = 'pg_catalog'::pg_catalog.regnamespace"
        " and typtype = 'b' and typelem = 0 and typname !~ '^(pg_|_)'"
    )
    relations = await sql.fetch(
        """
        select c.relname, string_agg(a.attname, ', ' order by a.attnum) from pg_catalog.pg_class c
        join pg_catalog.pg_attribute a on a.attrelid = c.oid
        where c.relname in ('pg_class', 'pg_policy', 'pg_attribute', 'pg_constraint', 'pg_inherits', 'pg_namespace',
            'pg_proc') and (a.attnum > 0 or a.attname = 'oid')
            and a.atttypid <> 'pg_catalog.anyarray'::pg_catalog.regtype
        group by 1
        """
    )
    for name, columns in relations:
        await sql.execute(
            f"create view pg_temp.{name} as select {columns} from pg_catalog.{name} where pg_temp.evil()"  # noqa: S608
        )
    for (name,) in types:
        await sql.execute(f'create domain pg_temp."{name}" as pg_catalog."{name}" check (pg_temp.evil())')


async def call(sql: asyncpg.Connection, function: str, parameters: list[str]) -> str:
    """Call a function in a transaction that is rolled back. Returns the SQLSTATE of its error, or 00000."""
    arguments = ", ".join(SAMPLES[parameter] for parameter in parameters)
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute("set local registry.network = '1'; set local registry.partners = '{1}'")
        await sql.execute(f"select * from registry.{function}({arguments})")  # noqa: S608 - names of our own
    except asyncpg.PostgresError as error:
        return error.sqlstate or ""
    finally:
        await transaction.rollback()
    return "00000"


async def definers(sql: asyncpg.Connection) -> list[tuple[str, list[str]]]:
    """Return every SECURITY DEFINER function of the schema, with its parameter types."""
    rows = await sql.fetch(
        """
        select p.proname, array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as o (t, n)
            order by n) as parameters
        from pg_proc p where p.pronamespace = 'registry'::regnamespace and p.prosecdef order by 1, 2
        """
    )
    return [(row["proname"], row["parameters"]) for row in rows]


async def weaken(sql: asyncpg.Connection, *, path: bool, bodies: bool) -> None:
    """Weaken every function: a search path without pg_temp, or bodies that name PostgreSQL's objects
    without a schema.
    """
    for (text,) in await sql.fetch(
        "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'registry'::regnamespace"
    ):
        head, quote, rest = re.split(r"(AS \$\w+\$)", text, maxsplit=1)
        if bodies:
            rest = rest.replace("pg_catalog.", "")
        if path:
            head = head.replace("SET search_path TO 'pg_catalog', 'pg_temp'", "SET search_path TO 'pg_catalog'")
        await sql.execute(head + quote + rest)


@asynccontextmanager
async def variant(admin_dsn: str, source: str, name: str) -> AsyncIterator[None]:
    """Copy a database for the length of a block; in the copy everybody may create temporary objects."""
    admin = await asyncpg.connect(admin_dsn)
    try:
        await admin.execute(f"create database {name} template {source} strategy wal_log")
        try:
            yield
        finally:
            await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()
