"""Reads the schema `registry` of a database as one SQL text, the same on every supported version of PostgreSQL.

People read the text and a test compares it. It is made from `pg_catalog`, because `pg_dump` is not installed everywhere
and its output depends on the version. An object of a kind that the reader does not know is an error, so nothing is
missing.
"""

import re
from collections.abc import AsyncIterator

import asyncpg

from consent_registry.storage.database.roles import DEFAULT_PREFIX, role_names
from tools.schema import statements

HEAD = """\
-- Written by `make schema` from a database that has every file of this folder applied; a test compares both.
-- To be read, and to be compared in a review: never applied, never edited. The reasons are in the files themselves.
-- {app}, {owner} and the like are the roles of an installation. Everything here is {owner}'s.
"""
_VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}
_PARALLEL = {"s": "parallel safe", "r": "parallel restricted", "u": ""}
_STORAGE = {"p": "plain", "e": "external", "x": "extended", "m": "main"}
_USUAL_COST = 100.0
_USUAL_ROWS = 1000.0


class UnknownObjectError(Exception):
    """The schema has an object that the text would not show."""


async def read_schema(connection: asyncpg.Connection, prefix: str = DEFAULT_PREFIX) -> str:
    """Read the whole schema as text, with an administrator's or the owner's login; raises UnknownObjectError."""
    async with connection.transaction():
        # With an empty search path PostgreSQL writes every name with its schema.
        await connection.execute("set local search_path = pg_catalog")
        unknown = await connection.fetch(statements.UNKNOWN)
        if unknown:
            raise UnknownObjectError(", ".join(row[0] for row in unknown))
        parts = [HEAD, await _schema(connection)]
        relations = await connection.fetch(statements.RELATIONS, statements.MONTH)
        parts += [await _relation(connection, relation) for relation in relations]
        parts.append(await _months(connection))
        parts += [_function(row) for row in await connection.fetch(statements.FUNCTIONS)]
    return _without_names("\n".join(part for part in parts if part), prefix)


def _without_names(text: str, prefix: str) -> str:
    """Replace the names of roles by `{app}` and the like."""
    suffixes = {name: suffix for suffix, name in role_names(prefix).items()}
    names = "|".join(sorted(map(re.escape, suffixes), key=len, reverse=True))
    return re.sub(rf'(?<![\w.])"?({names})"?(?!\w)', lambda match: f"{{{suffixes[match[1]]}}}", text)


async def _schema(connection: asyncpg.Connection) -> str:
    rows = await connection.fetch(statements.SCHEMA)
    return "".join(f"grant {row['privilege'].lower()} on schema registry to {row['grantee']};\n" for row in rows)


async def _relation(connection: asyncpg.Connection, relation: asyncpg.Record) -> str:
    name, oid = relation["name"], relation["oid"]
    if relation["kind"] == "v":
        lines = [f"create view registry.{name} with ({relation['options']}) as {await _view(connection, oid)}"]
    else:
        lines = [await _table(connection, relation)]
        indices = await connection.fetch(statements.INDICES, oid)
        lines += [f"{row['definition']}{'' if row['valid'] else ' -- NOT VALID'};" for row in indices]
    lines += [line async for line in _guards(connection, relation)]
    return "\n".join(lines) + "\n"


async def _view(connection: asyncpg.Connection, oid: int) -> str:
    """A view's query in one line. Up to version 15 PostgreSQL writes each column with its table."""
    query = re.sub(r"\s+", " ", await connection.fetchval(statements.VIEW, oid)).strip()
    shown, start, rest = query.partition(" FROM ")
    return re.sub(r"\b\w+\.", "", shown) + start + rest


async def _table(connection: asyncpg.Connection, relation: asyncpg.Record) -> str:
    name, oid = relation["name"], relation["oid"]
    if relation["is_partition"]:
        parent = await connection.fetchval("select inhparent::regclass::text from pg_inherits where inhrelid = $1", oid)
        return f"create table registry.{name} partition of {parent} {relation['bound']};"
    inside = [_column(row) for row in await connection.fetch(statements.COLUMNS, oid)]
    constraints = await connection.fetch(statements.CONSTRAINTS, oid)
    inside += [f"constraint {row['name']} {row['definition']}" for row in constraints]
    key = f" partition by {relation['partition_key']}" if relation["partition_key"] else ""
    options = f" with ({relation['options']})" if relation["options"] else ""
    return f"create table registry.{name} (\n" + ",\n".join(f"    {line}" for line in inside) + f"\n){key}{options};"


def _column(row: asyncpg.Record) -> str:
    words = [row["name"], row["type"]]
    if row["collation"] is not None:
        words.append(f'collate "{row["collation"]}"')
    if row["storage"] is not None:
        words.append(f"storage {_STORAGE[row['storage']]}")
    if row["required"]:
        words.append("not null")
    if row["value"] is not None:
        words.append(f"default {row['value']}")
    if row["made"]:
        words.append(f"generated {row['made']}")
    if row["privileges"] is not None:
        words.append(f"privileges {row['privileges']}")
    return " ".join(words)


async def _guards(connection: asyncpg.Connection, relation: asyncpg.Record) -> AsyncIterator[str]:
    """Yield a line for each policy, trigger and privilege of a relation, and for its row-level security."""
    name, oid = relation["name"], relation["oid"]
    if relation["secured"]:
        yield f"alter table registry.{name} enable row level security;"
    if relation["forced"]:
        yield f"alter table registry.{name} force row level security;"
    for row in await connection.fetch(statements.POLICIES, oid):
        kind = "" if row["permissive"] else " as restrictive"
        using = f" using {row['rule']}" if row["rule"] is not None else ""
        check = f" with check {row['written']}" if row["written"] is not None else ""
        roles = ", ".join(row["roles"])
        yield f"create policy {row['name']} on registry.{name}{kind} for {row['command']} to {roles}{using}{check};"
    for row in await connection.fetch(statements.TRIGGERS, oid):
        yield f"{row['definition']};{'' if row['enabled'] == 'O' else ' -- ' + row['enabled']}"
    for row in await connection.fetch(statements.PRIVILEGES, oid):
        yield f"grant {row['privileges']} on registry.{name} to {row['grantee']};"


async def _months(connection: asyncpg.Connection) -> str:
    rows = await connection.fetch(statements.MONTHS, statements.MONTH)
    return "".join(f"-- partitions events_YYYYMM, each of them: {row[0]}\n" for row in rows)


def _function(row: asyncpg.Record) -> str:
    kind = "procedure" if row["kind"] == "p" else "function"
    result = "" if row["result"] is None else f" returns {row['result']}"
    how = [f"language {row['language']}", _VOLATILITY[row["volatility"]], _PARALLEL[row["parallel"]]]
    how += ["strict"] * row["strict"] + ["leakproof"] * row["leakproof"] + ["security definer"] * row["definer"]
    if row["cost"] != _USUAL_COST:
        how.append(f"cost {row['cost']:g}")
    if row["many"] and row["rows"] != _USUAL_ROWS:
        how.append(f"rows {row['rows']:g}")
    how += [f"set {setting}" for setting in row["settings"] or ()]
    callers = "everybody" if row["everybody"] else ", ".join(row["callers"]) or "nobody"
    return (
        f"create {kind} registry.{row['name']}({row['arguments']}){result}\n"
        f"    {' '.join(filter(None, how))}\n    as $${row['body']}$$;\n"
        f"-- called by: {callers}\n"
    )
