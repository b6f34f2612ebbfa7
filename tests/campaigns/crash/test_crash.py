"""Nothing acknowledged is lost, whatever is killed: partners work while PostgreSQL and workers die by `kill -9`.

CRASH_SCALE=full runs the full figures (20 and 50 kills, 10,000 operations); otherwise 5 and 20, and 2,000.
"""

import asyncio
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.campaigns.crash.ledger import Act, Finding, Outcome, check, read_log, read_rows
from tests.campaigns.crash.workload import OK, Workload, learn_flow
from tests.campaigns.support.figures import show
from tests.campaigns.support.server import Server, running
from tests.campaigns.support.wire import LostError, Wire

pytestmark = [pytest.mark.campaign, pytest.mark.alone]

NETWORK = "paderborn"
FULL = os.environ.get("CRASH_SCALE") == "full"
OPERATIONS, POSTGRES_KILLS, WORKER_KILLS = (10_000, 20, 50) if FULL else (2_000, 5, 20)
POSTGRES_BACK_S, WORKER_BACK_S = 10.0, 2.0
LANES = 12
LOSSES_TRIED = 8


@dataclass(slots=True)
class Blows:
    """What was killed and how long it took until something was acknowledged that was asked after the blow."""

    postgres_s: list[float] = field(default_factory=list)
    worker_s: list[float] = field(default_factory=list)
    both_s: list[float] = field(default_factory=list)

    def slow(self) -> list[str]:
        """Return the blows after which the server was back too late."""
        late = [f"PostgreSQL: {took:.2f} s" for took in self.postgres_s + self.both_s if took > POSTGRES_BACK_S]
        return late + [f"worker: {took:.2f} s" for took in self.worker_s if took > WORKER_BACK_S]


async def back_after(server: Server, work: Workload, struck_at: float) -> float:
    """Return the seconds from a blow until the first acknowledgement of a request that began after it."""
    deadline = struck_at + 60.0
    while time.monotonic() < deadline:
        answers = (sent.answer for sent in reversed(work.sent[-400:]) if sent.answer is not None)
        after = [answer.ended_at for answer in answers if answer.began_at > struck_at]
        if after:
            return min(after) - struck_at
        await asyncio.sleep(0.02)
    raise TimeoutError(f"nothing acknowledged for 60 s after a kill; {server.output_end()}")


async def workers_back(server: Server, struck_at: float) -> float:
    """Return the seconds from a blow until there are as many workers as before and every new connection is answered."""
    while time.monotonic() < struck_at + 60.0:
        if len(await asyncio.to_thread(server.granian_workers)) >= server.workers and await answers_all(server):
            return time.monotonic() - struck_at
        await asyncio.sleep(0.02)
    raise TimeoutError("a killed worker did not come back")


async def answers_all(server: Server) -> bool:
    """Say whether `/ready` answers 200 on many new connections, which the kernel spreads over the workers."""
    wires = [Wire(server.port, longest_s=1.0) for _ in range(8 * server.workers)]
    try:
        answers = await asyncio.gather(*(wire.get("/ready") for wire in wires))
        return all(answer.status == OK for answer in answers)
    except LostError:
        return False
    finally:
        for wire in wires:
            wire.close()


async def strike(server: Server, work: Workload, blows: Blows, chance: random.Random) -> None:
    """Kill PostgreSQL and workers in a random order, each time under load, and take the time."""
    odd = server.workers > 1
    # One blow of a round hits both: the new worker finds no database.
    order = ["both"] + ["postgres"] * (POSTGRES_KILLS // 2 - 1 + (POSTGRES_KILLS % 2) * odd)
    order += ["worker"] * (WORKER_KILLS // 2 - 1 + (WORKER_KILLS % 2) * odd)
    chance.shuffle(order)
    for target in order:
        await asyncio.sleep(0.2 + chance.random())
        if target == "postgres":
            struck_at = await asyncio.to_thread(server.kill_postgres)
            blows.postgres_s.append(await back_after(server, work, struck_at))
        elif target == "both":
            struck_at = await asyncio.to_thread(server.kill_postgres)
            await asyncio.to_thread(server.kill_worker, chance.randrange(8))
            blows.both_s.append(max(await back_after(server, work, struck_at), await workers_back(server, struck_at)))
        else:
            struck_at = await asyncio.to_thread(server.kill_worker, chance.randrange(8))
            back_s = await back_after(server, work, struck_at)
            # With more than one worker the others go on answering: what must come back is the killed one.
            blows.worker_s.append(back_s if server.workers == 1 else max(back_s, await workers_back(server, struck_at)))


async def campaign(server: Server, work: Workload, blows: Blows, operations: int) -> None:
    """Work on all lanes until every blow has fallen and enough was acknowledged."""
    lanes = [asyncio.create_task(work.run(lane)) for lane in range(LANES)]
    try:
        await strike(server, work, blows, random.Random(server.workers))
        while work.acknowledged() < operations:  # noqa: ASYNC110 - a count, reached once
            await asyncio.sleep(0.1)
    finally:
        work.enough.set()
        await asyncio.gather(*lanes)


async def audit(server: Server, work: Workload, baseline: int) -> list[Finding]:
    """Hold what the partner was told against log and tables, read as the superuser."""
    connection = await server.sql()
    try:
        log, rows = await read_log(connection, NETWORK), await read_rows(connection, NETWORK)
    finally:
        await connection.close()
    return check(work.acts, log, rows, baseline)


async def log_size(server: Server) -> int:
    """Return the number of leaves the network's log has now."""
    connection = await server.sql()
    try:
        return len(await read_log(connection, NETWORK))
    finally:
        await connection.close()


async def repeat_everything(server: Server, work: Workload) -> list[str]:
    """Send every keyed request once more; return what did not come back with the same status and bytes."""
    access, wire = server.partner(NETWORK, work.flow.partner), Wire(server.port)
    different = []
    for sent in work.sent:
        if sent.act.key is None or sent.answer is None:
            continue
        again = await wire.post(sent.path, sent.body, await access.headers(sent.act.key))
        same = (again.status, again.body) == (sent.answer.status, sent.answer.body)
        if not same or again.headers.get("idempotency-replayed") != "true":
            different.append(f"{sent.act}: {sent.answer.body!r} and then {again}")
    wire.close()
    return different


async def read_decisions(server: Server, work: Workload, most: int) -> list[str]:
    """Read acknowledged decisions back; return those that are not the same bytes again."""
    access, wire = server.partner(NETWORK, work.flow.partner), Wire(server.port)
    decisions = [sent for sent in work.sent if sent.act.kind == "decision" and sent.answer is not None]
    different = []
    for sent in random.Random(0).sample(decisions, min(most, len(decisions))):
        assert sent.answer is not None
        again = await wire.get(f"/api/v1/decisions/{sent.act.event_id}", await access.headers())
        if (again.status, again.body) != (200, sent.answer.body):
            different.append(f"{sent.act}: {again}")
    wire.close()
    return different


def test_nothing_acknowledged_is_lost_by_kill_9(capsys: pytest.CaptureFixture[str]) -> None:
    """Every acknowledged operation is in log and tables once, where its answer said, whatever was killed."""
    blows, acts, problems = Blows(), [], []
    with running("crash") as server:
        for workers in (1, 2):
            if workers != server.workers:
                server.stop()
                server.workers = workers
                server.start()
            done = asyncio.run(one_round(server, blows))
            acts += done.acts
            problems += done.problems
        server.stop()
    counted = Counter(f"{act.kind} {act.outcome.name.lower()}" for act in acts)
    back = f"PostgreSQL {worst(blows.postgres_s)}, worker {worst(blows.worker_s)}, both {worst(blows.both_s)}"
    show(capsys, f"crash: {dict(counted)}; back after {back}")
    assert problems == []
    assert blows.slow() == []
    both = len(blows.both_s)
    assert (len(blows.postgres_s) + both, len(blows.worker_s) + both) == (POSTGRES_KILLS, WORKER_KILLS)
    assert sum(act.outcome is Outcome.ACKNOWLEDGED for act in acts) >= OPERATIONS


@dataclass(slots=True)
class Round:
    """What one round of work and blows left behind."""

    acts: list[Act]
    problems: list[object]


async def one_round(server: Server, blows: Blows) -> Round:
    """Work under blows with the server's number of workers, then compare everything with everything."""
    flow = await learn_flow(server, NETWORK)
    baseline = await log_size(server)
    work = Workload(server, flow, seed=server.workers)
    await campaign(server, work, blows, OPERATIONS // 2)
    problems: list[object] = [*work.surprises]
    problems += await repeat_everything(server, work)
    problems += await audit(server, work, baseline)
    problems += await read_decisions(server, work, 300)
    return Round(work.acts, problems)


def worst(times: list[float]) -> str:
    """Format the middle and the longest of some times."""
    ordered = sorted(times)
    return f"{ordered[len(ordered) // 2]:.2f} s (longest {ordered[-1]:.2f} s)"


def test_control_without_synchronous_commit_loses_some() -> None:
    """The same checker reports missing answers when the application's commits do not wait for the disk."""
    with running("crash-control", target="tests.campaigns.defects.asynchronous_commits:create_app") as server:
        asyncio.run(commit_without_waiting(server))
        server.stop()
        server.start()
        assert any(asyncio.run(loses(server, seed)) for seed in range(100, 100 + LOSSES_TRIED))


async def commit_without_waiting(server: Server) -> None:
    """Switch the defect on: for this role in this database it wins over the role's own setting."""
    connection = await server.sql()
    try:
        await connection.execute(
            "alter role consent_registry_app in database consent_registry set synchronous_commit = off"
        )
    finally:
        await connection.close()


async def loses(server: Server, seed: int) -> bool:
    """Kill PostgreSQL once under load; say whether the checker misses something acknowledged."""
    flow = await learn_flow(server, NETWORK)
    baseline = await log_size(server)
    work = Workload(server, flow, seed, pause_s=0.005)
    lanes = [asyncio.create_task(work.run(lane)) for lane in range(LANES)]
    await asyncio.sleep(1.0)
    await asyncio.to_thread(server.kill_postgres)
    work.enough.set()
    await asyncio.gather(*lanes)
    await asyncio.to_thread(server.wait_ready, 30.0)
    return any(finding.promise == "missing" for finding in await audit(server, work, baseline))
