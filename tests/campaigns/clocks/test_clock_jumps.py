"""Clocks that jump by two hours and by a day, the application's, the database's and both: no expired consent is
permitted, service goes on, and every decision is found again. Two registries that judge by another clock are caught.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest

from tests.campaigns.clocks.clocks import MARGIN, Asked, faults
from tests.campaigns.clocks.settable_clocks import NOW, SEEN_S, Timepiece, ticking
from tests.campaigns.support.figures import show
from tests.campaigns.support.scene import CREATED, OK, Flow, Person, Scene, play, register

pytestmark = pytest.mark.system

# Until every process has read its own clock again, and then the database's.
DWELL_S = SEEN_S + 2.5
# From when it is given until it ends: over soon, over after two hours' jump, after a day's, after none.
LASTING = {"MOMENT": 0.001, "HOUR": 1.0, "EVENING": 12.0, "YEAR": 9000.0}
HOURS, DAY = timedelta(hours=2), timedelta(days=1)


@dataclass(slots=True)
class Visit:
    """One partner asking through all phases."""

    piece: Timepiece
    stage: Scene
    flow: Flow
    ends: dict[str, datetime] = field(default_factory=dict)
    latest: datetime | None = None
    asked: list[Asked] = field(default_factory=list)
    decisions: dict[str, bytes] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    async def prepare(self) -> None:
        """Record the consents, given three days ago."""
        person = self.stage.person(self.flow.sender)
        await register(person, list(LASTING))
        begun = self.piece.database.now()
        for client, hours in LASTING.items():
            self.ends[client] = begun + timedelta(hours=hours)
            body = self.stage.consent(
                client,
                [self.flow.grant()],
                valid_from=wire(begun - 3 * DAY),
                valid_until=wire(self.ends[client]),
            )
            body["act"]["given_at"] = wire(begun - 3 * DAY)
            answer = await person.post("/consents", body, key=f"given-{client}")
            assert answer.status == CREATED, answer.body
        await asyncio.sleep((self.ends["MOMENT"] + MARGIN - self.piece.database.now()).total_seconds() + 1)

    async def phase(self, name: str, app: timedelta = NOW, database: timedelta = NOW) -> None:
        """Set the clocks, wait until every process has seen it, and ask about everybody, on fresh connections."""
        self.piece.set(app, database)
        await asyncio.sleep(DWELL_S)
        person = self.stage.person(self.flow.sender)
        await self._tokens(name, person)
        for _ in range(4):
            for client, until in self.ends.items():
                at = self.piece.database.now()
                self.latest = max(self.latest or at, at)
                answer = await person.again().post("/decisions", self.flow.question(client))
                said = answer.json() if answer.status == OK else {}
                self.asked.append(Asked(name, at, self.latest, until, said.get("outcome")))
                if said:
                    self.decisions[said["decision_id"]] = answer.body
                    if abs(datetime.fromisoformat(said["decided_at"]) - at) > timedelta(seconds=3):
                        self.broken.append(f"{name}: decided at {said['decided_at']}, the database's clock shows {at}")
        await self._reread(name, person)
        await self._ready(name, app - database)

    async def _tokens(self, name: str, person: Person) -> None:
        """The token at hand is good while this machine's clock is within its ten minutes, and a new one always is."""
        held = person.access.held()
        if held is not None:
            token, issued_at = held
            age = self.piece.app.now() - issued_at
            known = await asyncio.to_thread(self._me, token)
            if known != (OK if timedelta(seconds=-4) < age < timedelta(minutes=9) else httpx.codes.UNAUTHORIZED):
                self.broken.append(f"{name}: {known} for a token that is {age} old")
        person.access.forget()
        await person.access.headers()

    def _me(self, token: str) -> int:
        url = f"http://127.0.0.1:{self.stage.server.port}/api/v1/me"
        return httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code

    async def _reread(self, name: str, person: Person) -> None:
        """Every tenth decision so far, and the last ones, whenever they were made, are answered again byte by byte."""
        everything = list(self.decisions.items())
        for decision_id, body in everything[::10] + everything[-4:]:
            answer = await person.get(f"/decisions/{decision_id}")
            if (answer.status, answer.body) != (OK, body):
                self.broken.append(f"{name}: decision {decision_id} is not found again: {answer.status}")

    async def _ready(self, name: str, apart: timedelta) -> None:
        """Ready all the time, with a warning exactly while the clocks differ."""
        url = f"http://127.0.0.1:{self.stage.server.port}/ready"
        answer = await asyncio.to_thread(httpx.get, url)
        warned = "clock" in answer.text
        if answer.status_code != OK or warned is not bool(apart):
            self.broken.append(f"{name}: /ready says {answer.status_code} {answer.text}")


def wire(at: datetime) -> str:
    """Return an instant as the interface writes it."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def log_faults(piece: Timepiece) -> list[str]:
    """Every network's log has each index once and no id twice."""
    connection = await piece.sql()
    rows = await connection.fetch(
        "select network_id, count(*) as events, count(distinct event_id) as ids, max(log_index) + 1 as size,"
        " count(distinct log_index) as places from registry.events group by 1"
    )
    await connection.close()
    return [str(dict(row)) for row in rows if not row["events"] == row["ids"] == row["size"] == row["places"]]


JUMPS: Sequence[tuple[str, timedelta, timedelta]] = [
    ("nothing", NOW, NOW),
    *((f"application {jump}", jump, NOW) for jump in (HOURS, -HOURS, DAY, -DAY)),
    ("database two hours back", NOW, -HOURS),
    ("database two hours on", NOW, HOURS),
    ("database back again", NOW, NOW),
    ("both a day back", -DAY, -DAY),
    ("both a day on", DAY, DAY),
    ("both two hours back", -HOURS, -HOURS),
    ("database a day back", NOW, -DAY),
]


def test_no_jump_revives_a_consent(capsys: pytest.CaptureFixture[str]) -> None:
    """Through all jumps, and by workers that began after them, with two workers: 0 faults."""

    async def through(stage: Scene) -> Visit:
        visit = Visit(piece, stage, stage.outgoing()[0])
        await visit.prepare()
        for name, app, database in JUMPS:
            await visit.phase(name, app, database)
        for number in range(2):
            await asyncio.to_thread(stage.server.kill_worker, number)
        await asyncio.to_thread(stage.server.wait_ready, 30.0)
        await visit.phase("other workers, both two hours back", -HOURS, -HOURS)
        return visit

    with ticking("clock-jumps", workers=2) as piece:
        visit = play(piece.server, through)
        visit.broken += asyncio.run(log_faults(piece))
    show(capsys, f"clock jumps: {len(visit.asked)} decisions in {len(JUMPS) + 1} phases")
    assert faults(visit.asked) + visit.broken == []
    assert {question.outcome for question in visit.asked} == {"permit", "no_permission"}


@pytest.mark.parametrize(
    ("factory", "app", "database"),
    [("create_app", -HOURS, NOW), ("create_app_that_forgets", NOW, HOURS)],
    ids=["by the application's clock", "without a memory"],
)
def test_control_another_clock_is_caught(factory: str, app: timedelta, database: timedelta) -> None:
    """The same judge sees the expired consent that such a registry permits after a jump or two."""

    async def through(stage: Scene) -> Visit:
        visit = Visit(piece, stage, stage.outgoing()[0])
        await visit.prepare()
        await visit.phase("nothing")
        await visit.phase("a jump", app, database)
        await visit.phase("back again")
        return visit

    with ticking("clock-control", target=f"tests.campaigns.defects.wrong_clocks:{factory}") as piece:
        visit = play(piece.server, through)
    assert any("expired consent was permitted" in fault for fault in faults(visit.asked))
