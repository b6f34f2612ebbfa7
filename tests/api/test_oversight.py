"""DPOs' searches, findings and exports have their own connections, so that slow ones delay no decision."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Self

import httpx
import pytest

from consent_registry.api.openapi.document import make_document
from consent_registry.domain.errors import CannotRecord
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.database.queued_pool import QueuedPool
from tests.support.installation import Installation, Partner, Registry, fresh, serving
from tests.support.small_network import question

# The scopes of oversight; whatever they open runs on the connections of oversight.
SCOPES = {"audit:read", "oversight:write"}
CALLS = {
    ("get", "/api/v1/findings"): None,
    ("post", "/api/v1/events/search"): {},
    ("post", "/api/v1/events/exports"): {"format": "jsonl"},
}
OTHERS = {
    ("get", "/api/v1/me"): None,
    ("get", "/api/v1/partners"): None,
    ("post", "/api/v1/consents/search"): {},
    ("post", "/api/v1/decisions"): question("N-1"),
    ("post", "/api/v1/clients"): {"reference": "N-1"},
}


async def call(partner: Partner, method: str, path: str, body: object) -> httpx.Response:
    """Make one of these calls."""
    place = path.removeprefix("/api/v1")
    return await (partner.get(place) if method == "get" else partner.post(place, body))


class OnMainConnections(Runtime):
    """A runtime whose oversight uses the main connections."""

    def for_oversight(self) -> Self:
        """The runtime itself."""
        return self


async def _until(truth: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds, at most ten seconds."""
    for _ in range(1000):
        if await truth():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def _truth(is_so: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return is_so()

    return ask


@asynccontextmanager
async def _all_taken(registry: Registry) -> AsyncIterator[None]:
    """Use all connections of oversight and all places in its queue."""
    pool: QueuedPool = registry.app.state.shared.runtime._oversight
    over = asyncio.Event()

    async def hold() -> None:
        async with pool.acquire(timeout=5):
            await over.wait()

    tasks = [asyncio.create_task(hold()) for _ in range(2 + 20)]
    try:
        await _until(_truth(lambda: pool._waiting == 20))
        yield
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def _refused(registry: Registry) -> set[tuple[str, str]]:
    """Return the calls that are refused while oversight's connections and queue are full."""
    partner, dpo = await registry.partner("north"), await registry.dpo("north")
    found = set()
    async with _all_taken(registry):
        for (method, path), body in (CALLS | OTHERS).items():
            answer = await call(dpo if (method, path) in CALLS else partner, method, path, body)
            if answer.status_code == 503:
                assert answer.headers["retry-after"] == "5"
                assert "Too many searches" in answer.json()["detail"]
                found.add((method, path))
            else:
                assert answer.status_code < 400, answer.text
    return found


def test_every_call_of_oversight_is_known(registry: Registry) -> None:
    """Every call of oversight is in this table, and its route uses `SharedState.oversight`."""
    document: dict[str, Any] = make_document(registry.app)
    found = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, said in methods.items()
        if any(SCOPES & set(scheme.get("oauth2", ())) for scheme in said["security"])
    }
    assert found == set(CALLS)


async def test_oversight_alone_waits_for_oversight(registry: Registry) -> None:
    """With all its connections taken and its queue full its calls are 503, and all others are answered; afterwards its
    calls are answered too.
    """
    assert await _refused(registry) == set(CALLS)
    dpo = await registry.dpo("north")
    for (method, path), body in CALLS.items():
        assert (await call(dpo, method, path, body)).status_code == 200


async def test_a_call_on_the_main_connections_is_found(registry: Registry) -> None:
    """Control: a call of oversight on the main connections is found."""
    async with serving(registry.installation, registry.database, make_runtime=OnMainConnections) as defective:
        assert await _refused(defective) == set()


async def _beside_slow_findings(registry: Registry, searches: int = 10) -> tuple[set[int], set[int]]:
    """Ask for findings so many times while the table they read is locked, and decide meanwhile; give the statuses of
    the decisions, and those of the findings once the lock is gone.
    """
    partner, dpo = await registry.partner("north"), await registry.dpo("north")
    async with registry.sql() as connection, AsyncExitStack() as stack:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("lock table registry.transfers in access exclusive mode")
        slow = [asyncio.create_task(dpo.get("/findings")) for _ in range(searches)]
        stack.callback(lambda: [task.cancel() for task in slow])
        blocked = "select count(*) from pg_locks where not granted and relation = 'registry.transfers'::regclass"
        await _until(partial(connection.fetchval, f"select ({blocked}) >= 2"))
        answers = [await partner.post("/decisions", question(f"N-{number}")) for number in range(5)]
        answers += await asyncio.gather(*(partner.post("/decisions", question("N-1")) for _ in range(50)))
        await transaction.rollback()
        found = await asyncio.gather(*slow)
    return {answer.status_code for answer in answers}, {answer.status_code for answer in found}


async def test_ten_slow_searches_leave_decisions_alone(fresh_registry: Registry) -> None:
    """Every decision is answered while ten findings wait for a locked table, and the findings later."""
    assert await _beside_slow_findings(fresh_registry) == ({200}, {200})


async def test_on_the_main_connections_they_do_not(installation: Installation) -> None:
    """The control: decisions find no connection. A search gives up its own after a second, so many more wait for it."""
    decided: set[int] = set()
    async with fresh(installation, make_runtime=OnMainConnections) as registry:
        for _ in range(5):  # on a busy machine the decisions of a round may all come between two searches
            decided |= (await _beside_slow_findings(registry, searches=60))[0]
            if 503 in decided:
                break
    assert 503 in decided


async def test_the_queue_is_one_of_turns(registry: Registry) -> None:
    """A fixed number run and a fixed number wait, in order; a cancelled or failed one frees its place."""
    pool = QueuedPool(await open_pool(registry.installation.dsn(registry.database), 2), 2, 3)
    over, going, order = asyncio.Event(), [], []

    async def hold(number: int) -> None:
        async with pool.acquire(timeout=5):
            going.append(number)
            order.append(number)
            await over.wait()
        going.remove(number)

    tasks = [asyncio.create_task(hold(number)) for number in range(5)]
    await _until(_truth(lambda: len(going) == 2))
    assert sorted(going) == [0, 1]
    for _ in range(3):
        with pytest.raises(CannotRecord):
            await hold(9)
    tasks[3].cancel()
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(hold(5)))
    await asyncio.sleep(0)
    with pytest.raises(CannotRecord):
        await hold(9)
    over.set()
    with suppress(asyncio.CancelledError):
        await tasks[3]
    await asyncio.gather(*tasks[:3], *tasks[4:])
    assert sorted(order[:2]) == [0, 1]
    assert sorted(order[2:4]) == [2, 4]
    assert order[4:] == [5]
    await pool.close()
    for _ in range(5):
        with pytest.raises(Exception, match="closed"):
            await hold(0)
    assert not pool._turns.locked()
