"""The database roles, and the SQL with which a database administrator creates them (docs/design/data-and-trust.md).

Roles are cluster-wide, so their names have a configurable prefix. The owner owns everything and cannot log in. The
migrator becomes the owner to change the schema and is no superuser. The application can only read and insert.
"""

import re

ROLE_SUFFIXES = ("owner", "migrator", "app", "sealer", "eraser", "auditor", "backup")
LOGIN_SUFFIXES = ("migrator", "app", "sealer", "eraser", "auditor", "backup")
DEFAULT_PREFIX = "consent_registry"
# Matches a setting in pg_proc.proconfig: a search_path that names pg_temp once, and last. Otherwise PostgreSQL searches
# pg_temp first for relations and types (PostgreSQL manual, "Writing SECURITY DEFINER Functions Safely").
LOOKS_IN_PG_TEMP_LAST = r"^search_path=(?!.*pg_temp.*pg_temp)(.*, *)?\"?pg_temp\"?$"

# Each session of the application waits until its commit is on disk, and limits its waits for locks and statements: a
# request that cannot be recorded in time gets 503 and never hangs.
APP_SETTINGS = {
    "synchronous_commit": "on",
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "search_path": "registry",
    "timezone": "UTC",
    "jit": "off",
}
# The sealer may wait longer, because nobody waits for it. What it writes must be on disk before it signs.
SEALER_SETTINGS = APP_SETTINGS | {"lock_timeout": "5s", "statement_timeout": "30s"}
# An erasure is rare and waits longer for its client's lock. Its commit must be on disk, like every other.
ERASER_SETTINGS = {
    "synchronous_commit": "on",
    "lock_timeout": "10s",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "1min",
    "search_path": "registry",
    "timezone": "UTC",
}


def role_names(prefix: str = DEFAULT_PREFIX) -> dict[str, str]:
    """The role names of an installation, by suffix. Raises ValueError for a prefix that is no plain SQL identifier."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", prefix):
        message = f"role prefix {prefix!r} must match [a-z][a-z0-9_]{{0,40}}"
        raise ValueError(message)
    return {suffix: f"{prefix}_{suffix}" for suffix in ROLE_SUFFIXES}


def roles_sql(prefix: str = DEFAULT_PREFIX) -> str:
    """The SQL for a database administrator: roles, their settings and the empty schema `registry`. It can be run again.

    It sets no passwords: the administrator runs `alter role … password …` in a session of its own.
    """
    names = role_names(prefix)
    statements = [_create_role(name, login=suffix in LOGIN_SUFFIXES) for suffix, name in names.items()]
    statements += [
        # Since PostgreSQL 16 only a member may give objects to a role; harmless before.
        f"grant {names['owner']} to current_user;",
        f"grant {names['owner']} to {names['migrator']};",
        f"create schema if not exists registry authorization {names['owner']};",
        "revoke all on schema public from public;",
        f"alter role {names['migrator']} set search_path = registry;",
        f"alter role {names['migrator']} set timezone = 'UTC';",
    ]
    statements += _take_away(names)
    for suffix, settings in (("app", APP_SETTINGS), ("sealer", SEALER_SETTINGS), ("eraser", ERASER_SETTINGS)):
        statements += [f"alter role {names[suffix]} set {name} = '{value}';" for name, value in settings.items()]
    return "\n".join(statements) + "\n"


def _take_away(names: dict[str, str]) -> list[str]:
    """The SQL that revokes from every login the right to create temporary objects, schemas, extensions and large
    objects, and that repairs SECURITY DEFINER functions of the registry which search pg_temp first.

    If the administrator may not revoke something, PostgreSQL warns and the script continues; the start checks then
    refuse.
    """
    logins = ", ".join(["public", *(names[suffix] for suffix in LOGIN_SUFFIXES)])
    return [
        _TAKE_DATABASE.format(logins=logins),
        _TAKE_LARGE_OBJECTS.format(logins=logins),
        _MEND_DEFINERS.format(owner=names["owner"], last=LOOKS_IN_PG_TEMP_LAST),
    ]


_TAKE_DATABASE = (
    "do $$ begin execute format('revoke temporary, create on database %I from {logins}', current_database()); end $$;"
)
# Row-level security and erasure do not cover large objects.
_TAKE_LARGE_OBJECTS = """do $$ declare one regprocedure; begin
  for one in select p.oid from pg_proc p
      where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ '^(lo_|loread$|lowrite$)'
      and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0) loop
    execute format('revoke execute on function %s from {logins}', one);
  end loop;
end $$;"""
_MEND_DEFINERS = """do $$ declare one regprocedure; begin
  for one in select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosecdef and (n.nspname = 'registry' or p.proowner = '{owner}'::regrole)
      and not exists (select from unnest(p.proconfig) as s where s ~ '{last}') loop
    execute format('alter routine %s set search_path = pg_catalog, pg_temp', one);
  end loop;
end $$;"""


def _create_role(name: str, *, login: bool) -> str:
    kind = "login" if login else "nologin"
    return (
        f"do $$ begin create role {name} {kind} nosuperuser nobypassrls nocreatedb nocreaterole; "
        "exception when duplicate_object then null; end $$;"
    )
