"""Checks that no login can become the owner of every table through a SECURITY DEFINER function.

PostgreSQL searches pg_temp first for relations and types, unless the function's search_path names it last. A login that
may create temporary objects could create a type of the same name there, whose check would run as the owner.
"""

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.roles import LOOKS_IN_PG_TEMP_LAST

# The logins that are no members of the owner: this installation's, known by the schema's owner, and all others that may
# enter the schema. Superusers are left out: they need no escalation, and no program runs as one.
_LOGINS = """
    select r.oid, r.rolname from pg_roles r, pg_namespace n join pg_roles o on o.oid = n.nspowner
    where n.nspname = 'registry' and not r.rolsuper and not pg_has_role(r.oid, o.oid, 'member') and (
        r.rolname in (select regexp_replace(o.rolname, 'owner$', '') || suffix
            from unnest(array['app', 'sealer', 'eraser', 'auditor', 'backup']) as suffix)
        or r.rolcanlogin and has_schema_privilege(r.oid, n.oid, 'usage'))
"""
_ONCE_MORE = "run what `consent-registry roles` prints once more"


async def require_no_escalation(connection: asyncpg.Connection) -> None:
    """Raise Unusable if a SECURITY DEFINER function does not search pg_temp last, or a login may create temporary
    objects. Checks all logins of the database, not only the caller's.
    """
    await _require_pg_temp_last(connection)
    await _require_nothing_temporary(connection)


async def _require_pg_temp_last(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        f"""
        select p.oid::regprocedure::text as function, n.nspname = 'registry' or p.proowner = (
            select nspowner from pg_namespace where nspname = 'registry') as is_ours
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
          and not exists (select from unnest(p.proconfig) as s where s ~ $1)
          and (n.nspname = 'registry' or p.proowner = (select nspowner from pg_namespace where nspname = 'registry')
               or exists (select from ({_LOGINS}) l where has_schema_privilege(l.oid, n.oid, 'usage')
                          and has_function_privilege(l.oid, p.oid, 'execute')))
        order by 2 desc, 1 limit 1
        """,  # noqa: S608 - both parts are written here
        LOOKS_IN_PG_TEMP_LAST,
    )
    if row is not None and row["is_ours"]:
        raise Unusable(f"{row['function']} runs as its owner and does not look in pg_temp last: {_ONCE_MORE}")
    if row is not None:
        name = row["function"]
        raise Unusable(
            f"{name} runs as its owner and does not look in pg_temp last: `alter routine {name} set search_path = …, "
            f"pg_temp`, or `revoke execute on routine {name} from public`"
        )


async def _require_nothing_temporary(connection: asyncpg.Connection) -> None:
    name = await connection.fetchval(
        f"""
        select l.rolname from ({_LOGINS}) l
        where has_database_privilege(l.oid, current_database(), 'temporary') order by 1 limit 1
        """  # noqa: S608 - both parts are written here
    )
    if name is not None:
        raise Unusable(f"{name} may make temporary objects, which could stand in for the registry's: {_ONCE_MORE}")
