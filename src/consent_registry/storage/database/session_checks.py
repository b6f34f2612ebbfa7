"""Checks the settings of each new session. A login may change its own defaults (`alter role … set`), so the check runs
for every connection.
"""

from collections.abc import Mapping
from types import MappingProxyType

import asyncpg
from asyncpg.pool import PoolConnectionProxy

# With these values of synchronous_commit, COMMIT is answered only after the record is on disk.
DURABLE_COMMIT = frozenset({"on", "remote_apply"})
# With other values a record could be lost, a protection be off, or a statement have another meaning.
REQUIRED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "synchronous_commit": DURABLE_COMMIT,
        "search_path": frozenset({"registry"}),
        "row_security": frozenset({"on"}),
        "session_replication_role": frozenset({"origin"}),
        "default_transaction_read_only": frozenset({"off"}),
        "default_transaction_isolation": frozenset({"read committed"}),
        "transform_null_equals": frozenset({"off"}),
        "array_nulls": frozenset({"on"}),
        "standard_conforming_strings": frozenset({"on"}),
        "timezone": frozenset({"UTC"}),
    }
)
# 0 means no limit. The migrator has none, because migrations take as long as they take.
LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


async def find_unsafe_setting(connection: asyncpg.Connection | PoolConnectionProxy) -> tuple[str, str, str] | None:
    """The first unsafe setting of this session: its name, its value and the value to set; None if all are safe. A
    session that acts as another role than its login is reported as the setting `role`.
    """
    rows = await connection.fetch(
        """
        select name, current_setting(name) as value, current_user <> session_user as is_another, coalesce(pg_has_role(
            current_user, (select nspowner from pg_namespace where nspname = 'registry'), 'member'), false) as is_owners
        from unnest($1::text[]) with ordinality as o (name, number) order by number
        """,
        [*REQUIRED, *LIMITS],
    )
    for name, value, is_another, is_owners in rows:
        if is_another:
            return "role", await connection.fetchval("select current_setting('role')"), "none"
        if name in LIMITS and value == "0" and not is_owners:
            return name, value, "what `consent-registry roles` prints"
        if name in REQUIRED and value not in REQUIRED[name]:
            return name, value, min(REQUIRED[name])
    return None
