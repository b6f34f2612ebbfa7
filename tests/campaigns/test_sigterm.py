"""SIGTERM under load, fifty times: whatever the server had taken on it finishes, and nothing of it stays behind.

`shutdown.in_flight` says what counts as in flight. Most lanes keep their connection, some open one for each
request, as software without a connection pool does.
"""

import asyncio
import base64
import random
import time
from dataclasses import dataclass, field, replace

import pytest

from tests.campaigns.ledger import Entry, read_log
from tests.campaigns.server import Server, running
from tests.campaigns.shutdown import Attempt, judge
from tests.campaigns.wire import LostError, Progress, Wire
from tests.campaigns.workload import UNAVAILABLE, Flow, learn_flow

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


async def ask(server: Server, flow: Flow, stop: Stop, lane: int, *, keep: bool) -> None:
    """Ask for one decision after the other, each about a client of its own, until nobody listens any more."""
    access, wire = server.partner(flow.network, flow.partner), Wire(server.port)
    headers = await access.headers()
    for number in range(1_000_000):
        reference = f"stop-{lane}-{number}-{stop.signalled_at}-{random.getrandbits(32)}"
        try:
            answer = await wire.post("/api/v1/decisions", {**flow.request, "client": reference}, headers)
        except LostError as lost:
            stop.attempts.append(Attempt(reference, lost.sent_at, None, lost.progress))
            if lost.progress is Progress.NOT_CONNECTED:
                return
            continue
        proper = answer.status != UNAVAILABLE or "retry-after" in answer.headers
        stop.attempts.append(Attempt(reference, answer.sent_at, answer.status, None, proper))
        if answer.status == 200:
            place = answer.json()["log"]
            stop.places[place["index"]] = base64.b64decode(place["leaf"])
        else:
            await asyncio.sleep(0.01)
        if not keep:
            wire.close()


async def stop_under_load(server: Server, flow: Flow, seconds: float) -> Stop:
    """Let all lanes ask, send SIGTERM in the middle, wait for the end."""
    stop = Stop()
    lanes = [ask(server, flow, stop, lane, keep=lane < KEEPING_LANES) for lane in range(KEEPING_LANES + OPENING_LANES)]
    asking = [asyncio.create_task(lane) for lane in lanes]
    await asyncio.sleep(seconds)
    assert server.process is not None
    process = server.process
    stop.signalled_at = time.monotonic()
    server.terminate()
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
    """Look up in the log what became of the requests that have no answer."""
    return [
        attempt if attempt.status == 200 else replace(attempt, recorded=any(e.names(attempt.reference) for e in added))
        for attempt in stop.attempts
    ]


def unrecorded(stop: Stop, added: list[Entry]) -> list[str]:
    """Return the answers whose leaf is not where they said."""
    leaves = {entry.index: entry.leaf for entry in added if entry.opens()}
    return [f"index {index} is not in the log" for index, leaf in stop.places.items() if leaves.get(index) != leaf]


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
    with capsys.disabled():
        attempts = [attempt for stop in stops for attempt in stop.attempts]
        answered = sum(attempt.status == 200 for attempt in attempts)
        late = sum(attempt.sent_at is not None and attempt.status is None for attempt in attempts)
        slowest = max(stop.took_s for stop in stops)
        print(
            f"\nsigterm: {TIMES} stops, {answered} answered, {late} closed without a byte, slowest stop {slowest:.2f} s"
        )
    assert broken == []
