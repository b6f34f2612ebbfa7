"""Connections that nobody uses leave decisions alone: none fails, and the slowest take twice as long at most.

2,000 silent and 500 slow connections to one worker with CROWD_SCALE=full, fewer otherwise. Decisions go out on
connections of their own, each on a new one, before the crowd, beside it, and after it.
"""

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.campaigns.support.places import scratch
from tests.campaigns.support.scene import OK, Scene, register, scene
from tests.campaigns.support.server import ROOT, Server, lay_out
from tests.campaigns.support.wire import LostError

pytestmark = [pytest.mark.campaign, pytest.mark.alone]
IS_FULL = os.environ.get("CROWD_SCALE") == "full"
SILENT, SLOW, QUESTIONS = (2000, 500, 2000) if IS_FULL else (400, 100, 300)


@contextlib.contextmanager
def crowd(port: int, silent: int, slow: int) -> Iterator[None]:
    """Hold so many connections for the length of a block."""
    command = [sys.executable, "-m", "tests.campaigns.load.crowd", str(port), str(silent), str(slow)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "here\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def ask(stage: Scene, client: str, number: int) -> list[float | None]:
    """Ask so many times, each time on a new connection; gives the seconds of each answer, None for a failure."""
    person = stage.person(stage.sender)
    taken: list[float | None] = []
    for _ in range(number):
        person.wire.close()
        began_at = time.monotonic()
        try:
            answer = await person.post("/decisions", stage.outgoing()[0].question(client))
        except LostError:
            taken.append(None)
        else:
            taken.append(time.monotonic() - began_at if answer.status == OK else None)
    return taken


def p99(taken: list[float | None]) -> float:
    """Return the 99th percentile of the answers."""
    answered = sorted(seconds for seconds in taken if seconds is not None)
    return answered[int(len(answered) * 0.99)]


def judge(alone: list[float | None], beside: list[float | None]) -> list[str]:
    """Return what is wrong with decisions beside a crowd, compared with those without one."""
    failed = beside.count(None)
    if failed:
        return [f"{failed} of {len(beside)} decisions failed"]
    times = p99(beside) / p99(alone)
    return [f"p99 is {times:.1f} times as long"] if times > 2 else []


@contextlib.contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """Run a demonstration with these settings."""
    with scratch("crowd") as folder:
        environment = {f"CONSENT_REGISTRY_{name}": value for name, value in settings.items()}
        server = Server(lay_out(folder / "data"), environment=environment)
        server.start()
        try:
            yield server
        finally:
            server.stop(check=False)


async def test_a_crowd_leaves_decisions_alone() -> None:
    """With 2,500 connections held, decisions on others are answered as before."""
    with serving() as server:
        stage = await scene(server)
        client = f"CROWD-{uuid.uuid4()}"
        await register(stage.person(stage.sender), [client])
        await ask(stage, client, 50)
        alone = await ask(stage, client, QUESTIONS)
        with crowd(server.port, SILENT, SLOW):
            beside = await ask(stage, client, QUESTIONS)
        alone += await ask(stage, client, QUESTIONS)
        stage.close()
    sys.stdout.write(f"p99 alone {p99(alone) * 1000:.1f} ms, beside {p99(beside) * 1000:.1f} ms\n")
    assert judge(alone, beside) == []


async def test_without_deadlines_and_bound_of_now_a_crowd_is_found() -> None:
    """Control: with the deadline and the room of before, so many silent connections stop a worker."""
    with serving(HEAD_SECONDS="1000", CONNECTIONS="300") as server:
        stage = await scene(server)
        client = f"CROWD-{uuid.uuid4()}"
        await register(stage.person(stage.sender), [client])
        alone = await ask(stage, client, 50)
        with crowd(server.port, 400, 0):
            beside = await ask(stage, client, 50)
        stage.close()
    assert judge(alone, beside)
