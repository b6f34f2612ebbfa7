"""Turns: how many requests of one caller are under way at once, alone and while others ask."""

import asyncio
from collections.abc import Callable

import pytest

from consent_registry.domain.errors import CannotRecord
from consent_registry.operations.runtime.turns import CONNECTED, RECENT, SHARED, TurnKind, Turns

KINDS: list[TurnKind] = ["questions", "batches", "commands", "constant-time commands", "reads"]
MANY = 30


class Clock:
    """A clock in seconds that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


async def take(turns: Turns, kind: TurnKind, number: int) -> tuple[list[Callable[[], None]], list[asyncio.Task[None]]]:
    """Let a caller ask so often at once; return the functions that give its turns back, and all its requests."""
    had: list[Callable[[], None]] = []

    async def ask() -> None:
        had.append(await turns.take("north", kind))

    waiting = [asyncio.create_task(ask()) for _ in range(number)]
    await asyncio.sleep(0)
    return had, waiting


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_alone_waits_for_nobody(kind: TurnKind) -> None:
    """A caller alone has as many turns as it asks for, or as many as the process has connections."""
    had, waiting = await take(Turns(), kind, MANY)
    assert len(had) == MANY
    had, waiting = await take(Turns(5), kind, MANY)
    most = 5 if kind in CONNECTED else MANY
    assert len(had) == most
    had.pop()()
    await asyncio.sleep(0)
    assert len(had) == (5 if kind in CONNECTED else MANY - 1)
    for request in waiting:
        request.cancel()


@pytest.mark.parametrize("kind", KINDS)
async def test_beside_others_it_has_few_turns(kind: TurnKind) -> None:
    """A caller has few turns while another asks, and for RECENT seconds after that; each answer gives the next turn."""
    clock = Clock()
    turns = Turns(20, clock)
    (await turns.take("south", "questions"))()
    had, waiting = await take(turns, kind, MANY)
    assert len(had) == SHARED[kind]
    for answered in range(1, MANY - SHARED[kind] + 1):
        had.pop()()
        await asyncio.sleep(0)
        assert len(had) == SHARED[kind]
        assert sum(request.done() for request in waiting) == SHARED[kind] + answered
    clock.now = RECENT
    more, waiting = await take(turns, kind, MANY)
    assert len(had) + len(more) == (20 if kind in CONNECTED else SHARED[kind] + MANY)
    for request in waiting:
        request.cancel()


async def test_acts_and_reads_share_one_bound() -> None:
    """A caller alone that sends commands, constant-time commands and reads at once has so many connections in all; a
    free one goes to any kind that waits.
    """
    turns = Turns(5)
    taken = [await take(turns, kind, MANY) for kind in CONNECTED]
    assert [len(had) for had, _ in taken] == [5, 0, 0]
    for waiting in taken[0][1]:
        waiting.cancel()
    await asyncio.sleep(0)
    taken[0][0].pop()()
    await asyncio.sleep(0)
    assert [len(had) for had, _ in taken] == [4, 1, 0]
    # A request of the third kind gets the turn when the request that was just given it is cancelled.
    taken[0][0].pop()()
    next(request for request in taken[1][1] if not request.done()).cancel()
    for request in taken[1][1]:
        request.cancel()
    await asyncio.gather(*taken[1][1], return_exceptions=True)
    await asyncio.sleep(0)
    assert [len(had) for had, _ in taken] == [3, 1, 1]
    for request in taken[2][1]:
        request.cancel()


async def test_kinds_and_callers_do_not_wait_for_each_other() -> None:
    """A batch under way delays neither the caller's own questions nor another caller's batch."""
    turns = Turns()
    (await turns.take("south", "batches"))()
    for kind in KINDS:
        for _ in range(SHARED[kind]):
            await turns.take("north", kind)
    await turns.take("south", "batches")


async def test_who_is_gone_leaves_its_turn() -> None:
    """A request that is cancelled while it waits keeps no turn, not even one given to it at that moment."""
    turns = Turns()
    (await turns.take("south", "commands"))()
    had, waiting = await take(turns, "commands", 4)
    assert len(had) == 1
    waiting[1].cancel()
    had.pop()()  # the next request is cancelled just as it is given its turn
    waiting[2].cancel()
    await asyncio.gather(*waiting[:3], return_exceptions=True)
    await asyncio.sleep(0)
    assert len(had) == 1
    assert waiting[3].done()
    had.pop()()
    assert len((await take(turns, "commands", 1))[0]) == 1


async def test_too_many_that_wait_are_told_to_come_again() -> None:
    """One request too many is refused with a time for the next attempt; the requests that wait go on waiting."""
    turns = Turns(most_waiting=3)
    (await turns.take("south", "commands"))()
    had, waiting = await take(turns, "commands", 4)
    with pytest.raises(CannotRecord) as refused:
        await turns.take("north", "commands")
    assert refused.value.retry_after == 1
    for _ in waiting:
        had.pop()()
        await asyncio.sleep(0)
    assert all(request.done() for request in waiting)
