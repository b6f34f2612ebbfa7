"""The connection to PostgreSQL is cut at every protocol message of a decision and of a withdrawal.

The server runs on a database behind a proxy. For n = 1, 2, … the proxy cuts before, and in another round
after, the n-th message that follows the request, until a request passes uncut. Every request has a key and
is sent again with it: the log, the stored answers and the tables, read past the proxy, must then hold it once.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import asyncpg
import pytest

from consent_registry.process.postgres.cluster import Cluster, prepare
from tests.campaigns.crash.trial import Effects, Said, Trial, judge
from tests.campaigns.crash.workload import CREATED, OK, UNAVAILABLE, Flow, learn_flow
from tests.campaigns.idempotency.proxy import Cut, Proxy, When
from tests.campaigns.support.access import Access
from tests.campaigns.support.figures import show
from tests.campaigns.support.places import scratch
from tests.campaigns.support.server import Server
from tests.campaigns.support.wire import Answer, LostError, Wire

pytestmark = pytest.mark.campaign

NETWORK = "paderborn"
DATABASE = "behind_a_proxy"
MOST_MESSAGES = 600
PATIENCE_S = 15.0
COUNTS = """
    select (select count(*) from events) as entries, (select count(*) from leaves) as leaves,
        (select count(*) from events where actor_id is not null) as events,
        (select count(*) from idempotency_keys) as answers, (select count(*) from withdrawals) as withdrawals
"""
Kind = Literal["decision", "withdrawal"]
PATHS: dict[Kind, str] = {"decision": "/api/v1/decisions", "withdrawal": "/api/v1/withdrawals"}


@dataclass(slots=True)
class Stage:
    """A server whose every word with PostgreSQL passes the proxy, and a way past it."""

    server: Server
    proxy: Proxy
    cluster: Cluster
    said: Counter[str] = field(default_factory=Counter)

    async def sql(self) -> asyncpg.Connection:
        """Connect past the proxy as superuser."""
        path = {"search_path": "registry"}
        return await asyncpg.connect(self.cluster.dsn(database=DATABASE), server_settings=path)


@contextlib.contextmanager
def staged(target: str | None = None) -> Iterator[Stage]:
    """Run PostgreSQL, the proxy and a server on a new database behind it."""
    with scratch("fault") as folder, contextlib.ExitStack() as after:
        cluster = prepare(folder / "database")
        cluster.start()
        after.callback(cluster.stop)
        proxy = after.enter_context(Proxy(folder, cluster.socket))
        asyncio.run(_create_database(cluster))
        url = f"postgresql://postgres@/{DATABASE}?host={folder}"
        server = Server(folder / "data", target=target, environment={"CONSENT_REGISTRY_DATABASE_URL": url})
        after.callback(server.stop, check=False)
        server.start()
        yield Stage(server, proxy, cluster)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Share one stage among the honest runs."""
    with staged() as made:
        yield made


async def _create_database(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.dsn())
    await connection.execute(f"create database {DATABASE}")
    await connection.close()


async def effects(connection: asyncpg.Connection, kind: Kind) -> Effects:
    """Count, once no transaction of the server is open any more."""
    busy = "select count(*) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid() and state <> 'idle'"
    async with asyncio.timeout(PATIENCE_S):
        while await connection.fetchval(busy, DATABASE):  # noqa: ASYNC110 - it is PostgreSQL that ends
            await asyncio.sleep(0.005)
    counts = await connection.fetchrow(COUNTS)
    assert counts is not None
    # Beside its own event a withdrawal writes entries without an actor, for other client numbers and as padding.
    assert counts["entries"] == counts["leaves"]
    return Effects(counts["events"], counts["answers"], counts["answers" if kind == "decision" else "withdrawals"])


def less(after: Effects, before: Effects) -> Effects:
    """Return what was added."""
    return Effects(after.events - before.events, after.answers - before.answers, after.rows - before.rows)


def meaning(answer: Answer | None) -> Said:
    """Say in the judge's words what an answer says."""
    if answer is None:
        return "something else"
    if answer.status in (OK, CREATED):
        return "done"
    if answer.status == UNAVAILABLE and "retry-after" in answer.headers:
        return "unknown" if "unknown" in answer.json()["type"] else "nothing recorded"
    return "something else"


async def prepare_body(kind: Kind, flow: Flow, access: Access, wire: Wire, name: str) -> dict[str, Any]:
    """Make a client with a consent of its own, and return what to ask or withdraw."""
    recorded = None
    async with asyncio.timeout(PATIENCE_S):
        # The server may still be finding out that the last trial cost it its connections.
        while recorded is None or recorded.status != CREATED:
            await wire.post("/api/v1/clients", {"reference": name}, await access.headers())
            recorded = await wire.post("/api/v1/consents", flow.consent(name), await access.headers(f"c-{name}"))
    if kind == "decision":
        return {**flow.request, "client": name}
    return {"consent_id": recorded.json()["consent_id"], "channel": "letter"}


async def settle(path: str, body: dict[str, Any], access: Access, wire: Wire, key: str) -> Answer | None:
    """Send again with the key until it is done, as long as patience lasts."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await wire.post(path, body, await access.headers(key))
                if answer.status in (OK, CREATED):
                    return answer
                await asyncio.sleep(0.02)
    except TimeoutError:
        return None


async def attempt(stage: Stage, flow: Flow, kind: Kind, number: int | None, when: When) -> tuple[Trial, Cut]:
    """Cut one request at one message, look, send it again, look again."""
    access, wire, direct = stage.server.partner(NETWORK, flow.partner), Wire(stage.server.port), await stage.sql()
    name = f"{kind}-{when}-{number}-{os.urandom(4).hex()}"
    body = await prepare_body(kind, flow, access, wire, name)
    before = await effects(direct, kind)
    stage.proxy.arm(number, when)
    try:
        first = await wire.post(PATHS[kind], body, await access.headers(name))
    except LostError:
        first = None
    cut = stage.proxy.disarm()
    then = less(await effects(direct, kind), before)
    last = await settle(PATHS[kind], body, access, wire, name)
    finally_ = less(await effects(direct, kind), before)
    await direct.close()
    wire.close()
    said = meaning(first)
    same = said != "done" or first is None or last is None or first.body == last.body
    place = f"{kind}, {when} message {number} ({cut.seen[-1] if cut.done else 'uncut'}), said {said}"
    place += "" if said != "something else" else f" {first}"
    stage.said[f"{kind} {said}"] += 1
    return Trial(place, said, then, settled=last is not None, finally_=finally_, same_answer=same), cut


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["decision", "withdrawal"])
def test_a_cut_at_every_message_neither_doubles_nor_lies(
    stage: Stage, kind: Kind, when: When, capsys: pytest.CaptureFixture[str]
) -> None:
    """No double effect, no false success, no false failure, wherever the connection is cut."""

    async def cut_everywhere() -> tuple[list[str], int]:
        flow = await learn_flow(stage.server, NETWORK)
        broken: list[str] = []
        for number in range(1, MOST_MESSAGES):
            trial, cut = await attempt(stage, flow, kind, number, when)
            broken += judge(trial)
            if not cut.done:
                assert trial.said == "done"
                return broken, number - 1
        raise AssertionError(f"never passed uncut in {MOST_MESSAGES} messages")

    broken, messages = asyncio.run(cut_everywhere())
    said = {what: count for what, count in stage.said.items() if what.startswith(kind)}
    show(capsys, f"fault proxy: {kind}, {when} each of {messages} messages; so far {said}")
    assert broken == []
    assert messages > 10


def test_control_a_failure_for_an_unknown_outcome_is_caught() -> None:
    """The same judge reports a server that calls a commit it lost sight of a failure."""

    async def cut_until_found(stage: Stage) -> bool:
        flow = await learn_flow(stage.server, NETWORK)
        for number in range(1, MOST_MESSAGES):
            trial, cut = await attempt(stage, flow, "decision", number, "before")
            if any("false failure" in found for found in judge(trial)):
                return True
            if not cut.done:
                return False
        return False

    with staged("tests.campaigns.defects.unknown_called_failure:create_app") as stage:
        assert asyncio.run(cut_until_found(stage))
