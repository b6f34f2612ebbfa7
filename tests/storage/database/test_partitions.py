"""The log's monthly partitions are created ahead or late, late ones take their rows from DEFAULT, and `/ready` warns
before they run out.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest

from consent_registry.operations.background import housekeeping
from consent_registry.storage.database.partitions import (
    MONTHS_AHEAD,
    PartitionState,
    make_event_partitions,
    partition_state,
    settle_partitions,
)
from tests.operations.background.test_housekeeping import keep
from tests.support.installation import ROLES, Registry
from tests.support.small_network import question

PARTITIONS = """
select c.relname, c.relrowsecurity and c.relforcerowsecurity as guarded, pg_get_expr(c.relpartbound, c.oid) as bound,
    has_table_privilege($1, c.oid, 'select, insert, update, delete, truncate') as open
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'registry.events'::regclass order by 1
"""

EVENTS = "select * from registry.events order by network_id, log_index"
SOUND = PartitionState(MONTHS_AHEAD, default_holds_rows=False)


def months(number: int) -> list[str]:
    """The names of the partitions of last month, this month and `number` more."""
    today = datetime.now(UTC)
    ordinals = range(today.year * 12 + today.month - 2, today.year * 12 + today.month + number)
    return [f"events_{ordinal // 12}{ordinal % 12 + 1:02}" for ordinal in ordinals]


async def after_the_first_round(registry: Registry) -> None:
    """Wait until the application's first housekeeping is over, so that it does not repair what a test breaks."""
    while not registry.app.state.housekeeping.rounds:  # noqa: ASYNC110 - it notifies nobody
        await asyncio.sleep(0.01)


async def test_partitions_are_made_ahead(registry: Registry) -> None:
    """Thirteen months ahead and DEFAULT have partitions, which the application cannot use directly."""
    async with registry.sql() as connection:
        rows = await connection.fetch(PARTITIONS, ROLES["app"])
    assert [row["relname"] for row in rows] == [*months(13), "events_default"]
    assert [row["bound"] for row in rows].count("DEFAULT") == 1
    assert all(row["guarded"] and not row["open"] for row in rows)


async def test_a_missing_month_is_made_again(registry: Registry) -> None:
    """A missing month's partition is created, with the same protection as the others."""
    await after_the_first_round(registry)
    async with registry.sql() as connection:
        before = await connection.fetch(PARTITIONS, ROLES["app"])
        for name in months(13)[-2:]:
            await connection.execute(f"drop table registry.{name}")
        assert len(await connection.fetch(PARTITIONS, ROLES["app"])) == len(before) - 2
        await keep(registry)
        assert await connection.fetch(PARTITIONS, ROLES["app"]) == before


async def test_doing_it_twice_changes_nothing(registry: Registry) -> None:
    """A second process that creates partitions finds nothing to do."""
    await keep(registry)
    async with registry.sql() as connection:
        before = await connection.fetch(PARTITIONS, ROLES["app"])
        await keep(registry)
        assert await connection.fetch(PARTITIONS, ROLES["app"]) == before


async def lose(sql: asyncpg.Connection, names: Sequence[str]) -> None:
    """Remove months' partitions and move their rows to DEFAULT, as if nobody had created them."""
    async with sql.transaction():
        await sql.execute("lock table registry.events in access exclusive mode")
        await sql.execute("create temporary table kept on commit drop as select * from registry.events where false")
        for name in names:
            await sql.execute(f"insert into kept select * from registry.{name}")  # noqa: S608 - our own tables
            await sql.execute(f"drop table registry.{name}")
        await sql.execute("insert into registry.events select * from kept")


async def state(registry: Registry) -> PartitionState:
    """Return the state of the partitions as the application reads it."""
    async with registry.sql("app") as connection:
        return await partition_state(connection)


async def test_rows_that_default_took_move_to_their_month(fresh_registry: Registry) -> None:
    """Without partitions for this and next month decisions go into DEFAULT; when the partitions are created the rows
    move there byte by byte, and everything is protected as before.
    """
    await after_the_first_round(fresh_registry)
    north = await fresh_registry.partner("north")
    async with fresh_registry.sql() as sql:
        before = await sql.fetch(PARTITIONS, ROLES["app"])
        await lose(sql, months(1)[1:])
        assert await state(fresh_registry) == PartitionState(-1, default_holds_rows=True)
        answer = await north.post("/decisions", question("N-1"))
        assert answer.status_code == 200
        rows = await sql.fetch(EVENTS)
        assert await sql.fetchval("select count(*) from registry.events_default") == len(rows) > 1
        await keep(fresh_registry)
        assert await state(fresh_registry) == SOUND
        assert await sql.fetch(PARTITIONS, ROLES["app"]) == before
        assert await sql.fetch(EVENTS) == rows
        assert await sql.fetchval(f"select count(*) from registry.{months(0)[-1]}") == len(rows)  # noqa: S608 - ours
    again = await north.get(f"/decisions/{answer.json()['decision_id']}")
    assert (again.status_code, again.content) == (200, answer.content)
    assert (await north.post("/decisions", question("N-1"))).status_code == 200


async def test_rows_of_no_month_stay_in_default(fresh_registry: Registry) -> None:
    """A row years ahead, from a wrong clock, stays in DEFAULT with a warning; this month's rows move."""
    await after_the_first_round(fresh_registry)
    async with fresh_registry.sql() as sql:
        await sql.execute("insert into registry.events select (e).* from (select e from registry.events e limit 1) e")
        far = "update registry.events_default set at = at + interval '9 years' where ctid = '(0,1)'"
        await lose(sql, months(0)[1:])
        await sql.execute(far)
        total = await sql.fetchval("select count(*) from registry.events")
        await keep(fresh_registry)
        assert await state(fresh_registry) == PartitionState(MONTHS_AHEAD, default_holds_rows=True)
        assert await sql.fetchval("select count(*) from registry.events_default") == 1
        assert await sql.fetchval("select count(*) from registry.events") == total


async def test_too_many_rows_wait_for_the_migrator(fresh_registry: Registry) -> None:
    """Too many rows to move within a request's time give a warning with the cure, and `consent-registry migrate` moves
    them.
    """
    await after_the_first_round(fresh_registry)
    told: list[str] = []
    async with fresh_registry.sql() as sql, fresh_registry.sql("app") as app:
        await lose(sql, months(1)[1:])
        app.add_log_listener(lambda _, message: told.append(str(message)))
        assert await app.fetchval("select registry.make_event_partitions(13, 0)") == 0
        await asyncio.sleep(0.05)  # a notice is delivered by the event loop's next rounds
        assert "run consent-registry migrate" in told[0]
        assert (await state(fresh_registry)).months_ahead == -1
        assert await settle_partitions(fresh_registry.installation.dsn(fresh_registry.database, "migrator")) == 2
    assert await state(fresh_registry) == SOUND


async def test_decisions_go_on_while_months_are_made(fresh_registry: Registry) -> None:
    """Creating partitions blocks no decision, even in an open transaction; the control, a partition created in place,
    blocks all.
    """
    await after_the_first_round(fresh_registry)
    north = await fresh_registry.partner("north")
    async with fresh_registry.sql() as sql, fresh_registry.sql("app") as app:
        await lose(sql, months(13)[-2:])
        # A process's first decision asks the whole log how late it was.
        assert (await north.post("/decisions", question("N-1"))).status_code == 200
        async with app.transaction():
            assert await make_event_partitions(app) == 2
            for _ in range(3):
                assert (await north.post("/decisions", question("N-1"))).status_code == 200
        async with sql.transaction():
            far = "for values from ('9999-01-01') to (maxvalue)"
            await sql.execute(f"create table registry.events_far partition of registry.events {far}")
            assert (await north.post("/decisions", question("N-1"))).status_code == 503


async def test_rows_move_under_load_without_a_failure(fresh_registry: Registry) -> None:
    """While eight callers decide without a pause, this month's partition is lost and created again ten times: every
    answer is 200, and each decision is in the log once and readable by its sender.
    """
    await after_the_first_round(fresh_registry)
    north = await fresh_registry.partner("north")
    answers: list[httpx.Response] = []
    over = asyncio.Event()

    async def ask_on() -> None:
        while not over.is_set():
            answers.append(await north.post("/decisions", question("N-1")))

    askers = [asyncio.create_task(ask_on()) for _ in range(8)]
    async with fresh_registry.sql() as sql, fresh_registry.sql("app") as app:
        for _ in range(10):
            await lose(sql, months(0)[1:])
            await asyncio.sleep(0.1)
            assert (await state(fresh_registry)).months_ahead == -1
            assert await make_event_partitions(app) == 1
            await asyncio.sleep(0.1)
        over.set()
        await asyncio.gather(*askers)
        assert {answer.status_code for answer in answers} == {200}
        made = [answer.json()["decision_id"] for answer in answers]
        assert len(made) > 50
        found = await sql.fetch("select event_id::text from registry.events where event_id = any ($1)", made)
    assert sorted(row["event_id"] for row in found) == sorted(made)
    for answer in answers[:: len(answers) // 20]:
        assert (await north.get(f"/decisions/{answer.json()['decision_id']}")).content == answer.content
    assert await state(fresh_registry) == SOUND


async def test_a_table_in_the_way_is_told(fresh_registry: Registry) -> None:
    """A table with a month's name that is no partition is reported."""
    await after_the_first_round(fresh_registry)
    async with fresh_registry.sql() as sql, fresh_registry.sql("app") as app:
        await sql.execute(f"alter table registry.events detach partition registry.{months(13)[-1]}")
        with pytest.raises(asyncpg.DuplicateTableError):
            await make_event_partitions(app)


async def test_ready_names_what_an_operator_must_see_to(fresh_registry: Registry) -> None:
    """With fewer than two months ahead, or rows in DEFAULT, `/ready` is 200 with a warning."""
    await after_the_first_round(fresh_registry)
    warnings = fresh_registry.app.state.warnings
    ready: dict[int, object] = {}
    async with fresh_registry.sql() as sql:
        for left in (2, 1, -1):
            await lose(
                sql,
                [
                    name
                    for name in months(13)[2 + left :]
                    if await sql.fetchval("select to_regclass($1)", f"registry.{name}")
                ],
            )
            await warnings.refresh()
            answer = await fresh_registry.http.get("/ready")
            assert answer.status_code == 200
            ready[left] = answer.json()
        assert ready[2] == {"status": "ready"}
        assert ready[1] == {"status": "ready", "warnings": ["partitions: fewer than 2 months ahead have one"]}
        assert ready[-1] == {
            "status": "ready",
            "warnings": [
                "partitions: fewer than 2 months ahead have one",
                "partitions: the default partition of events holds rows",
            ],
        }
        await keep(fresh_registry)
        await warnings.refresh()
        assert (await fresh_registry.http.get("/ready")).json() == {"status": "ready"}


async def test_a_day_without_a_round_is_told(fresh_registry: Registry) -> None:
    """Housekeeping runs hourly, and soon after a failure; after a day without a success `/ready` warns."""
    assert housekeeping.SOON < housekeeping.PERIOD <= 3600
    await after_the_first_round(fresh_registry)
    fresh_registry.app.state.housekeeping.done_at -= 24 * 3600 + 1
    await fresh_registry.app.state.warnings.refresh()
    told = (await fresh_registry.http.get("/ready")).json()
    assert told == {"status": "ready", "warnings": ["housekeeping: no round has gone well for a day"]}
