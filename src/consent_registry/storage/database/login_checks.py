"""Checks that a login has no rights beyond its role. Row-level security and privileges protect against our own mistakes
only if the login is subject to both (docs/design/data-and-trust.md).
"""

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.definer_checks import require_no_escalation
from consent_registry.storage.database.roles import APP_SETTINGS
from consent_registry.storage.database.session_checks import LIMITS, find_unsafe_setting

# Role attributes that a login must not have: words for the refusal, and the cure.
_ATTRIBUTES = {
    "rolsuper": ("is a superuser", "nosuperuser"),
    "rolbypassrls": ("bypasses row-level security", "nobypassrls"),
    "rolcreaterole": ("may create roles", "nocreaterole"),
    "rolcreatedb": ("may create databases", "nocreatedb"),
    "rolreplication": ("may copy the whole server by replication", "noreplication"),
}


async def require_harmless_login(connection: asyncpg.Connection, role: str = "app") -> None:
    """Raise Unusable if the login has a powerful attribute, owns something, is a member of another role, may create
    objects or change rows, or if any login of the database could become the owner.

    `role` is the role that this program should log in as.
    """
    await _require_no_attribute(connection, role)
    await _require_no_ownership(connection, role)
    await _require_no_membership(connection, role)
    await _require_no_privilege(connection)
    await _require_no_making(connection)
    await _require_no_server_file(connection)
    await _require_no_parameter(connection)
    await require_no_escalation(connection)
    await _require_timeouts(connection)
    await _require_safe_session(connection)


async def _require_no_attribute(connection: asyncpg.Connection, role: str) -> None:
    # The session's own login counts as well: a session that a setting made another role can return to it.
    rows = await connection.fetch("select * from pg_roles where rolname in (current_user, session_user)")
    for row in rows:
        for attribute, (what, without) in _ATTRIBUTES.items():
            if row[attribute]:
                name = row["rolname"]
                raise Unusable(f"{name} {what}: log in as the {role} role, or `alter role {name} {without}`")


async def _require_no_ownership(connection: asyncpg.Connection, role: str) -> None:
    row = await connection.fetchrow(
        """
        select pg_get_userbyid(c.relowner) as name, c.relname from pg_class c
        where c.relnamespace = to_regnamespace('registry')
          and c.relowner in (select oid from pg_roles where rolname in (current_user, session_user))
        order by c.relname limit 1
        """
    )
    if row is not None:
        raise Unusable(f"{row['name']} owns registry.{row['relname']}: log in as the {role} role, which owns nothing")
    row = await connection.fetchrow(
        """
        select pg_get_userbyid(d.refobjid) as name, pg_describe_object(d.classid, d.objid, d.objsubid) as what
        from pg_shdepend d
        where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
          and d.refobjid in (select oid from pg_roles where rolname in (current_user, session_user))
          and (d.dbid = (select oid from pg_database where datname = current_database())
               or d.classid = 'pg_database'::regclass
                  and d.objid = (select oid from pg_database where datname = current_database()))
        order by 2 limit 1
        """
    )
    if row is not None:
        raise Unusable(f"{row['name']} owns the {row['what']}: log in as the {role} role, which owns nothing")


async def _require_no_membership(connection: asyncpg.Connection, role: str) -> None:
    row = await connection.fetchrow(
        """
        select m.rolname as name, string_agg(r.rolname, ', ' order by r.rolname) as others
        from pg_roles m join pg_roles r on r.oid <> m.oid and pg_has_role(m.oid, r.oid, 'member')
        where m.rolname in (current_user, session_user)
          and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
               or r.rolname like 'pg\\_%' or has_schema_privilege(r.oid, to_regnamespace('registry'), 'usage')
               or exists (select from pg_class c
                          where c.relnamespace = to_regnamespace('registry') and c.relowner = r.oid))
        group by m.rolname
        """
    )
    if row is not None:
        name = row["name"]
        raise Unusable(f"{name} is a member of {row['others']}: log in as the {role} role, or `revoke … from {name}`")


async def _require_no_privilege(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        """
        select current_user as name, c.relname, p.privilege
        from pg_class c cross join unnest(array['update', 'delete', 'truncate', 'trigger']) as p (privilege)
        where c.relnamespace = to_regnamespace('registry') and c.relkind in ('r', 'p', 'v')
          and (has_table_privilege(c.oid, p.privilege)
               or p.privilege = 'update' and has_any_column_privilege(c.oid, 'update'))
        order by c.relname, p.privilege limit 1
        """
    )
    if row is not None:
        may, table, name = row["privilege"], row["relname"], row["name"]
        raise Unusable(f"{name} may {may} registry.{table}: `revoke {may} on registry.{table} from {name}`")


async def _require_no_making(connection: asyncpg.Connection) -> None:
    """Raise Unusable for a login that may create schemas, extensions, functions or tables."""
    row = await connection.fetchrow(
        """
        select current_user as name, 'database ' || quote_ident(current_database()) as place
        where has_database_privilege(current_database(), 'create')
        union all
        select current_user, 'schema ' || quote_ident(nspname) from pg_namespace
        where nspname !~ '^pg_(toast|temp)' and has_schema_privilege(oid, 'create')
        order by 2 limit 1
        """
    )
    if row is not None:
        name, place = row["name"], row["place"]
        raise Unusable(f"{name} may make objects in {place}: `revoke create on {place} from {name}, public`")


async def _require_no_server_file(connection: asyncpg.Connection) -> None:
    """Raise Unusable for a login that may read or write the server's files by a function."""
    row = await connection.fetchrow(
        """
        select current_user as name, oid::regprocedure::text as function from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and has_function_privilege(oid, 'execute')
          and proname in ('lo_import', 'lo_export', 'pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file')
        order by 2 limit 1
        """
    )
    if row is not None:
        name, function = row["name"], row["function"]
        raise Unusable(
            f"{name} may reach the server's files by {function}: `revoke execute on function {function} from {name}, "
            "public`"
        )


async def _require_no_parameter(connection: asyncpg.Connection) -> None:
    """Raise Unusable for a login that may change a setting reserved for superusers."""
    row = await connection.fetchrow(
        """
        select current_user as name, parname, privilege from pg_parameter_acl, unnest(array['set', 'alter system'])
            as privilege
        where has_parameter_privilege(parname, privilege) order by 2, 3 limit 1
        """
    )
    if row is not None:
        name, setting, may = row["name"], row["parname"], row["privilege"]
        raise Unusable(f"{name} may {may} {setting}: `revoke {may} on parameter {setting} from {name}, public`")


async def _require_timeouts(connection: asyncpg.Connection) -> None:
    for name in LIMITS:
        if await connection.fetchval("select setting = '0' from pg_settings where name = $1", name):
            raise Unusable(
                f"{name} is 0 for this login, so a request could wait for ever: run what `consent-registry roles` "
                f"prints, which sets it to {APP_SETTINGS[name]}"
            )


async def _require_safe_session(connection: asyncpg.Connection) -> None:
    unsound = await find_unsafe_setting(connection)
    if unsound is not None:
        name, value, right = unsound
        raise Unusable(
            f"{name} is {value} for this login, so its statements would not do what they are for: "
            f"set it to {right}, with `alter role`"
        )
