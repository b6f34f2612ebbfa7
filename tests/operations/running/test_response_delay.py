"""The keeper of time: what waits is called when its moment has come, not before, and whatever else waits."""

import asyncio
import random
import subprocess
import sys
import time
from functools import partial

from consent_registry.operations.running.response_delay import ResponseScheduler

# Two workers forked from a process that has a keeper already, in each of which three hundred are called.
WORKERS = """
import asyncio, os, time
from consent_registry.operations.running.response_delay import ResponseScheduler

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
    """How long after its moment something is called."""
    called = asyncio.get_running_loop().create_future()
    moment = time.monotonic() + seconds
    keeper.call_at(moment, partial(called.set_result, None))
    await called
    return time.monotonic() - moment


async def test_nothing_is_called_before_its_moment() -> None:
    """Of many moments in any order, those that are over among them, none is kept early and all are kept."""
    keeper, chance = ResponseScheduler(), random.Random(4)
    late = await asyncio.gather(*(_called_after(keeper, chance.uniform(-0.01, 0.05)) for _ in range(500)))
    assert min(late) >= 0


async def test_a_sooner_moment_is_kept_while_a_later_one_is_waited_for() -> None:
    """The thread that already waits for a later moment hears of a sooner one."""
    keeper = ResponseScheduler()
    later = asyncio.create_task(_called_after(keeper, 60))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(_called_after(keeper, 0.01), 30)
    assert not later.done()
    later.cancel()


def test_a_loop_that_was_closed_holds_nothing_up() -> None:
    """What was to be called by an event loop that is closed by now is passed over; another loop's is called."""
    keeper = ResponseScheduler()

    async def go() -> None:
        keeper.call_at(time.monotonic() + 0.02, asyncio.Event().set)

    asyncio.run(go())
    assert asyncio.run(asyncio.wait_for(_called_after(keeper, 0.05), 30)) >= 0


def test_each_worker_has_a_thread_and_a_bell_of_its_own() -> None:
    """Workers forked from one process with a keeper do not hear each other's bells, and everything is called."""
    done = subprocess.run([sys.executable, "-c", WORKERS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[0, 0]"
