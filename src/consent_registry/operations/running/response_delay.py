"""Answers leave evenly, whatever it took to find them: one thread keeps the time for all that wait.

What is known of a person changes an answer's cost by some microseconds, and the mean of many would tell
(docs/silence.md). The event loop's timers would tell as well: they count whole milliseconds from when the loop last
woke, which is when the work was done. A thread for each answer would cost more than deciding it.
"""

import asyncio
import math
import os
import secrets
import select
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

# Because a processor that slept longer wakes a little later, chance adds up to two fifths: so many thousandths.
_CHANCE = 400
Answer = TypeVar("Answer")
Leave = Callable[[], None]


class ResponseScheduler:
    """Calls what is to be called when its moment (of `time.monotonic`) has come.

    Thread and bell are made for the first that waits, and so in the worker: a bell made before workers are forked would
    be one for all of them.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, asyncio.AbstractEventLoop, Leave]] = []
        self._number = count()
        self._looks_at = math.inf
        self._lock = threading.Lock()
        self._bell: int | None = None

    def call_at(self, moment: float, leave: Leave) -> None:
        """Have `leave` called by the running event loop at this moment; now, when that is over."""
        if moment <= time.monotonic():
            leave()
            return
        with self._lock:
            bell = self._bell or self._begin()
            heappush(self._waiting, (moment, next(self._number), asyncio.get_running_loop(), leave))
            is_next = moment < self._looks_at
            if is_next:
                self._looks_at = moment
        if is_next:
            with suppress(BlockingIOError):  # so many rings are unheard that one more says nothing
                os.write(bell, b"\0")

    def _begin(self) -> int:
        heard, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        threading.Thread(target=self._keep, args=(heard,), name="response scheduler", daemon=True).start()
        return self._bell

    def _keep(self, heard: int) -> None:
        while True:
            for loop, leaving in self._due().items():
                with suppress(RuntimeError):  # the loop was closed: nobody waits
                    loop.call_soon_threadsafe(_call_all, leaving)
            # Not a lock's timeout or time.sleep, which name the kernel an absolute moment: where another clock is put
            # before the machine's, as the clock campaigns do, the kernel refuses that.
            pause = None if self._looks_at == math.inf else max(0.0, self._looks_at - time.monotonic())
            rung, _, _ = select.select([heard], [], [], pause)
            if rung:
                os.read(heard, 4096)

    def _due(self) -> dict[asyncio.AbstractEventLoop, list[Leave]]:
        """Take out what has come due, by the event loops that are to call it."""
        due: dict[asyncio.AbstractEventLoop, list[Leave]] = {}
        with self._lock:
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, loop, leave = heappop(self._waiting)
                due.setdefault(loop, []).append(leave)
            self._looks_at = self._waiting[0][0] if self._waiting else math.inf
        return due


def _call_all(leaving: Sequence[Leave]) -> None:
    for leave in leaving:
        leave()


SCHEDULER = ResponseScheduler()
"""The one that keeps the time for this process."""


def response_moment(seconds: float) -> float:
    """When an answer that is to take so long leaves, if it is asked for now: by chance up to two fifths later."""
    return time.monotonic() + seconds * (1 + secrets.randbelow(_CHANCE) / 1000)


async def respond_after(seconds: float, answering: Awaitable[Answer]) -> Answer:
    """What `answering` returns or raises, so many seconds from now, or when it is there if that is later."""
    moment = response_moment(seconds)
    try:
        return await answering
    finally:
        come = asyncio.get_running_loop().create_future()
        SCHEDULER.call_at(moment, partial(_come, come))
        await come


def _come(come: asyncio.Future[None]) -> None:
    if not come.done():  # who asked may be gone
        come.set_result(None)
