"""SIGTERM under load, fifty times: whatever the server had taken on it finishes, and nothing of it stays behind.

`shutdown.in_flight` says what counts as in flight. Most lanes keep their connection, some open one for each
request, as software without a connection pool does.
"""

import asyncio
import base64
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from tests.campaigns.crash.ledger import Entry, read_log
from tests.campaigns.crash.shutdown import GOOD, Attempt, judge
from tests.campaigns.crash.workload import CREATED, OK, UNAVAILABLE, Flow, learn_flow
from tests.campaigns.support.figures import show
from tests.campaigns.support.server import Server, running
from tests.campaigns.support.wire import LostError, Progress, Wire

pytestmark = pytest.mark.campaign

NETWORK = "paderborn"
TIMES = 50
KEEPING_LANES, OPENING_LANES = 14, 2


@dataclass(slots=True)
class Stop:
    """One SIGTERM: when it was sent, every request around it, and the places the answers named."""

    signalled_at: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    places: dict[int, bytes] = field(default_factory=dict)
    took_s: float = 0.0
    code: int | None = None

    def pending(self) -> int:
        """Count the answered requests that were sent before the signal and answered after it."""
        answered = (each for each in self.attempts if each.status in GOOD and each.sent_at is not None)
        return sum((each.sent_at or 0.0) <= self.signalled_at < each.ended_at for each in answered)


async def ask(server: Server, flow: Flow, stop: Stop, lane: int, *, keep: bool) -> None:
    """Ask for decisions, or register clients, each about a client of its own, until nobody listens any more."""
    access, wire = server.partner(flow.network, flow.partner), Wire(server.port)
    headers = await access.headers()
    for number in range(1_000_000):
        reference = f"stop-{lane}-{number}-{stop.signalled_at}-{random.getrandbits(32)}"
        try:
            if lane % 4:
                answer = await wire.post("/api/v1/decisions", {**flow.request, "client": reference}, headers)
            else:
                answer = await wire.post("/api/v1/clients", {"reference": reference}, headers)
        except LostError as lost:
            stop.attempts.append(Attempt(reference, lost.sent_at, None, lost.progress))
            if lost.progress is Progress.NOT_CONNECTED:
                return
            continue
        proper = answer.status != UNAVAILABLE or "retry-after" in answer.headers
        attempt = Attempt(reference, answer.sent_at, answer.status, None, proper, ended_at=answer.ended_at)
        stop.attempts.append(attempt)
        if answer.status == OK:
            place = answer.json()["log"]
            stop.places[place["index"]] = base64.b64decode(place["leaf"])
        elif answer.status != CREATED:
            await asyncio.sleep(0.01)
        if not keep:
            wire.close()


async def stop_under_load(
    server: Server, flow: Flow, seconds: float, how: Callable[[Server], None] = Server.terminate
) -> Stop:
    """Let all lanes ask, send SIGTERM in the middle (or stop in another way), wait for the end."""
    stop = Stop()
    lanes = [ask(server, flow, stop, lane, keep=lane < KEEPING_LANES) for lane in range(KEEPING_LANES + OPENING_LANES)]
    asking = [asyncio.create_task(lane) for lane in lanes]
    await asyncio.sleep(seconds)
    assert server.process is not None
    process = server.process
    stop.signalled_at = time.monotonic()
    how(server)
    await asyncio.gather(*asking)
    await asyncio.to_thread(process.wait, 30.0)
    stop.took_s, stop.code = time.monotonic() - stop.signalled_at, process.returncode
    return stop


async def tail(server: Server, baseline: int) -> list[Entry]:
    """Read what was added to the log since it had `baseline` entries."""
    connection = await server.sql()
    try:
        return await read_log(connection, NETWORK, baseline)
    finally:
        await connection.close()


def with_records(stop: Stop, added: list[Entry]) -> list[Attempt]:
    """Look up in the log what became of the requests whose answer names no place in it."""
    return [
        attempt if attempt.status == OK else replace(attempt, recorded=any(e.names(attempt.reference) for e in added))
        for attempt in stop.attempts
    ]


def unrecorded(stop: Stop, added: list[Entry]) -> list[str]:
    """Return the answers whose leaf is not where they said."""
    leaves = {entry.index: entry.leaf for entry in added if entry.opens()}
    lost = [f"index {index} is not in the log" for index, leaf in stop.places.items() if leaves.get(index) != leaf]
    registered = [each for each in with_records(stop, added) if each.status == CREATED]
    return lost + [f"{each.reference} is not in the log" for each in registered if not each.recorded]


def summary(stops: list[Stop]) -> str:
    """Say what was measured."""
    attempts = [attempt for stop in stops for attempt in stop.attempts]
    answered = sum(attempt.status in GOOD for attempt in attempts)
    pending = sum(stop.pending() for stop in stops)
    late = sum(attempt.sent_at is not None and attempt.status is None for attempt in attempts)
    return (
        f"sigterm: {len(stops)} stops, {answered} answered, {pending} of them pending at the signal,"
        f" {late} sent after it and closed without a byte, slowest stop {max(stop.took_s for stop in stops):.2f} s"
    )


def test_sigterm_fails_no_request_in_flight(capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty stops under load: every request in flight is answered and recorded, and no process is left."""
    chance = random.Random(15)
    broken: list[str] = []
    stops: list[Stop] = []
    with running("sigterm") as server:
        flow, baseline = asyncio.run(learn_flow(server, NETWORK)), len(asyncio.run(tail(server, 0)))
        for number in range(TIMES):
            family = server.family()
            stops.append(asyncio.run(stop_under_load(server, flow, 0.2 + chance.random() * 0.5)))
            broken += [f"left behind by stop {number}: {each}" for each in server.left_of(family)]
            server.workers = 1 + number % 2
            server.start()
            added = asyncio.run(tail(server, baseline))
            baseline += len(added)
            stop = stops[-1]
            broken += [f"stop {number}: {each}" for each in judge(with_records(stop, added), stop.signalled_at)]
            broken += [f"stop {number}: {each}" for each in unrecorded(stop, added)]
            broken += [f"stop {number} ended with {stop.code}"] if stop.code else []
    show(capsys, summary(stops))
    assert broken == []


def test_control_a_stop_without_mercy_is_caught() -> None:
    """The same judge reports requests that failed when the server is killed instead."""
    broken: list[str] = []
    with running("sigterm-control") as server:
        flow, baseline = asyncio.run(learn_flow(server, NETWORK)), len(asyncio.run(tail(server, 0)))
        family = server.family()
        stop = asyncio.run(stop_under_load(server, flow, 0.5, kill_at_once))
        for process in family:
            process.wait(30.0)
        server.start()
        added = asyncio.run(tail(server, baseline))
        broken += judge(with_records(stop, added), stop.signalled_at)
        assert unrecorded(stop, added) == []
    assert broken


def kill_at_once(server: Server) -> None:
    """`kill -9` the server, whose workers and PostgreSQL must not outlive it."""
    assert server.process is not None
    server.process.kill()
