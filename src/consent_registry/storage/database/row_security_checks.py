"""Checks that every tenant table and partition still has the row-level security that the migrations gave it."""

import asyncpg

from consent_registry.domain.errors import Unusable

_TENANT_TABLES = """
    select c.oid, c.relname, c.relispartition, c.relrowsecurity, c.relforcerowsecurity
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'network_id' and not a.attisdropped
    where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'networks'
"""
# PostgreSQL's text of `network_id = (select registry.current_network())`, alone or followed by `and`. With an `or`
# outside, the text begins with another bracket.
_NETWORK = r"\(network_id = \( SELECT (registry\.)?current_network\(\) AS current_network\)\)"
_ASKS_FOR_NETWORK = rf"^({_NETWORK}$|\({_NETWORK} AND )"


async def require_row_security(connection: asyncpg.Connection) -> None:
    """Raise Unusable unless every tenant table forces row-level security with policies that compare the network."""
    await _require_forced(connection)
    await _require_policies(connection)
    await _require_network_in_policies(connection)


async def _require_forced(connection: asyncpg.Connection) -> None:
    table = await connection.fetchval(
        f"""
        with tables as ({_TENANT_TABLES})
        select relname from tables where not (relrowsecurity and relforcerowsecurity) order by relname limit 1
        """  # noqa: S608 - both parts are written here
    )
    if table is not None:
        raise Unusable(
            f"row-level security is not forced on {table}: `alter table registry.{table} enable row level security, "
            "force row level security`"
        )


async def _require_policies(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        f"""
        with tables as ({_TENANT_TABLES})
        select t.relname, kind.name
        from tables t cross join (values ('select', 'r'), ('insert', 'a')) as kind (name, letter)
        where not t.relispartition and has_table_privilege(t.oid, kind.name) and not exists (
            select from pg_policy p
            where p.polrelid = t.oid and p.polpermissive and p.polcmd::text in (kind.letter, '*')
              and p.polroles && array[0, current_user::regrole]::oid[])
        order by 1, 2 limit 1
        """  # noqa: S608 - both parts are written here
    )
    if row is not None:
        raise Unusable(
            f"registry.{row['relname']} has no policy for {row['name']}: make it again as the migration that made the "
            "table says"
        )


async def _require_network_in_policies(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        f"""
        with tables as ({_TENANT_TABLES})
        select t.relname, p.polname
        from tables t
        join pg_policy p on p.polrelid = t.oid and p.polpermissive
        where p.polroles && array[0, current_user::regrole]::oid[]
          and not coalesce(pg_get_expr(p.polqual, p.polrelid) ~ $1, true)
           or p.polroles && array[0, current_user::regrole]::oid[]
          and not coalesce(pg_get_expr(p.polwithcheck, p.polrelid) ~ $1, true)
        order by 1, 2 limit 1
        """,  # noqa: S608 - both parts are written here
        _ASKS_FOR_NETWORK,
    )
    if row is not None:
        table, policy = row["relname"], row["polname"]
        raise Unusable(
            f"policy {policy} on registry.{table} does not ask for the network: `drop policy {policy} on "
            f"registry.{table}`"
        )
