"""A failure of the database means "not recorded", "unknown", or a defect of this program."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from consent_registry.domain.errors import CannotRecord, Conflict, OutcomeUnknown
from consent_registry.storage.clients.clients import add_client
from consent_registry.storage.database.database import Connection, Connections, Pool, transaction
from tests.support.installation import ROLES, Registry
from tests.support.pools import count, pool_of
from tests.support.small_network import NUMBER, question

AT_COMMIT = """
create or replace function public.at_commit() returns trigger language plpgsql security definer as
$$ begin {body}; return null; end $$;
create or replace trigger at_commit after insert on registry.clients for each row execute function public.at_commit();
drop trigger at_commit on registry.clients;
create constraint trigger at_commit after insert on registry.clients deferrable initially deferred
    for each row execute function public.at_commit();
"""


async def add(connection: Connection) -> str:
    """Add a client and return its id."""
    client_id = str(uuid.uuid4())
    await add_client(connection, NUMBER, client_id, datetime.now(UTC))
    return client_id


Step = Callable[[Connection], Awaitable[object]]


async def attempt(pool: Connections, *steps: Step) -> None:
    """Run these steps in one transaction."""
    async with transaction(pool, NUMBER, []) as connection:
        for step in steps:
            await step(connection)


def remember(added: list[str]) -> Step:
    """A step that adds a client and keeps its id here."""

    async def step(connection: Connection) -> None:
        added.append(await add(connection))

    return step


async def fail(_: Connection) -> None:
    """A step without an answer in time."""
    raise TimeoutError


class BreakingOnReturn:
    """A pool whose connections break while they are given back, as when PostgreSQL is killed just after a commit."""

    def __init__(self, pool: Pool, error: Exception) -> None:
        self._pool = pool
        self._error = error

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[Connection]:  # noqa: ASYNC109 - as the pool's
        """Lend a connection, and break when it comes back."""
        async with self._pool.acquire(timeout=timeout) as connection:
            yield connection
        raise self._error


async def is_recorded(registry: Registry, client_id: str) -> bool:
    """Return whether the client is in the database, asked outside the application."""
    async with registry.sql() as connection:
        found = "select exists (select from registry.clients where network_id = $1 and client_id = $2)"
        return bool(await connection.fetchval(found, NUMBER, client_id))


@asynccontextmanager
async def during_commit(registry: Registry, body: str) -> AsyncIterator[None]:
    """Make the database do something while a transaction that added a client commits."""
    async with registry.sql() as owner:
        await owner.execute(AT_COMMIT.format(body=body))
        try:
            yield
        finally:
            await owner.execute("drop trigger at_commit on registry.clients")


async def test_a_commit_that_was_answered_is_recorded(registry: Registry) -> None:
    """A successful block is committed, and its settings end with the transaction."""
    async with pool_of(registry, 1) as pool:
        async with transaction(pool, NUMBER, [1, 2]) as connection:
            client_id = await add(connection)
            assert await connection.fetchval("select registry.current_partners()") == [1, 2]
        assert await is_recorded(registry, client_id)
        assert await pool.fetchval("select registry.current_network()") is None
        assert await pool.fetchval("select count(*) from registry.clients") == 0


@pytest.mark.parametrize("error", [Conflict, RuntimeError, asyncio.CancelledError])
async def test_an_error_in_the_block_records_nothing(registry: Registry, error: type[BaseException]) -> None:
    """An error in the block passes through after a rollback, and the connection is usable again."""

    async def fail(_: Connection) -> None:
        raise error

    before = await count(registry, "clients")
    async with pool_of(registry, 1) as pool:
        with pytest.raises(error):
            await attempt(pool, add, fail)
        assert await count(registry, "clients") == before
        await attempt(pool, add)
    assert await count(registry, "clients") == before + 1


async def _lose_the_server(connection: Connection) -> None:
    await connection.execute("select pg_terminate_backend(pg_backend_pid())")


async def _wait_too_long(connection: Connection) -> None:
    await connection.execute("set local statement_timeout = 20")
    await connection.execute("select pg_sleep(1)")


async def _lack_a_privilege(connection: Connection) -> None:
    await connection.execute("delete from registry.leaves")


async def _go_on_after_an_error(connection: Connection) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connection.execute("select 1/0")


@pytest.mark.parametrize("trouble", [_lose_the_server, _wait_too_long, _lack_a_privilege, _go_on_after_an_error])
async def test_trouble_before_commit_is_not_recorded(registry: Registry, trouble: Step) -> None:
    """A lost connection, a timeout, a missing privilege or an aborted transaction raises CannotRecord, and nothing is
    recorded.
    """
    before = await count(registry, "clients")
    async with pool_of(registry, 1) as pool:
        with pytest.raises(CannotRecord) as raised:
            await attempt(pool, add, trouble)
    assert raised.value.retry_after == 1
    assert await count(registry, "clients") == before


@pytest.mark.parametrize(
    "error",
    [asyncpg.InterfaceError("closed"), asyncpg.ConnectionDoesNotExistError("closed"), TimeoutError(), OSError()],
)
async def test_a_connection_that_breaks_after_commit_does_not_hide_it(registry: Registry, error: Exception) -> None:
    """What was committed is answered as recorded, although the connection breaks on its way back to the pool."""
    async with pool_of(registry, 1) as pool:
        async with transaction(BreakingOnReturn(pool, error), NUMBER, []) as connection:
            client_id = await add(connection)
        assert await is_recorded(registry, client_id)


async def test_a_connection_that_breaks_after_a_rollback_is_not_recorded(registry: Registry) -> None:
    """The control: the same break behind a transaction that failed says that nothing was recorded."""
    added: list[str] = []
    async with pool_of(registry, 1) as pool:
        with pytest.raises(CannotRecord):
            await attempt(BreakingOnReturn(pool, TimeoutError()), remember(added), fail)
    assert not await is_recorded(registry, added[0])


async def test_no_connection_in_time_is_not_recorded(registry: Registry) -> None:
    """With every connection in use the caller learns within seconds that nothing was recorded."""
    async with pool_of(registry, 1) as pool, transaction(pool, NUMBER, []):
        with pytest.raises(CannotRecord):
            await attempt(pool)


async def _add_twice(connection: Connection) -> None:
    client_id = await add(connection)
    await add_client(connection, NUMBER, client_id, datetime.now(UTC))


async def _write_nonsense(connection: Connection) -> None:
    await connection.execute("selec 1")


async def _send_what_does_not_fit(connection: Connection) -> None:
    await connection.fetchval("select $1::uuid", "no uuid")


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (_add_twice, asyncpg.UniqueViolationError),
        (_write_nonsense, asyncpg.PostgresSyntaxError),
        (_send_what_does_not_fit, asyncpg.DataError),
    ],
)
async def test_mistakes_of_ours_are_not_hidden(registry: Registry, mistake: Step, error: type[Exception]) -> None:
    """A violated constraint, wrong SQL or a wrong argument is raised as a defect, never as "try again"."""
    before = await count(registry, "clients")
    async with pool_of(registry, 1) as pool:
        with pytest.raises(error):
            await attempt(pool, add, mistake)
    assert await count(registry, "clients") == before


async def test_a_server_that_ends_during_commit_leaves_the_outcome_unknown(registry: Registry) -> None:
    """If the server process ends during COMMIT, the outcome is unknown."""
    async with during_commit(registry, "perform pg_terminate_backend(pg_backend_pid())"), pool_of(registry, 1) as pool:
        with pytest.raises(OutcomeUnknown) as raised:
            await attempt(pool, add)
        assert raised.value.retry_after == 1


async def test_a_connection_cut_during_commit_may_have_been_recorded(registry: Registry) -> None:
    """If our side cuts the connection during COMMIT, the outcome is unknown, and here it was recorded."""

    async def cut_soon(connection: Connection) -> None:
        asyncio.get_running_loop().call_later(0.1, connection.terminate)

    before = await count(registry, "clients")
    async with during_commit(registry, "perform pg_sleep(0.4)"), pool_of(registry, 1) as pool:
        with pytest.raises(OutcomeUnknown):
            await attempt(pool, add, cut_soon)
        await asyncio.sleep(0.5)
    assert await count(registry, "clients") == before + 1


async def test_a_refusal_at_commit_is_not_recorded(registry: Registry) -> None:
    """A deferred constraint that fails at COMMIT is raised as what it is, not as unknown."""
    before = await count(registry, "clients")
    refuse = "raise exception 'no' using errcode = 'check_violation'"
    async with during_commit(registry, refuse), pool_of(registry, 1) as pool:
        with pytest.raises(asyncpg.CheckViolationError):
            await attempt(pool, add)
    assert await count(registry, "clients") == before


async def test_a_commit_without_its_standby_is_unknown(registry: Registry) -> None:
    """A cancelled wait for the standby, of which PostgreSQL only warns, makes the outcome unknown."""

    async def cancel_soon(connection: Connection) -> None:
        await connection.execute("select pg_sleep(0.1)")  # the setting has reached every process by now
        cancelling.append(
            asyncio.create_task(_cancel_wait(registry, await connection.fetchval("select pg_backend_pid()")))
        )

    cancelling: list[asyncio.Task[None]] = []
    async with registry.sql() as owner, pool_of(registry, 1) as pool:
        await owner.execute("alter system set synchronous_standby_names = 'nobody'")
        await owner.execute("select pg_reload_conf()")
        try:
            with pytest.raises(OutcomeUnknown):
                await attempt(pool, add, cancel_soon)
        finally:
            await owner.execute("alter system reset synchronous_standby_names")
            await owner.execute("select pg_reload_conf()")
    await cancelling[0]


async def _cancel_wait(registry: Registry, pid: int) -> None:
    async with registry.sql() as second:
        cancel = "select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and wait_event = 'SyncRep'"
        for _ in range(250):
            if await second.fetchval(cancel, pid):
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def weakened(registry: Registry, *statements: str) -> AsyncIterator[None]:
    """Weaken the server's configuration for the length of a block."""
    async with registry.sql() as owner:
        try:
            for statement in statements:
                await owner.execute(statement)
            await owner.execute("select pg_reload_conf()")
            await asyncio.sleep(0.2)
            yield
        finally:
            await owner.execute("alter system reset synchronous_commit")
            await owner.execute(f"alter role {ROLES['app']} set synchronous_commit = 'on'")
            await owner.execute("select pg_reload_conf()")


async def durability(connection: Connection | asyncpg.Connection) -> str:
    """Return the connection's synchronous_commit."""
    return str(await connection.fetchval("show synchronous_commit"))


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
async def test_a_connection_that_could_lose_commits_is_refused(fresh_registry: Registry, value: str) -> None:
    """After the role is weakened while the registry serves, old connections continue and new ones are
    refused with 503.
    """
    north = await fresh_registry.partner("north")
    assert (await north.post("/decisions", question("N-1"))).status_code == 200
    before = await count(fresh_registry, "events")
    async with weakened(fresh_registry, f"alter role {ROLES['app']} set synchronous_commit = {value}"):
        assert (await north.post("/decisions", question("N-1"))).status_code == 200
        bare = await asyncpg.connect(fresh_registry.installation.dsn(fresh_registry.database))
        assert await durability(bare) == value  # the danger is there: only the pool prevents it
        await bare.close()
        async with fresh_registry.sql() as owner:
            database = fresh_registry.database
            await owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = $2",
                *(database, ROLES["app"]),
            )
        for _ in range(3):
            refused = await north.post("/decisions", question("N-1"))
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/cannot-record"), refused.text
            assert refused.headers["retry-after"]
        assert (await fresh_registry.http.get("/ready")).status_code == 503
        assert await count(fresh_registry, "events") == before + 1
    assert (await north.post("/decisions", question("N-1"))).status_code == 200


async def test_a_configuration_that_is_weakened_does_not_reach_open_connections(registry: Registry) -> None:
    """A checked connection keeps its durability after the server's configuration is weakened; an unchecked one does
    not.
    """
    app = ROLES["app"]
    async with weakened(registry, f"alter role {app} reset synchronous_commit"), pool_of(registry) as pool:
        bare = await asyncpg.connect(registry.installation.dsn(registry.database))
        async with pool.acquire() as connection, weakened(registry, "alter system set synchronous_commit = off"):
            assert await durability(bare) == "off"
            assert await durability(connection) == "on"
        await bare.close()
