"""Twenty rotations under load with two workers: no request fails, nothing reads otherwise; a deaf worker is caught."""

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.campaigns.keys.rotation import AFTER_S, FILES, LANES, Work, current, reseal, rotate
from tests.campaigns.support.quotas import give_quotas
from tests.campaigns.support.scene import Scene, play
from tests.campaigns.support.server import running
from tests.campaigns.support.wire import Wire

pytestmark = pytest.mark.campaign

ROUNDS = int(os.environ.get("ROTATION_ROUNDS", "5"))
SEED = int(os.environ.get("ROTATION_SEED", str(random.SystemRandom().getrandbits(32))))


async def load(stage: Scene, rounds: int, *, resealing: bool = True) -> Work:
    """Work with all lanes while the four keys are rotated in turn, and values moved to the current ones half-way."""
    work = Work(stage, stage.outgoing()[0], random.Random(SEED))
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(work.lane()) for _ in range(LANES)]
        await asyncio.sleep(2)
        for number in range(rounds):
            for name in FILES:
                await asyncio.to_thread(rotate, stage.server, name)
            if resealing and number == rounds // 2:
                assert await asyncio.to_thread(reseal, stage.server) > 0
            await asyncio.sleep(AFTER_S + 1)
        work.over = True
        await asyncio.gather(*lanes)
    return work


async def key_set(stage: Scene) -> dict[str, dict[str, Any]]:
    """Return the published keys by their ids."""
    wire = Wire(stage.server.port)
    answer = await wire.get("/.well-known/jwks.json")
    wire.close()
    return {key["kid"]: key for key in answer.json()["keys"]}


def test_twenty_rotations_fail_no_request(tmp_path: Path) -> None:
    """Registrations, decisions, receipts, repeated answers, searches, codes and tokens go on as if nothing were; in the
    end every receipt verifies with the published keys, and every log has been told of every key once.
    """

    async def campaign(stage: Scene) -> tuple[Work, dict[str, dict[str, Any]], list[dict[str, Any]], int]:
        # More acts in a minute than the quota allows, because the rounds follow each other without a pause.
        await give_quotas(stage.server, stage.network, tmp_path, writes=None, reads=None, tokens=None)
        sql = await stage.server.sql()
        of_network = "from {} join networks using (network_id) where slug = $1"
        count = f"select count(*) {of_network.format('client_references')}"
        before = await sql.fetchval(count, stage.network)
        work = await load(stage, ROUNDS)
        rows = await sql.fetch(f"select event {of_network.format('events')} and kind = 26", stage.network)
        more = await sql.fetchval(count, stage.network) - before
        await sql.close()
        return work, await key_set(stage), [json.loads(row["event"]) for row in rows], more

    with running("rotation", workers=2) as server:
        work, keys, events, references = play(server, campaign)
        latest = current(server)
        output = server.output_path.read_text(errors="replace")
    print(f"seed {SEED}; done: {work.done}; {len(work.receipts)} receipts, {len(work.kept)} answers kept")  # noqa: T201
    assert work.faults == []
    assert latest == {name: f"{name}-{ROUNDS + 1}" for name in FILES}
    assert references == work.registered
    kids = Counter(jwt.get_unverified_header(receipt)["kid"] for receipt in work.receipts)
    assert len(kids) == ROUNDS + 1
    for receipt in work.receipts:
        key = jwt.PyJWK(keys[jwt.get_unverified_header(receipt)["kid"]])
        jwt.decode(receipt, key.key, algorithms=["EdDSA"], options={"verify_aud": False, "verify_exp": False})
    told = Counter((event["file"], event["key"]) for event in events if event["step"] == "published")
    assert told == {(name, f"{name}-{number}"): 1 for name in FILES for number in range(2, ROUNDS + 2)}
    assert {event["table"] for event in events if event["step"] == "resealed"} >= {"client_references", "consents"}
    assert "refused" not in output


def test_a_worker_that_does_not_follow_is_caught() -> None:
    """Control: with one of the two workers deaf to changed key files, requests fail and references are found twice."""

    async def campaign(stage: Scene) -> Work:
        return await load(stage, 1, resealing=False)

    with running("deaf", workers=2, target="tests.campaigns.defects.worker_with_old_keys:create_app") as server:
        work = play(server, campaign)
    print(f"seed {SEED}; {len(work.faults)} faults, the first: {work.faults[:3]}")  # noqa: T201 - the figures of the run
    kinds = {fault.partition(":")[0] for fault in work.faults}
    assert len(kinds) >= 3, kinds
