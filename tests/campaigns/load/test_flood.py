"""Ten partners, of which one floods: the nine others' decisions are answered, and the slowest take twice as long at
most. With a quota the flooder hears 429 for the rest, with the time to come again.

The nine ask now and then, each answer timed; the flooder is a process of its own. Twice as long is compared with the
same nine without a flood. A batch is one commit, and no other entry comes between its own: beside batches of a thousand
a question may wait for one of them as well, for as long as its entries take in this very database.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.campaigns.load.flood import BATCH, Heard, Kind, Task
from tests.campaigns.support.quotas import give_quotas
from tests.campaigns.support.server import ROOT, Server, running
from tests.campaigns.support.wire import Wire

pytestmark = pytest.mark.campaign
NETWORK = "widunetz"
SECONDS = 60.0 if os.environ.get("FLOOD_SCALE") == "full" else 10.0
WARMING_S = 2.0
# Between two questions of one connection, on average; each of the nine has so many connections.
PAUSE_S, CONNECTIONS = 0.2, 2
TIMES, TRIALS = 2.0, 3


@dataclass(slots=True)
class Heard9:
    """What the nine heard in one stretch of time, and how long they waited for it."""

    statuses: list[int] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    def p99_ms(self) -> float:
        """Return the wait that one answer in a hundred exceeds."""
        return 1000 * sorted(self.waits_s)[int(len(self.waits_s) * 0.99)]


class Ten:
    """Ten partners of one network, and the question each asks about a client nobody knows."""

    def __init__(self, server: Server, purpose: str, category: str) -> None:
        self.server = server
        self.partners = server.network(NETWORK)["partners"][:10]
        self._about = {"purpose": purpose, "categories": [category]}

    @classmethod
    async def of(cls, server: Server) -> "Ten":
        """Ask the network for a purpose and a category."""
        async with server.partner(NETWORK, server.network(NETWORK)["partners"][0]["slug"]).http() as http:
            first = [(await http.get(f"/api/v1/{noun}")).json()["items"][0] for noun in ("purposes", "data-categories")]
        return cls(server, *(partner["slug"] for partner in first))

    def question(self, slug: str) -> dict[str, Any]:
        """Return a question of this partner to another."""
        recipient = next(partner["slug"] for partner in self.partners if partner["slug"] != slug)
        return self._about | {"client": "NOBODY-1", "recipient": recipient}

    async def ask(self, seconds: float) -> Heard9:
        """Let the nine ask for so long."""
        heard, until = Heard9(), time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for partner in self.partners[1:]:
                for _ in range(CONNECTIONS):
                    group.create_task(self._ask(partner["slug"], heard, until))
        return heard

    async def _ask(self, slug: str, heard: Heard9, until: float) -> None:
        access, wire = self.server.partner(NETWORK, slug), Wire(self.server.port)
        await access.headers()
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_S))
            answer = await wire.post("/api/v1/decisions", self.question(slug), await access.headers())
            heard.statuses.append(answer.status)
            heard.waits_s.append(answer.ended_at - answer.began_at)
        wire.close()

    @asynccontextmanager
    async def flooded(self, kind: Kind) -> AsyncIterator[list[Heard]]:
        """Let the first partner flood for the length of a block; afterwards the list holds what it heard."""
        first = self.partners[0]
        task = Task(
            kind, self.server.port, NETWORK, first["slug"], first["client_id"], first["client_secret"],
            self.question(first["slug"]),
        )  # fmt: skip
        command = [sys.executable, "-m", "tests.campaigns.load.flood"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        await asyncio.sleep(WARMING_S)
        heard: list[Heard] = []
        try:
            yield heard
        finally:
            process.stdin.close()
            said, _ = await process.communicate()
            heard.append(msgspec.json.decode(said, type=Heard))


async def trials(server: Server, kind: Kind) -> tuple[Heard9, Heard9, Heard]:
    """Let the nine ask with and without a flood; half of what they ask alone they ask before it, half afterwards."""
    ten = await Ten.of(server)
    await ten.ask(WARMING_S)
    alone = await ten.ask(SECONDS / 2)
    async with ten.flooded(kind) as flooders:
        beside = await ten.ask(SECONDS)
    after = await ten.ask(SECONDS / 2)
    alone.statuses += after.statuses
    alone.waits_s += after.waits_s
    return alone, beside, flooders[0]


def judge(alone: Heard9, beside: Heard9, may_find_ms: float = 0.0) -> list[str]:
    """Return what is wrong with the nine's answers beside a flood, compared with those without one; each may find the
    log taken for so long.
    """
    failed = [status for status in beside.statuses if status != 200]
    if failed:
        return [f"{len(failed)} of {len(beside.statuses)} decisions failed: {sorted(set(failed))}"]
    times = (beside.p99_ms() - may_find_ms) / alone.p99_ms()
    return [f"p99 is {times:.1f} times as long"] if times > TIMES else []


async def one_batch_ms(server: Server) -> float:
    """Return how long the log takes a batch's entries, in this database: the median of some that are rolled back."""
    taken = []
    connection = await server.sql()
    try:
        number = await connection.fetchval("select network_id from registry.networks where slug = $1", NETWORK)
        for _ in range(9):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(f"set local role consent_registry_app; set local registry.network = '{number}'")
            began_at = time.perf_counter()
            await connection.execute(ENTRIES, number, BATCH)
            taken.append(time.perf_counter() - began_at)
            await transaction.rollback()
    finally:
        await connection.close()
    return 1000 * sorted(taken)[len(taken) // 2]


ENTRIES = """
    select registry.append($1, now(), array_agg(gen_random_uuid()), array_agg(null::uuid), array_agg(1), array_agg(1),
        array_agg(2), array_agg(1::smallint), array_agg(1::smallint), array_agg(4::smallint), null,
        array_agg(convert_to(repeat('x', 500), 'UTF8')), array_agg(decode(repeat('00', 32), 'hex')),
        array_agg(decode(repeat('00', 33), 'hex')))
    from generate_series(1, $2)
"""


def tell(kind: str, alone: Heard9, beside: Heard9, flooder: Heard) -> None:
    """Print the figures."""
    sys.stdout.write(
        f"{kind}: p99 alone {alone.p99_ms():.1f} ms, beside {beside.p99_ms():.1f} ms; "
        f"the flooder heard {dict(flooder.statuses)}\n"
    )


KINDS: Sequence[Kind] = ("questions", "writes", "batches")


@pytest.mark.alone
@pytest.mark.parametrize("kind", KINDS)
async def test_a_flood_leaves_the_others_alone(kind: Kind) -> None:
    """Without any quota, a partner that floods makes the nine others wait twice as long at most.

    What else the machine does can only make them wait longer. So one trial of three that holds is enough; the control
    has one trial, and fails it by far.
    """
    with running("flood") as server:
        for _ in range(TRIALS):
            may_find_ms = await one_batch_ms(server) if kind == "batches" else 0.0
            alone, beside, flooder = await trials(server, kind)
            tell(kind, alone, beside, flooder)
            sys.stdout.write(f"a batch's entries take {may_find_ms:.1f} ms\n")
            found = judge(alone, beside, may_find_ms)
            assert set(beside.statuses) == {200}
            if not found:
                break
    assert found == []


@pytest.mark.alone
async def test_without_shares_a_flood_is_found() -> None:
    """Control: where all wait in one queue as they come, batches of one partner hold up everybody."""
    with running("flood-control", target="tests.campaigns.defects.single_queue:create_app") as server:
        may_find_ms = await one_batch_ms(server)
        alone, beside, flooder = await trials(server, "batches")
    tell("one queue, batches", alone, beside, flooder)
    assert judge(alone, beside, may_find_ms)


@pytest.mark.parametrize("kind", KINDS)
async def test_with_a_quota_the_rest_is_429(kind: Kind, tmp_path: Path) -> None:
    """With quotas the flooder is answered until it has had its share, and hears 429 and when to come again for the
    rest; the others, who ask less, hear nothing of it.
    """
    with running("flood-quota") as server:
        ten = await Ten.of(server)
        await give_quotas(
            *(server, NETWORK, tmp_path),
            decisions=QUOTAS["questions"],
            batch_items=QUOTAS["batches"],
            writes=QUOTAS["writes"],
        )
        async with ten.flooded(kind) as flooders:
            beside = await ten.ask(SECONDS / 2)
    statuses = flooders[0].statuses
    assert set(beside.statuses) == {200}
    assert statuses.pop(429) == flooders[0].with_retry_after > 0
    good = statuses.pop(201 if kind == "writes" else 200)
    assert not statuses
    # A minute's quota at once, and what grows back in the seconds meanwhile.
    assert 1 <= good * (BATCH if kind == "batches" else 1) <= QUOTAS[kind] * 2


# By kind of flood: what a partner of the network may ask in a minute, which the nine do not reach.
QUOTAS = {"questions": 600, "batches": 3000, "writes": 60}
