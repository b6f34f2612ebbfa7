"""Connection pools and transactions. Translates each failure of the database into what it means for the caller.

A failure before COMMIT is sent means that nothing was recorded. After that the outcome is unknown until the database
answers, and it is never reported as a failure (docs/design/durability.md).
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from consent_registry.domain.errors import CannotRecord, OutcomeUnknown, RegistryError
from consent_registry.storage.database.connections import connect, create_pool
from consent_registry.storage.database.locks import LOCK_CATALOGUE
from consent_registry.storage.database.session_checks import find_unsafe_setting

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool


class Connections(Protocol):
    """A source of connections for transactions: a pool, or a queue before a pool."""

    def acquire(self, *, timeout: float) -> AbstractAsyncContextManager[Connection]:
        """A context manager that lends a connection for the length of a block."""


# Errors of a connection that ended without an answer of the server. asyncpg raises its internal error if the connection
# ends in the middle of a message.
_SILENT = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


async def open_pool(dsn: str, size: int, *, statement_seconds: float = 15) -> Pool:
    """A pool of at most `size` connections. Nothing is reset between uses, because every setting uses SET LOCAL.

    The pool opens no connection yet: a worker that starts without a database must answer 503, not exit.
    """
    return await create_pool(
        dsn,
        min_size=0,
        max_size=size,
        init=_require_safe_session,
        reset=_keep,
        command_timeout=statement_seconds,
        timeout=5,
        statement_cache_size=200,
    )


async def _require_safe_session(connection: Connection) -> None:
    """Refuse a new connection with unsafe session settings (session_checks.py), and fix synchronous_commit for the
    whole session: a weakened configuration that is reloaded must not affect connections that were checked.
    """
    unsound = await find_unsafe_setting(connection)
    if unsound is not None:
        name, value, right = unsound
        _log.error("connection refused", **{name: value}, cure=f"set it to {right} for this login and its database")
        raise CannotRecord(retry_after=1)
    await connection.execute("select set_config('synchronous_commit', current_setting('synchronous_commit'), false)")


async def _keep(connection: Connection) -> None:
    """Keep a returned connection as it is. An open transaction would be a defect and is rolled back."""
    if connection.is_in_transaction():
        await connection.execute("rollback")


@asynccontextmanager
async def session(dsn: str) -> AsyncIterator[Connection]:
    """Open a connection outside the pools, for session-level state such as a lock. Raises CannotRecord if it breaks."""
    connection = None
    try:
        connection = await connect(dsn, timeout=5, command_timeout=15)
        await _require_safe_session(connection)
        yield connection
    except (asyncpg.PostgresError, *_SILENT) as error:
        if _is_defect(error):
            raise
        raise CannotRecord(retry_after=1) from error
    finally:
        if connection is not None:
            connection.terminate()  # releases the session's locks at once


_ONE_PLAN = "".join(
    f"; set local {setting}"
    for setting in ("plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_bitmapscan = off")
)


def begin_sql(
    network_id: int, partner_ids: Iterable[int], *, one_plan: bool = False, hold_catalogue: bool = False
) -> str:
    """The SQL that begins a transaction for a network and its partners. SET takes no parameters; the numbers are ours.

    `one_plan`: each statement keeps one generic plan. Planning again takes a third of a single decision's time. The
    decision's statements have one right plan, by the indices made for them, also while the tables are still empty.
    `hold_catalogue` takes the catalogue's shared lock in the same round trip. It is for transactions without an
    idempotency key, because that key's lock comes first in the lock order.
    """
    partners = ",".join(str(int(partner_id)) for partner_id in partner_ids)
    return (
        f"begin isolation level read committed; set local registry.network = '{int(network_id)}'; "
        f"set local registry.partners = '{{{partners}}}'"
        + (_ONE_PLAN if one_plan else "")
        + (f"; select pg_advisory_xact_lock_shared({LOCK_CATALOGUE | int(network_id)}, 0)" if hold_catalogue else "")
    )


async def widen_partners(connection: Connection, partner_ids: Iterable[int]) -> None:
    """Let this transaction read rows of these partners from now on: the only way to read rows that its caller may not
    see. A test lists every command that calls this, and why.
    """
    partners = ",".join(str(int(partner_id)) for partner_id in partner_ids)
    await connection.execute(f"set local registry.partners = '{{{partners}}}'")


@asynccontextmanager
async def transaction(
    pool: Connections,
    network_id: int,
    partner_ids: Iterable[int],
    *,
    one_plan: bool = False,
    hold_catalogue: bool = False,
) -> AsyncIterator[Connection]:
    """Run a block as one transaction in a network, with the rights of these partners. Commits if the block succeeds.

    Raises CannotRecord if the database refuses or does not answer, and OutcomeUnknown if it does not answer COMMIT.
    Errors of the registry itself pass through after a rollback.
    """
    is_committed = False
    try:
        async with pool.acquire(timeout=2) as connection:
            try:
                await connection.execute(
                    begin_sql(network_id, partner_ids, one_plan=one_plan, hold_catalogue=hold_catalogue)
                )
                yield connection
            except BaseException:
                await _roll_back(connection)
                raise
            await _commit(connection)
            is_committed = True
    except RegistryError:
        raise
    except (asyncpg.PostgresError, *_SILENT) as error:
        if is_committed:
            # The connection broke on its way back to the pool. To say "not recorded" now would be false.
            _log.warning("connection lost after commit", reason=_kind(error))
            return
        _log.warning("not recorded", reason=_kind(error), sqlstate=getattr(error, "sqlstate", None))
        if _is_defect(error):
            raise
        raise CannotRecord(retry_after=1) from error


def _kind(error: BaseException) -> str:
    """The kind of failure, without PostgreSQL's message, which may quote a row's values."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the database refused" if isinstance(error, asyncpg.PostgresError) else "the connection broke"


def _is_defect(error: BaseException) -> bool:
    """Whether the error is a defect of this program, not a state of the database: then the answer is a 500."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return False
    return isinstance(
        error, asyncpg.IntegrityConstraintViolationError | asyncpg.SyntaxOrAccessError | asyncpg.DataError
    )


async def _commit(connection: Connection) -> None:
    warnings: list[str] = []
    connection.add_log_listener(listener := _unreplicated_into(warnings))
    try:
        # PostgreSQL answers COMMIT of an aborted transaction with ROLLBACK, and with no error.
        if await connection.execute("commit") != "COMMIT":
            raise CannotRecord(retry_after=1)
    except asyncpg.PostgresError as error:
        # The server answered, so the transaction failed. If the server was shutting down, the outcome is unknown.
        if isinstance(error, asyncpg.OperatorInterventionError | asyncpg.PostgresConnectionError):
            raise OutcomeUnknown(retry_after=1) from error
        raise
    except _SILENT as error:
        raise OutcomeUnknown(retry_after=1) from error
    finally:
        # The pool has dropped a lost connection, and its proxy refuses this. That must not hide the unknown outcome.
        with suppress(asyncpg.InterfaceError):
            connection.remove_log_listener(listener)
    if warnings:
        raise OutcomeUnknown(retry_after=1)


def _unreplicated_into(warnings: list[str]) -> Callable[[Connection, asyncpg.PostgresLogMessage], None]:
    """A listener that collects PostgreSQL's warning of a cancelled wait for a standby: the transaction is committed
    here, but perhaps nowhere else.
    """

    def listen(_: Connection, message: asyncpg.PostgresLogMessage) -> None:
        if message.sqlstate == "01000" and "synchronous replication" in (message.message or ""):
            warnings.append(message.message)

    return listen


async def _roll_back(connection: Connection) -> None:
    try:
        if not connection.is_closed():
            await connection.execute("rollback", timeout=2)
    except (asyncpg.PostgresError, *_SILENT):
        connection.terminate()
