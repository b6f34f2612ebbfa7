"""The database roles and what a database administrator runs once to make them (design.md section 8).

Roles are cluster-wide, so their names carry a configurable prefix. The owner owns everything and cannot log in; the
migrator becomes the owner to change the schema and is no superuser; the application can read and add, nothing else.
"""

import re

ROLE_SUFFIXES = ("owner", "migrator", "app", "sealer", "eraser", "auditor", "backup")
LOGIN_SUFFIXES = ("migrator", "app", "sealer", "eraser", "auditor", "backup")
DEFAULT_PREFIX = "consent_registry"

# Every session of the application waits for its commit to reach the disk, and waits for locks and statements only so
# long: a request that cannot be recorded in time is answered 503, never kept hanging.
APP_SETTINGS = {
    "synchronous_commit": "on",
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "search_path": "registry",
    "timezone": "UTC",
    "jit": "off",
}
# The sealer may wait longer, because nobody waits for it; what it writes must be on disk before it signs.
SEALER_SETTINGS = APP_SETTINGS | {"lock_timeout": "5s", "statement_timeout": "30s"}
# Erasing is rare and waits longer for its client; like every other commit its own is on the disk before it counts.
ERASER_SETTINGS = {
    "synchronous_commit": "on",
    "lock_timeout": "10s",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "1min",
    "search_path": "registry",
    "timezone": "UTC",
}


def role_names(prefix: str = DEFAULT_PREFIX) -> dict[str, str]:
    """The role names of one installation by suffix; raises ValueError for a prefix that is no plain SQL identifier."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", prefix):
        message = f"role prefix {prefix!r} must match [a-z][a-z0-9_]{{0,40}}"
        raise ValueError(message)
    return {suffix: f"{prefix}_{suffix}" for suffix in ROLE_SUFFIXES}


def roles_sql(prefix: str = DEFAULT_PREFIX) -> str:
    """SQL for a database administrator: roles, their settings and the empty schema `registry`. Can be run again.

    Passwords are not set here: `alter role … password …` is the administrator's, in a session of its own.
    """
    names = role_names(prefix)
    statements = [_create_role(name, login=suffix in LOGIN_SUFFIXES) for suffix, name in names.items()]
    statements += [
        # Since PostgreSQL 16 only a member may hand objects to a role; harmless before.
        f"grant {names['owner']} to current_user;",
        f"grant {names['owner']} to {names['migrator']};",
        f"create schema if not exists registry authorization {names['owner']};",
        "revoke all on schema public from public;",
        f"alter role {names['migrator']} set search_path = registry;",
        f"alter role {names['migrator']} set timezone = 'UTC';",
    ]
    for suffix, settings in (("app", APP_SETTINGS), ("sealer", SEALER_SETTINGS), ("eraser", ERASER_SETTINGS)):
        statements += [f"alter role {names[suffix]} set {name} = '{value}';" for name, value in settings.items()]
    return "\n".join(statements) + "\n"


def _create_role(name: str, *, login: bool) -> str:
    kind = "login" if login else "nologin"
    return (
        f"do $$ begin create role {name} {kind} nosuperuser nobypassrls nocreatedb nocreaterole; "
        "exception when duplicate_object then null; end $$;"
    )
