"""Turns: a caller may have few requests under way while others ask as well, and more while it is alone.

The requests that one caller sends at once take the time of this process, connections and the log's lock from all
others. So its next requests wait until earlier ones are answered. A caller alone does not wait: it holds up nobody.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Literal

from consent_registry.domain.errors import CannotRecord

# Questions are decisions, a few at once; the answers of constant-time commands are sent after a constant time.
TurnKind = Literal["questions", "batches", "commands", "constant-time commands", "reads"]
# How many may be under way while others ask. A command has the log's lock for itself, a batch has it for long;
# decisions share a transaction.
SHARED: dict[TurnKind, int] = {"questions": 8, "batches": 1, "commands": 1, "constant-time commands": 2, "reads": 2}
# Each request of these kinds has a connection to the database for itself; decisions share one.
CONNECTED: tuple[TurnKind, ...] = ("commands", "constant-time commands", "reads")
# Seconds for which a caller counts as asking after its last request.
RECENT = 10.0
# So many requests of one caller and kind may wait; one more is refused.
WAITING = 1024


class _Line:
    """One caller's requests of one kind: the number under way, and those that wait, in the order of arrival."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self.under_way = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Wait until a request under way is answered; the turn is counted when this returns."""
        if len(self.waiting) >= self._most_waiting:
            raise CannotRecord("Too many requests of this caller are waiting. Ask again shortly.", retry_after=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The request was given the turn and cannot take it.
                self.under_way -= 1
            raise

    def wake(self, most: float) -> None:
        """Give free turns to the requests that have waited longest."""
        while self.waiting and self.under_way < most:
            turn = self.waiting.popleft()
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)


class Turns:
    """Counts each caller's requests under way in one process, and lets further ones wait.

    `connections` limits how many requests of the kinds in CONNECTED, taken together, a caller may have under way, alone
    or not; None is no limit.
    """

    def __init__(
        self,
        connections: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        most_waiting: int = WAITING,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._most_waiting = most_waiting
        self._lines: dict[tuple[str, TurnKind], _Line] = {}
        # The last caller, when it asked, and when another caller last asked.
        self._last = ""
        self._last_at = self._other_at = float("-inf")

    async def take(self, caller: str, kind: TurnKind) -> Callable[[], None]:
        """Wait for this caller's turn; the returned function gives it back. Raises CannotRecord when too many wait."""
        if caller != self._last:
            self._last, self._other_at = caller, self._last_at
        self._last_at = self._clock()
        line = self._line(caller, kind)
        if line.waiting or line.under_way >= self._most(caller, kind):
            try:
                await line.wait()
            except asyncio.CancelledError:
                self._wake(line, caller, kind)  # it may have been given a turn in this moment
                raise
        else:
            line.under_way += 1
        return partial(self._give_back, line, caller, kind)

    def _give_back(self, line: _Line, caller: str, kind: TurnKind) -> None:
        line.under_way -= 1
        self._wake(line, caller, kind)

    def _wake(self, line: _Line, caller: str, kind: TurnKind) -> None:
        line.wake(self._most(caller, kind))
        if kind in CONNECTED:
            # A request of another kind may be waiting for the connection that is free now.
            for connected in CONNECTED:
                self._line(caller, connected).wake(self._most(caller, connected))

    def _line(self, caller: str, kind: TurnKind) -> _Line:
        line = self._lines.get((caller, kind))
        if line is None:
            line = self._lines[caller, kind] = _Line(self._most_waiting)
        return line

    def _most(self, caller: str, kind: TurnKind) -> float:
        """How many requests of this kind the caller may have under way now."""
        others_at = self._other_at if caller == self._last else self._last_at
        most = SHARED[kind] if self._clock() - others_at < RECENT else float("inf")
        if kind in CONNECTED and self._connections is not None:
            elsewhere = sum(self._line(caller, connected).under_way for connected in CONNECTED if connected != kind)
            most = min(most, self._connections - elsewhere)
        return most
