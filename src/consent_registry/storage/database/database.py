"""Connections and transactions: the one place that says what a failure of the database means to a caller.

Before COMMIT is sent a failure means that nothing was recorded. Once it is on its way the outcome is unknown until the
database says so, and is never reported as a failure (docs/design/durability.md).
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from consent_registry.domain.errors import CannotRecord, OutcomeUnknown, RegistryError
from consent_registry.storage.database.connections import connect, create_pool
from consent_registry.storage.database.session_checks import find_unsound

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool


class Connections(Protocol):
    """Where a transaction gets its connection: a pool, or what stands before one."""

    def acquire(self, *, timeout: float) -> AbstractAsyncContextManager[Connection]:
        """A connection for the length of a block."""


# Two-integer advisory locks: the first names the class and the network, the second the thing (docs/design/locks.md).
# Order of the house: idempotency key, catalogue, attempts at codes, clients ascending, log.
LOCK_IDEMPOTENCY = 1 << 20
LOCK_CATALOGUE = 2 << 20
LOCK_CLIENT = 3 << 20
LOCK_LOG = 4 << 20
# A partner's attempts at codes, one after the other: taken after the catalogue's lock and before any client's.
LOCK_ATTEMPTS = 7 << 20

# How a connection ends without a word of the server. The driver's internal error is one of them: it is raised when the
# server's end arrives in the middle of a message.
_SILENT = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


async def open_pool(dsn: str, size: int, *, statement_seconds: float = 15) -> Pool:
    """A pool of `size` connections at most. Nothing is reset between uses: every setting is made with SET LOCAL.

    None is opened yet: a worker that starts while the database is away must answer 503, not end.
    """
    return await create_pool(
        dsn,
        min_size=0,
        max_size=size,
        init=_require_sound,
        reset=_keep,
        command_timeout=statement_seconds,
        timeout=5,
        statement_cache_size=200,
    )


async def _require_sound(connection: Connection) -> None:
    """Refuse a new connection whose commits might be lost, whose guards are off or whose statements mean something else
    (session_checks.py), and hold synchronous_commit as it is for the whole session: a configuration that is weakened
    and loaded anew must not reach connections that were checked.
    """
    unsound = await find_unsound(connection)
    if unsound is not None:
        name, value, right = unsound
        _log.error("connection refused", **{name: value}, cure=f"set it to {right} for this login and its database")
        raise CannotRecord(retry_after=1)
    await connection.execute("select set_config('synchronous_commit', current_setting('synchronous_commit'), false)")


async def _keep(connection: Connection) -> None:
    """Leave a returned connection as it is; an open transaction would be a defect and is closed."""
    if connection.is_in_transaction():
        await connection.execute("rollback")


@asynccontextmanager
async def session(dsn: str) -> AsyncIterator[Connection]:
    """A connection of its own, past any pool, for what belongs to a session; raises CannotRecord when it breaks."""
    connection = None
    try:
        connection = await connect(dsn, timeout=5, command_timeout=15)
        await _require_sound(connection)
        yield connection
    except (asyncpg.PostgresError, *_SILENT) as error:
        if _is_defect(error):
            raise
        raise CannotRecord(retry_after=1) from error
    finally:
        if connection is not None:
            connection.terminate()  # at once: whatever the session holds is free


_ONE_PLAN = "".join(
    f"; set local {setting}"
    for setting in ("plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_bitmapscan = off")
)


def begin_sql(
    network_id: int, partner_ids: Iterable[int], *, one_plan: bool = False, hold_catalogue: bool = False
) -> str:
    """BEGIN with this transaction's network and partners. SET takes no parameters; both are numbers of our own.

    `one_plan`: each statement keeps the plan it has, whatever its parameters. Planning anew takes a third of a single
    decision's time, and its statements are written so that there is one way to run them: by the indices made for them,
    from the first day on, when nothing is known yet of how large the tables will be. `hold_catalogue` takes the
    catalogue's shared lock on the same way to the server: for transactions without an idempotency key, whose lock comes
    first.
    """
    partners = ",".join(str(int(one)) for one in partner_ids)
    return (
        f"begin isolation level read committed; set local registry.network = '{int(network_id)}'; "
        f"set local registry.partners = '{{{partners}}}'"
        + (_ONE_PLAN if one_plan else "")
        + (f"; select pg_advisory_xact_lock_shared({LOCK_CATALOGUE | int(network_id)}, 0)" if hold_catalogue else "")
    )


async def widen_partners(connection: Connection, partner_ids: Iterable[int]) -> None:
    """Let this transaction read for these partners from now on: the only way to read rows that its caller may not know
    of. A test names each act that calls this, and why.
    """
    partners = ",".join(str(int(one)) for one in partner_ids)
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
    """One transaction in one network on behalf of these partners; commits when the block ends without an error.

    Raises CannotRecord when the database does not answer or refuses, and OutcomeUnknown when it fell silent during
    COMMIT. Errors of the registry itself pass through, after a rollback.
    """
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
    except RegistryError:
        raise
    except (asyncpg.PostgresError, *_SILENT) as error:
        _log.warning("not recorded", reason=_kind(error), sqlstate=getattr(error, "sqlstate", None))
        if _is_defect(error):
            raise
        raise CannotRecord(retry_after=1) from error


def _kind(error: BaseException) -> str:
    """What happened, without the message: PostgreSQL quotes the values of a row in its own."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the database refused" if isinstance(error, asyncpg.PostgresError) else "the connection broke"


def _is_defect(error: BaseException) -> bool:
    """Whether this is a mistake of ours rather than a state of the database: a 500 that somebody looks at."""
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
        # The server answered: it says whether the transaction ended. Cut off by the server's own end: unknown.
        if isinstance(error, asyncpg.OperatorInterventionError | asyncpg.PostgresConnectionError):
            raise OutcomeUnknown(retry_after=1) from error
        raise
    except _SILENT as error:
        raise OutcomeUnknown(retry_after=1) from error
    finally:
        # A lost connection has left the pool: its proxy refuses this, which must not hide that the outcome is unknown.
        with suppress(asyncpg.InterfaceError):
            connection.remove_log_listener(listener)
    if warnings:
        raise OutcomeUnknown(retry_after=1)


def _unreplicated_into(warnings: list[str]) -> Callable[[Connection, asyncpg.PostgresLogMessage], None]:
    """PostgreSQL only warns when a wait for its standby was cancelled: committed here, perhaps nowhere else."""

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
