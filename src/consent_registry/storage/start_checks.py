"""Checks of the database before the registry serves from it. Each refusal is one line with the setting, its value and
the cure. `docs/operating.md` lists them all, and a test compares.
"""

from collections.abc import Mapping

import asyncpg

from consent_registry.domain.errors import Unusable
from consent_registry.storage.catalogue.networks import is_demonstration
from consent_registry.storage.database.clock import CLOCKS_APART, compare_clocks
from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.login_checks import require_harmless_login
from consent_registry.storage.database.migrations import check_schema
from consent_registry.storage.database.partitions import require_this_month
from consent_registry.storage.database.row_security_checks import require_row_security
from consent_registry.storage.database.session_checks import DURABLE_COMMIT

OLDEST_VERSION = 150_000
# A batch of 1000 decisions holds 1000 locks; several batches run at once.
LOCKS = 50_000
# Settings for which other values could lose acknowledged commits, or read damaged pages as whole ones.
DURABLE: Mapping[str, frozenset[str]] = {
    "fsync": frozenset({"on"}),
    "full_page_writes": frozenset({"on"}),
    "synchronous_commit": DURABLE_COMMIT,
    "zero_damaged_pages": frozenset({"off"}),
    "ignore_checksum_failure": frozenset({"off"}),
}
# A refusal must appear within five seconds, and Python needs part of them to start.
CONNECT_SECONDS = 3.0
_SERVER = ("server_version_num", "server_version", "max_locks_per_transaction", "max_connections")
_CONNECTIONS = ("max_prepared_transactions", "superuser_reserved_connections", "reserved_connections")


async def require_safe(dsn: str, *, demonstration: bool, connections: int = 0) -> None:
    """Raise Unusable unless the registry may serve from this database with the application's login in `dsn`.

    `demonstration` allows demonstration data, which production refuses. `connections` is how many connections all
    processes may open together.
    """
    connection = await _connect(dsn)
    try:
        await require_server(connection, connections)
        await require_harmless_login(connection)
        await check_schema(connection)
        await require_row_security(connection)
        if await is_demonstration(connection) and not demonstration:
            raise Unusable(
                "this database holds demonstration data: serve from another one, or use `consent-registry demo`"
            )
        await _require_clock(connection)
        await require_this_month(connection)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError) as error:
        # Before the first migration the application's role has no privilege on the schema.
        raise Unusable("the database has no schema yet: run `consent-registry migrate`") from error
    except TimeoutError as error:
        raise Unusable("the database does not answer: look at its log and its load") from error
    finally:
        connection.terminate()


async def require_safe_for_sealing(dsn: str) -> None:
    """Raise Unusable unless the database is durable and has the sealer's tables, for the sealer's login in `dsn`."""
    connection = await _connect(dsn, "SEALER_DATABASE_URL")
    try:
        await require_server(connection, 0)
        await require_harmless_login(connection, "sealer")
        if await connection.fetchval("select to_regprocedure('registry.log_sizes()')") is None:
            raise Unusable("the database lacks the sealer's tables: run `consent-registry migrate`")
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unusable("the database has no schema yet, or this is not the sealer's login") from error
    finally:
        connection.terminate()


async def require_safe_for_erasing(dsn: str) -> None:
    """Raise Unusable unless the eraser's login in `dsn` may only call its functions."""
    connection = await _connect(dsn, "ERASER_DATABASE_URL")
    try:
        await require_harmless_login(connection, "eraser")
    finally:
        connection.terminate()


async def require_no_real_network(dsn: str) -> None:
    """Raise Unusable if a database holds a real network, so that the demonstration never touches real data."""
    connection = await connect(dsn, timeout=5)
    try:
        if await connection.fetchval(
            "select to_regclass('registry.networks')"
        ) is not None and await connection.fetchval(
            "select exists (select from registry.networks where not demonstration)"
        ):
            raise Unusable("this database holds a real network: `consent-registry demo` needs an empty database")
    finally:
        await connection.close()


async def _connect(dsn: str, setting: str = "DATABASE_URL") -> asyncpg.Connection:
    try:
        return await connect(dsn, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
    except TimeoutError:
        reason = f"no answer within {CONNECT_SECONDS:.0f} s"
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error).partition("\n")[0]
    raise Unusable(
        f"the database in CONSENT_REGISTRY_{setting} cannot be used: {reason}; start it, or correct address or login"
    )


async def require_server(connection: asyncpg.Connection, connections: int, locks: int = LOCKS) -> None:
    """Raise Unusable unless the server is new and durable enough, and has room for connections and locks."""
    rows = await connection.fetch(
        "select name, setting, source from pg_settings where name = any ($1)", [*DURABLE, *_SERVER, *_CONNECTIONS]
    )
    settings = {row["name"]: row["setting"] for row in rows}
    sources = {row["name"]: row["source"] for row in rows}
    if int(settings["server_version_num"]) < OLDEST_VERSION:
        raise Unusable(f"the database is PostgreSQL {settings['server_version']}: 15 or newer is needed")
    for name, allowed in DURABLE.items():
        if settings[name] not in allowed:
            raise Unusable(
                f"{name} is {settings[name]} (set by: {sources[name]}), so what was acknowledged could be lost: "
                f"set it to {min(allowed)}"
            )
    per_transaction = int(settings["max_locks_per_transaction"])
    room = int(settings["max_connections"]) + int(settings["max_prepared_transactions"])
    if per_transaction * room < locks:
        raise Unusable(
            f"max_locks_per_transaction is {per_transaction}, which makes room for {per_transaction * room} locks: "
            f"set it to {-(-locks // room)} or more"
        )
    reserved = sum(int(settings.get(name, "0")) for name in _CONNECTIONS[1:])
    if connections > int(settings["max_connections"]) - reserved:
        raise Unusable(
            f"the workers' pools may open {connections} connections, and max_connections is "
            f"{settings['max_connections']} with {reserved} reserved: lower CONSENT_REGISTRY_POOL_SIZE or --workers"
        )


async def _require_clock(connection: asyncpg.Connection) -> None:
    behind = (await compare_clocks(connection)).behind
    if abs(behind) > CLOCKS_APART:
        side = "behind" if behind > 0 else "ahead of"
        raise Unusable(
            f"this machine's clock is {abs(behind):.0f} s {side} the database's: keep both to the same time source"
        )
