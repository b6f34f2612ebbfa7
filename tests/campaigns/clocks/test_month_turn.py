"""The month turns while partners decide: with partitions made ahead, and with none, so that DEFAULT takes the rows and
they are moved while decisions go on. Nothing fails, nothing is lost.
"""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from consent_registry.storage.database.partitions import PartitionState, make_event_partitions, partition_state
from consent_registry.storage.database.roles import role_names
from tests.campaigns.clocks.settable_clocks import SEEN_S, Timepiece, ticking
from tests.campaigns.support.figures import show
from tests.campaigns.support.scene import OK, Person, Scene, play
from tests.campaigns.support.wire import Answer

pytestmark = pytest.mark.system

CALLERS = 6
NOT_AUTHENTIC = 401
BEFORE_S, AFTER_S = SEEN_S + 3.0, 3.0
MONTHS = (datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC))


class Load:
    """Callers that decide without a pause until they are told that it is over."""

    def __init__(self, stage: Scene) -> None:
        self.stage = stage
        self.answers: list[Answer] = []
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Decide until the end."""
        flow = self.stage.outgoing()[0]
        first = self.stage.person(flow.sender)
        first.access.forget()
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(self._call(first.again(), flow.question(f"NOBODY-{number}")))

    def stop(self) -> None:
        """Let each caller have its last answer."""
        self._over.set()

    async def _call(self, person: Person, question: dict[str, object]) -> None:
        """Decide, signing in again once where a token counts as over: several threads read libfaketime's file, and
        one that reads it badly sees the machine's own time for a moment. A second 401 in a row is an answer like any.
        """
        while not self._over.is_set():
            answer = await person.post("/decisions", question)
            if answer.status == NOT_AUTHENTIC:
                person.access.forget()
                answer = await person.post("/decisions", question)
            self.answers.append(answer)


async def turn(piece: Timepiece, stage: Scene, month: datetime, sql: asyncpg.Connection) -> tuple[list[Answer], int]:
    """Decide from seconds before a month begins to seconds after; returns the answers and how many moves were made."""
    early = month - timedelta(seconds=BEFORE_S) - datetime.now(UTC)
    piece.set(early, early)
    await asyncio.sleep(SEEN_S)
    load, moves = Load(stage), 0
    working = asyncio.create_task(load.run())
    await asyncio.sleep(BEFORE_S - SEEN_S + AFTER_S)
    app = await piece.sql(role_names()["app"])
    if (await partition_state(sql)).months_ahead < 0:
        moves = await make_event_partitions(app)
    await app.close()
    await asyncio.sleep(1.0)
    load.stop()
    await working
    return load.answers, moves


async def lose_months(sql: asyncpg.Connection) -> None:
    """Drop every partition of a month to come, as if nobody had made one for a year."""
    rows = await sql.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass", EVENTS
    )
    for name in sorted(row["name"] for row in rows):
        if re.search(r"_\d{6}$", name) and not await sql.fetchval(f"select exists (select from {name})"):  # noqa: S608
            await sql.execute(f"drop table {name}")


EVENTS = "registry.events"


async def faults(sql: asyncpg.Connection, answers: list[Answer], month: datetime) -> list[str]:
    """What went wrong: refused or lost decisions, a turn that was none, rows that are not in their month."""
    found = [f"{answer.status} {answer.body[:200]!r}" for answer in answers if answer.status != OK]
    made = {answer.json()["decision_id"]: answer.json()["decided_at"] for answer in answers if answer.status == OK}
    rows = await sql.fetch(
        "select event_id::text, at, tableoid::regclass::text as place from registry.events where event_id = any ($1)",
        list(made),
    )
    if len(rows) != len(made):
        found.append(f"{len(made)} decisions were answered, {len(rows)} are in the log")
    sides = {row["at"] >= month for row in rows}
    if sides != {True, False}:
        found.append("the month did not turn")
    found += [f"{row['at']} in {row['place']}" for row in rows if f"events_{row['at']:%Y%m}" not in row["place"]]
    state = await partition_state(sql)
    if state.months_ahead < 0 or state.default_holds_rows:
        found.append(str(state))
    return found


def test_the_month_turns(capsys: pytest.CaptureFixture[str]) -> None:
    """Once into a partition that was made ahead, once into DEFAULT: 0 failures, and each decision in its month."""

    async def through(stage: Scene) -> list[str]:
        sql = await piece.sql()
        found, told = [], []
        for month, ahead in zip(MONTHS, (True, False), strict=True):
            if not ahead:
                await lose_months(sql)
            answers, moves = await turn(piece, stage, month, sql)
            told.append(f"{len(answers)} decisions, {moves} partitions made under them")
            found += await faults(sql, answers, month)
            if (moves > 0) is ahead:
                found.append(f"{moves} partitions were made")
        await sql.close()
        show(capsys, f"month turn: {'; '.join(told)}")
        return found

    with ticking("month-turn", workers=2) as piece:
        assert play(piece.server, through) == []


def test_control_rows_that_stay_behind_are_seen() -> None:
    """Turned without partitions and without anybody who makes them, the same judge finds the rows in DEFAULT."""

    async def through(stage: Scene) -> list[str]:
        sql = await piece.sql()
        await lose_months(sql)
        await sql.execute("alter function registry.make_event_partitions(integer, bigint) rename to hidden")
        await sql.execute(
            "create function registry.make_event_partitions(integer, bigint default 0) returns integer language sql"
            " security definer as 'select 0'"
        )
        answers, _ = await turn(piece, stage, MONTHS[0], sql)
        found = await faults(sql, answers, MONTHS[0])
        await sql.close()
        return found

    with ticking("month-turn-control") as piece:
        found = play(piece.server, through)
    assert any("events_default" in fault for fault in found)
    assert str(PartitionState(-1, default_holds_rows=True)) in found
