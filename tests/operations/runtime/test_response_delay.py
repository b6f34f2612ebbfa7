"""The response scheduler calls each function at its moment and never before, whatever else is scheduled."""

import asyncio
import random
import subprocess
import sys
import time
from functools import partial

from consent_registry.operations.runtime.response_delay import ResponseScheduler

# Two workers forked from a process that has a scheduler already; each of them schedules three hundred calls.
WORKERS = """
import asyncio, os, time
from consent_registry.operations.runtime.response_delay import ResponseScheduler

keeper = ResponseScheduler()


async def wait() -> None:
    for _ in range(100):
        calls = [asyncio.Event() for _ in range(3)]
        for pause, call in zip((3, 1, 2), calls):
            keeper.call_at(time.monotonic() + pause / 1000, call.set)
        await asyncio.gather(*(call.wait() for call in calls))


children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        asyncio.run(wait())
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""


async def _called_after(keeper: ResponseScheduler, seconds: float) -> float:
    """How long after its moment a function is called, in seconds."""
    called = asyncio.get_running_loop().create_future()
    moment = time.monotonic() + seconds
    keeper.call_at(moment, partial(called.set_result, None))
    await called
    return time.monotonic() - moment


async def test_nothing_is_called_before_its_moment() -> None:
    """Of 500 moments in any order, some of them past, none is early and all are reached."""
    keeper, chance = ResponseScheduler(), random.Random(4)
    late = await asyncio.gather(*(_called_after(keeper, chance.uniform(-0.01, 0.05)) for _ in range(500)))
    assert min(late) >= 0


async def test_a_sooner_moment_is_kept_while_a_later_one_is_waited_for() -> None:
    """The thread that waits for a later moment is woken for a sooner one."""
    keeper = ResponseScheduler()
    later = asyncio.create_task(_called_after(keeper, 60))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(_called_after(keeper, 0.01), 30)
    assert not later.done()
    later.cancel()


def test_a_loop_that_was_closed_holds_nothing_up() -> None:
    """A call for an event loop that was closed meanwhile is dropped; the calls for other loops are made."""
    keeper = ResponseScheduler()

    async def go() -> None:
        keeper.call_at(time.monotonic() + 0.02, asyncio.Event().set)

    asyncio.run(go())
    assert asyncio.run(asyncio.wait_for(_called_after(keeper, 0.05), 30)) >= 0


def test_each_worker_has_a_thread_and_a_pipe_of_its_own() -> None:
    """Workers forked from a process with a scheduler do not share its pipe, and every call is made."""
    done = subprocess.run([sys.executable, "-c", WORKERS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[0, 0]"
