"""No permit that began after a withdrawal was acknowledged, and a log that reads so; a 50 ms cache is caught."""

import asyncio
import json
import os
import random
from collections import Counter
from typing import Any

import pytest

from tests.campaigns.freshness.freshness import Decided, Entry, Withdrawn, faults, log_faults
from tests.campaigns.freshness.hot_clients import Hands
from tests.campaigns.support.scene import Scene, play
from tests.campaigns.support.server import running
from tests.campaigns.support.wire import Progress

pytestmark = [pytest.mark.campaign, pytest.mark.alone]

OPERATIONS = int(os.environ.get("FRESHNESS_OPERATIONS", "10000"))
KILLS = int(os.environ.get("FRESHNESS_KILLS", "0"))
CONTROL = 3000
SEED = int(os.environ.get("FRESHNESS_SEED", str(random.SystemRandom().getrandbits(32))))


async def load(stage: Scene, operations: int, kills: int = 0) -> tuple[Hands, list[Entry]]:
    """Send the load and read the log it left, from the first event after its beginning on."""
    sql = await stage.server.sql()
    query = "select coalesce(max(log_index) + 1, 0) from leaves join networks using (network_id) where slug = $1"
    first = await sql.fetchval(query, stage.network)
    hands = Hands(stage, operations, random.Random(SEED))
    async with asyncio.TaskGroup() as group:
        work = group.create_task(hands.run())
        for number in range(1, kills + 1):
            while hands.sent < operations * number // (kills + 1) and not work.done():  # noqa: ASYNC110 - a rough mark
                await asyncio.sleep(0.05)
            await asyncio.to_thread(stage.server.kill_worker, number)
    rows = await sql.fetch(
        "select log_index, event from events join networks using (network_id)"
        " where slug = $1 and log_index >= $2 order by log_index",
        stage.network,
        first,
    )
    await sql.close()
    return hands, [entry(row["log_index"], json.loads(row["event"])) for row in rows]


def entry(index: int, event: dict[str, Any]) -> Entry:
    """Return what the freshness checker needs to know of one event."""
    kind, client = event["kind"], event["client"]
    if kind == "consent":
        given = [grant for grant in event["grants"] if grant["answer"] == "given"]
        grants = {g["grant"]: frozenset((flow(g), category) for category in g["categories"]) for g in given}
        return Entry(index, kind, client, grants)
    if kind == "withdrawal":
        taken = {grant["grant"]: _part(grant["categories"]) for grant in event["grants"]}
        return Entry(index, kind, client, taken=taken)
    if kind == "late_withdrawal":
        # A paper that was in flight when the withdrawal was received is withdrawn from the start.
        late = {item["grant"]: _part(item["categories"]) for item in event["taken_back"]}
        return Entry(index, "withdrawal", client, taken=late)
    if kind == "decision":
        permitted = frozenset((flow(event), category) for category in event["permitted"])
        return Entry(index, kind, client, permitted=permitted)
    return Entry(index, kind, client)


def _part(categories: list[str] | None) -> frozenset[str] | None:
    return None if categories is None else frozenset(categories)


def flow(facts: dict[str, Any]) -> str:
    """Name the flow of a grant or decision as the load does; the sender of a decision is its actor."""
    return f"{facts.get('sender', facts.get('actor'))}>{facts['recipient']}:{facts['purpose']}"


def numbers(hands: Hands) -> Counter[str]:
    """Count what the history is made of, so that an idle campaign cannot pass."""
    found: Counter[str] = Counter(type(operation).__name__.lower() for operation in hands.history)
    found["everything"], found["late papers"] = hands.everything, hands.late
    found["permits"] = sum(isinstance(o, Decided) and bool(o.permitted) for o in hands.history)
    ended = {(o.client, o.answered) for o in hands.history if isinstance(o, Withdrawn)}
    soon = ((d.client, d.started) for d in hands.history if isinstance(d, Decided))
    found["within 20 ms after"] = sum(
        any(client == c and at is not None and 0 <= started - at < 0.02 for c, at in ended) for client, started in soon
    )
    return found


def test_no_permit_begins_after_an_acknowledged_withdrawal() -> None:
    """Two workers, hot clients, everything at once: no stale permit, no lost consent; the control fails both checks."""
    with running("freshness", workers=2) as server:
        hands, log = play(server, lambda stage: load(stage, OPERATIONS, KILLS))
        server.stop()
        server.target = "tests.campaigns.defects.cached_facts:create_app"
        server.start()
        control, control_log = play(server, lambda stage: load(stage, CONTROL))
    counted = numbers(hands)
    print(f"seed {SEED}; {dict(counted)}; {dict(hands.statuses)}")  # noqa: T201 - the figures of the run
    stale = [fault for fault in faults(control.history) if fault.kind == "stale"]
    print(f"control: {len(stale)} stale permits, {len(log_faults(control_log))} in the log")  # noqa: T201 - the figures of the run
    assert stale, "the control was not caught by the history"
    assert log_faults(control_log), "the control was not caught by the log"
    assert min(counted[kind] for kind in ("given", "withdrawn", "permits", "within 20 ms after")) > OPERATIONS // 50
    assert min(counted["everything"], counted["late papers"]) > OPERATIONS // 500
    assert len(log) >= OPERATIONS * 0.8
    assert not [str(fault) for fault in faults(hands.history)]
    assert not log_faults(log)
    broken = {each.value for each in Progress} | {503} if KILLS else {Progress.NO_ANSWER.value}
    assert {status for _, status in hands.statuses} <= {200, 201, 409} | broken
