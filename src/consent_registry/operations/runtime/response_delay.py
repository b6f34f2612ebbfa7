"""Constant-time responses: an answer is sent at a time that does not depend on the work it took.

The facts about a person change the cost of an answer by microseconds, and the mean of many answers would show that
(docs/silence.md). The event loop's timers would show it as well: they count whole milliseconds from the loop's last
wake-up, which is when the work was done. So one thread keeps the time for all waiting answers; a thread per answer
would cost more than the decision itself.
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

# A random part of up to two fifths, in thousandths, is added: a processor that slept longer wakes a little later.
_CHANCE = 400
ResponseValue = TypeVar("ResponseValue")
Send = Callable[[], None]


class ResponseScheduler:
    """Calls functions at given moments of `time.monotonic`.

    The thread, and the pipe that wakes it, are made at the first call that waits, so in the worker process: a pipe made
    before the workers are forked would be shared by all of them.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, asyncio.AbstractEventLoop, Send]] = []
        self._number = count()
        self._wakes_at = math.inf
        self._lock = threading.Lock()
        self._wake_pipe: int | None = None

    def call_at(self, moment: float, send: Send) -> None:
        """Have the running event loop call `send` at this moment; call it now if the moment has passed."""
        if moment <= time.monotonic():
            send()
            return
        with self._lock:
            wake_pipe = self._wake_pipe or self._begin()
            heappush(self._waiting, (moment, next(self._number), asyncio.get_running_loop(), send))
            is_next = moment < self._wakes_at
            if is_next:
                self._wakes_at = moment
        if is_next:
            with suppress(BlockingIOError):  # the pipe is full, so the thread wakes anyway
                os.write(wake_pipe, b"\0")

    def _begin(self) -> int:
        read_end, self._wake_pipe = os.pipe()
        os.set_blocking(self._wake_pipe, False)
        threading.Thread(target=self._keep, args=(read_end,), name="response scheduler", daemon=True).start()
        return self._wake_pipe

    def _keep(self, read_end: int) -> None:
        while True:
            for loop, due in self._due().items():
                with suppress(RuntimeError):  # the loop was closed: nobody waits
                    loop.call_soon_threadsafe(_call_all, due)
            # select, because it takes a duration. A lock's timeout and time.sleep pass the kernel an absolute moment,
            # which it refuses where another clock replaces the machine's, as in the clock campaigns.
            pause = None if self._wakes_at == math.inf else max(0.0, self._wakes_at - time.monotonic())
            readable, _, _ = select.select([read_end], [], [], pause)
            if readable:
                os.read(read_end, 4096)

    def _due(self) -> dict[asyncio.AbstractEventLoop, list[Send]]:
        """Take out the functions that are due, by the event loop that must call them."""
        due: dict[asyncio.AbstractEventLoop, list[Send]] = {}
        with self._lock:
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, _, loop, send = heappop(self._waiting)
                due.setdefault(loop, []).append(send)
            self._wakes_at = self._waiting[0][0] if self._waiting else math.inf
        return due


def _call_all(due: Sequence[Send]) -> None:
    for send in due:
        send()


SCHEDULER = ResponseScheduler()
"""The scheduler of this process."""


def response_moment(seconds: float) -> float:
    """The moment to send an answer that must take `seconds` from now, plus a random part of up to two fifths."""
    return time.monotonic() + seconds * (1 + secrets.randbelow(_CHANCE) / 1000)


async def respond_after(seconds: float, answering: Awaitable[ResponseValue]) -> ResponseValue:
    """Return or raise what `answering` does, `seconds` from now plus a random part, or later if it takes longer."""
    moment = response_moment(seconds)
    try:
        return await answering
    finally:
        reached = asyncio.get_running_loop().create_future()
        SCHEDULER.call_at(moment, partial(_set_reached, reached))
        await reached


def _set_reached(reached: asyncio.Future[None]) -> None:
    if not reached.done():  # the caller may have gone away
        reached.set_result(None)
