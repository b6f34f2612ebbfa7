"""Searches, reads, acts, withdrawals and link codes tell nothing of what others keep of a person: neither by their work
nor by their time. Decisions have a campaign of their own (`test_silence.py`).
"""

import itertools
import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.campaigns.silence.ranks import auc
from tests.campaigns.silence.silence_doors import DOORS, ELSEWHERE, Door, Hall, Known
from tests.campaigns.silence.statements import Statements, difference, usual
from tests.campaigns.support.scene import Scene, play
from tests.campaigns.support.server import Server, running, serving

pytestmark = [pytest.mark.campaign, pytest.mark.alone]

TIMED = int(os.environ.get("SILENCE_DOORS", "60"))
REPETITIONS = 5
# Own consents that calls leave behind are spread over so many persons of each state.
EACH = max(2, TIMED // 50)
# Answers to acts leave after so many milliseconds, which is more than any takes on a machine with nothing else to do.
EVEN_ACTS_MS = "25"
FULL, FULL_BAND = 2500, 0.03
# The AUC of two samples of n equal times has a standard deviation of sqrt(1 / 6n): what is asked of a run at full size,
# few calls cannot show.
BAND = FULL_BAND if TIMED >= FULL else 4.5 * math.sqrt(1 / (6 * TIMED))
RARE = next(door for door in DOORS if door.name == "search for a rare status")
Figures = dict[tuple[str, str], float]
People = dict[str, list[Known]]


@dataclass(frozen=True, slots=True)
class Registry:
    """A server with persons of every state."""

    server: Server
    people: People


async def _people(stage: Scene, codes: int) -> People:
    hall = Hall.of(stage)
    return {state: [await hall.person(state, codes=codes) for _ in range(EACH)] for state in ELSEWHERE}


async def _analyze(stage: Scene) -> None:
    """Let the database know its tables as it does after a day's work."""
    database = await stage.server.sql()
    await database.execute("analyze")
    await database.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """One worker, so that one process's work is compared with itself."""
    with running("doors", workers=1) as server:
        people = play(server, lambda stage: _people(stage, TIMED // EACH + 1 + REPETITIONS))
        play(server, _analyze)
        with serving(server, EVEN_ACTS_MS=EVEN_ACTS_MS):
            yield Registry(server, people)


async def timed(stage: Scene, door: Door, people: People, requests: int) -> dict[str, list[float]]:
    """Call for persons of each state in random order; return the seconds each answer took."""
    hall = Hall.of(stage)
    seconds: dict[str, list[float]] = {state: [] for state in ELSEWHERE}
    for number in range(-EACH, requests):
        for state in random.sample(ELSEWHERE, len(ELSEWHERE)):
            call = await door.ready(hall, people[state][number % EACH])
            answer = await call()
            assert answer.status in door.statuses, answer.body
            if number >= 0:
                seconds[state].append(answer.ended_at - answer.began_at)
    return seconds


async def work(stage: Scene, door: Door, people: People) -> dict[str, tuple[str, ...]]:
    """Return the statements that a call costs in each state, as PostgreSQL logs them."""
    hall = Hall.of(stage)
    statements = await Statements.of(stage.server)
    seen: dict[str, list[tuple[str, ...]]] = {state: [] for state in ELSEWHERE}
    for number in range(REPETITIONS):
        for state in ELSEWHERE:
            call = await door.ready(hall, people[state][number % EACH])
            seen[state].append(await statements.caused_by(call))
    await statements.close()
    return {state: usual(times) for state, times in seen.items()}


def figures(seconds: dict[str, list[float]]) -> Figures:
    """Return for each pair of states how well their times tell them apart."""
    return {(a, b): auc(seconds[a], seconds[b]) for a, b in itertools.combinations(seconds, 2)}


def told_apart(door: Door, found: Figures) -> list[str]:
    """Say which pairs of states somebody who measures can tell apart, and print all figures of the run."""
    lines = {pair: f"{door.name}, {pair[0]} / {pair[1]}: AUC {area:.4f}" for pair, area in found.items()}
    print("\n".join(lines.values()))  # noqa: T201 - the figures of the run
    return [lines[pair] for pair, area in found.items() if abs(area - 0.5) > BAND]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_door_tells_nothing_of_what_others_keep(registry: Registry, door: Door) -> None:
    """No pair of states can be distinguished by the time that an answer takes, and PostgreSQL logs the same statements
    in the same order for all.
    """
    people = registry.people
    apart = told_apart(door, figures(play(registry.server, lambda stage: timed(stage, door, people, TIMED))))
    assert apart == []
    by_state = play(registry.server, lambda stage: work(stage, door, people))
    first = by_state[ELSEWHERE[0]]
    assert len(first) > 3, f"{door.name}: the log shows no work"
    for state, statements in by_state.items():
        assert statements == first, f"{door.name}, {state}: {difference(statements, first)}"


MINE = "any ((select registry.current_partners())::integer[])"
OF_BEFORE = (
    "network_id = (select registry.current_network())"
    f" and (sender_id = {MINE} or recipient_id = {MINE} or recorder_id = {MINE})"
)


async def policy(stage: Scene, rule: str) -> str:
    """Let rows of grants be read by this rule; return the one there was."""
    database = await stage.server.sql()
    before: str = await database.fetchval(
        "select pg_get_expr(polqual, polrelid) from pg_policy where polname = 'grants_read'"
    )
    await database.execute(f"alter policy grants_read on registry.grants using ({rule})")
    await database.close()
    return before


async def _before(stage: Scene) -> tuple[str, People]:
    """Let every party read a grant's rows; return the policy there was, and persons recorded from then on."""
    return await policy(stage, OF_BEFORE), await _people(stage, 0)


def test_the_policy_of_before_is_caught(registry: Registry) -> None:
    """Control: where rows of refusals can be read, a search for a rare status does more work for them, and its time
    shows it; it does not show what two others have with each other.
    """
    server = registry.server
    with serving(server, "tests.campaigns.defects.every_party_reads:create_app"):
        of_now, people = play(server, _before)
        try:
            control = figures(play(server, lambda stage: timed(stage, RARE, people, TIMED)))
            costs = play(server, lambda stage: work(stage, RARE, people))
        finally:
            play(server, lambda stage: policy(stage, of_now))
    assert costs["refused elsewhere"] != costs["nothing elsewhere"], "the control was not caught by its statements"
    apart = told_apart(RARE, control)
    assert any("refused elsewhere" in line for line in apart), f"the control was not caught: {control}"
    assert all("refused elsewhere" in line for line in apart), apart
