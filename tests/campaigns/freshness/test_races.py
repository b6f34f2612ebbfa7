"""Acts that exclude each other, sent at one moment under different keys: one of them happens, and the log says so."""

import asyncio
import json
import os
import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.campaigns.support.scene import CREATED, OK, Person, Scene, play, register
from tests.campaigns.support.server import Server, running
from tests.campaigns.support.wire import Answer

pytestmark = pytest.mark.campaign

ROUNDS = int(os.environ.get("RACES", "150"))
AT_ONCE = 6
CONFLICT = 409


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two workers, so that a lock in one process alone would not do."""
    with running("races", workers=2) as one:
        yield one


def key() -> str:
    """Return a key nobody used."""
    return str(uuid.uuid4())


async def events_of(server: Server, network: str, kind: str) -> list[dict[str, Any]]:
    """Return the network's events of one kind in the order of the log."""
    sql = await server.sql()
    rows = await sql.fetch(
        "select event from events join networks using (network_id) where slug = $1 order by log_index", network
    )
    await sql.close()
    return [event for row in rows if (event := json.loads(row["event"]))["kind"] == kind]


def people(stage: Scene) -> list[Person]:
    """Return the example partner on several connections, which the kernel spreads over the workers."""
    first = stage.person(stage.sender)
    return [first, *(first.again() for _ in range(AT_ONCE - 1))]


def test_one_of_many_registrations_is_the_first(server: Server) -> None:
    """The same reference registered at once makes one client: one 201, the others 200, one event each."""

    async def campaign(stage: Scene) -> None:
        hands = people(stage)
        before = len(await events_of(server, stage.network, "client"))
        for _ in range(ROUNDS):
            body = {"reference": f"RACE-{uuid.uuid4()}"}
            answers = await asyncio.gather(*(hand.post("/clients", body) for hand in hands))
            assert sorted(answer.status for answer in answers) == [OK] * (AT_ONCE - 1) + [CREATED]
            assert len({answer.json()["created_at"] for answer in answers}) == 1
        assert len(await events_of(server, stage.network, "client")) == before + ROUNDS

    play(server, campaign)


def test_nothing_is_withdrawn_twice(server: Server) -> None:
    """Withdrawals of one consent at once, by every way there is, take each grant once; who comes late gets 409."""

    async def campaign(stage: Scene) -> None:
        hands, client = people(stage), f"RACE-{uuid.uuid4()}"
        recipient = stage.person(stage.outgoing()[0].recipient)
        await register(hands[0], [client])
        for _ in range(ROUNDS):
            grants = [flow.grant() for flow in stage.outgoing()[:2]]
            made = (await hands[0].post("/consents", stage.consent(client, grants), key())).json()
            by_id, by_code = {"consent_id": made["consent_id"]}, {"receipt_code": made["receipt_code"]}
            answers = await asyncio.gather(
                *(hand.post("/withdrawals", by_id | {"channel": "phone"}, key()) for hand in hands[:2]),
                *(hand.post("/withdrawals", by_code | {"channel": "letter"}, key()) for hand in hands[2:4]),
                hands[4].post("/withdrawals", {"client": client, "channel": "email"}, key()),
                recipient.post("/withdrawals", by_id | {"channel": "in_person"}, key()),
            )
            assert {answer.status for answer in answers} <= {CREATED, CONFLICT}, answers
            taken = [grant for a in answers if a.status == CREATED for grant in a.json()["withdrawn"]]
            assert sorted(taken) == sorted(grant["grant_id"] for grant in made["grants"])

    play(server, campaign)


def test_reports_do_not_contradict_each_other(server: Server) -> None:
    """`sent` and `not_sent` for one decision at once: the log never reads "sent, not_sent"."""

    async def campaign(stage: Scene) -> list[list[Answer]]:
        hands, question = people(stage), stage.outgoing()[0].question("nobody")
        found = []
        for _ in range(ROUNDS):
            decision = (await hands[0].post("/decisions", question)).json()["decision_id"]
            found.append(
                await asyncio.gather(
                    *(
                        hand.post(
                            f"/decisions/{decision}/transfers", {"outcome": said, "categories": ["identity"]}, key()
                        )
                        for hand, said in zip(hands, ["sent", "not_sent"] * (AT_ONCE // 2), strict=True)
                    )
                )
            )
        return found

    answers = play(server, campaign)
    assert {answer.status for several in answers for answer in several} <= {CREATED, CONFLICT}
    said: defaultdict[str, list[str]] = defaultdict(list)
    for event in asyncio.run(events_of(server, "paderborn", "transfer")):
        said[event["decision"]].append(event["outcome"])
    contradictions = [d for d, order in said.items() if "sent" in order and "not_sent" in order[order.index("sent") :]]
    assert not contradictions, f"{len(contradictions)} of {len(said)}: {said[contradictions[0]]}"
