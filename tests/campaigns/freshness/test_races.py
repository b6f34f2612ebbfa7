"""Acts that exclude each other, sent at one moment under different keys: one of them happens, and the log says so."""

import asyncio
import json
import os
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.campaigns.support.scene import CREATED, OK, Flow, Person, Scene, key, play, register
from tests.campaigns.support.server import Server, running
from tests.campaigns.support.wire import Answer

pytestmark = pytest.mark.campaign

ROUNDS = int(os.environ.get("RACES", "150"))
AT_ONCE = 6
CONFLICT, UNPROCESSABLE = 409, 422
# An act takes about so long: whichever of two begins so much later may still come first.
STAGGER_S = 0.01


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two workers, so that a lock in one process alone would not do."""
    with running("races", workers=2) as demonstration:
        yield demonstration


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
    assert {answer.status for round_ in answers for answer in round_} <= {CREATED, CONFLICT}
    said: defaultdict[str, list[str]] = defaultdict(list)
    for event in asyncio.run(events_of(server, "paderborn", "transfer")):
        said[event["decision"]].append(event["outcome"])
    contradictions = [d for d, order in said.items() if "sent" in order and "not_sent" in order[order.index("sent") :]]
    assert not contradictions, f"{len(contradictions)} of {len(said)}: {said[contradictions[0]]}"


class Pair:
    """A sender and a recipient of one flow, who know their clients by linked references."""

    def __init__(self, stage: Scene) -> None:
        self.stage = stage
        self.flow: Flow = stage.outgoing()[0]
        self.sender, self.recipient = stage.person(self.flow.sender), stage.person(self.flow.recipient)
        self.hands = {slug: stage.person(slug) for slug in (self.flow.sender, self.flow.recipient)}

    async def client(self) -> tuple[str, str]:
        """Register a new client with both; return the sender's reference and the recipient's."""
        mine, theirs = f"RENEW-{uuid.uuid4()}", f"RENEW-{uuid.uuid4()}"
        await register(self.sender, [mine])
        code = (await self.sender.post("/link-codes", {"client": mine}, key())).json()["link_code"]
        linked = await self.recipient.post("/clients", {"reference": theirs, "link_code": code}, key())
        assert linked.status == CREATED, linked
        return mine, theirs

    async def race(self, number: int) -> tuple[Answer, list[str]]:
        """Renew a consent and withdraw it at one moment; return the renewal's answer and what is wrong afterwards."""
        mine, theirs = await self.client()
        body = self.stage.consent(mine, [self.flow.grant()])
        earlier = (await self.sender.post("/consents", body, key())).json()
        ways: list[tuple[str, dict[str, str]]] = [
            (self.flow.sender, {"consent_id": earlier["consent_id"]}),
            (self.flow.recipient, {"consent_id": earlier["consent_id"]}),
            (self.flow.recipient, {"receipt_code": earlier["receipt_code"]}),
            (self.flow.sender, {"client": mine}),
            (self.flow.recipient, {"client": theirs}),
        ]
        slug, by = ways[number % len(ways)]

        async def later(delay: float, person: Person, path: str, sent: dict[str, Any]) -> Answer:
            await asyncio.sleep(delay)
            return await person.post(path, sent, key())

        renewed, withdrawn = await asyncio.gather(
            later(random.uniform(0, STAGGER_S), self.sender, "/consents", body | {"renews": earlier["consent_id"]}),
            later(random.uniform(0, STAGGER_S), self.hands[slug], "/withdrawals", by | {"channel": "phone"}),
        )
        papers = [earlier, *([renewed.json()] if renewed.status == CREATED else [])]
        faults = []
        if withdrawn.status != CREATED or set(withdrawn.json()["withdrawn"]) != grants_of(papers):
            faults.append(f"{by} withdrew {withdrawn.body!r} and not all of {len(papers)} papers")
        decision = await self.sender.post("/decisions", self.flow.question(mine))
        if decision.json()["outcome"] != "no_permission":
            faults.append(f"{by} was acknowledged, and the flow goes on")
        return renewed, faults


def grants_of(papers: list[dict[str, Any]]) -> set[str]:
    """Return every grant of these consents."""
    return {grant["grant_id"] for paper in papers for grant in paper["grants"]}


async def renewals(stage: Scene, rounds: int) -> tuple[set[int], list[str]]:
    """Let renewals and withdrawals of the same consents race; return the renewals' statuses and every fault."""
    pair = Pair(stage)
    races = [await pair.race(number) for number in range(rounds)]
    return {renewed.status for renewed, _ in races}, [fault for _, faults in races for fault in faults]


def test_a_withdrawal_beside_a_renewal_takes_both_papers(server: Server) -> None:
    """Renewed and withdrawn at one moment, by any way: either the renewal finds nothing left to renew, or the
    withdrawal takes the new paper as well; once the withdrawal is acknowledged nothing is permitted.
    """
    statuses, faults = play(server, lambda stage: renewals(stage, ROUNDS))
    assert faults == []
    assert statuses == {CREATED, UNPROCESSABLE}, "one of the two orders was never seen"


def test_acts_that_do_not_exclude_each_other_are_seen(server: Server) -> None:
    """Control: where a renewal and a withdrawal hold the client beside each other, a withdrawn consent goes on."""
    with server.instead("tests.campaigns.defects.shared_client_locks:create_app"):
        _, faults = play(server, lambda stage: renewals(stage, 20))
    assert any("the flow goes on" in fault for fault in faults)
