"""The load of the freshness campaign: few clients, many hands, everything at once, and a history of what happened."""

import asyncio
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.freshness.freshness import Decided, Given, Operation, Permission, Withdrawn
from tests.campaigns.support.scene import CREATED, OK, Flow, Person, Scene, instant, register
from tests.campaigns.support.wire import Answer, LostError

HANDS = 12
HOT = 6
PART_OF_WITHDRAWALS = 0.3
LONGEST_BATCH = 6
PAUSE_AFTER_A_LOSS_S = 0.05
# How many papers are signed a day before they are recorded: withdrawn from the start if anything was withdrawn since.
PART_OF_LATE_PAPERS = 0.15
TRIES = 100


@dataclass(slots=True)
class Held:
    """A consent this loader knows to be live, and how to withdraw it."""

    consent: str
    code: str
    grants: dict[str, frozenset[Permission]]


@dataclass(slots=True)
class Hands:
    """One run of load; `history` is complete for the hot clients, which nobody else touches."""

    scene: Scene
    total: int
    random: random.Random
    history: list[Operation] = field(default_factory=list)
    statuses: Counter[tuple[str, int | str]] = field(default_factory=Counter)
    clients: list[str] = field(init=False)
    held: dict[str, list[Held]] = field(init=False)
    sent: int = 0
    everything: int = 0
    late: int = 0

    def __post_init__(self) -> None:
        self.clients = [f"HOT-{uuid.UUID(int=self.random.getrandbits(128))}" for _ in range(HOT)]
        self.held = {client: [] for client in self.clients}

    async def run(self) -> None:
        """Send `total` operations with all hands."""
        people = [self.scene.person(self.scene.sender)]
        await register(people[0], self.clients)
        people += [people[0].again() for _ in range(HANDS - 1)]
        async with asyncio.TaskGroup() as group:
            for person in people:
                group.create_task(self._hand(person))

    async def _hand(self, person: Person) -> None:
        elsewhere = {slug: self.scene.person(slug) for slug in self.scene.partners if slug != self.scene.sender}
        other_worker = person.again()
        while self.sent < self.total:
            client, choice = self.random.choice(self.clients), self.random.random()
            if choice < 0.2 and len(self.held[client]) < 2:
                await self._give(person, client)
            elif choice < 0.45 and self.held[client]:
                await self._withdraw(person, elsewhere, client)
                await self._ask(other_worker, client)
            elif choice < 0.55:
                await self._ask_batch(person, client)
            else:
                await self._ask(person, client)

    async def _post(self, person: Person, path: str, body: object, key: str | None = None) -> Answer | None:
        """Send one operation; `None` when nobody knows what became of it.

        With a key the outcome is asked for again: a server may close a connection that was idle just as it is used.
        """
        self.sent += 1
        for _ in range(TRIES if key else 1):
            try:
                answer = await person.post(path, body, key)
            except LostError as lost:
                self.statuses[path, lost.progress.value] += 1
                await asyncio.sleep(PAUSE_AFTER_A_LOSS_S)
            else:
                self.statuses[path, answer.status] += 1
                return None if answer.status >= 500 else answer
        return None

    async def _give(self, person: Person, client: str) -> None:
        flows = self.random.sample(self.scene.outgoing(), 2)
        started = asyncio.get_running_loop().time()
        body = self.scene.consent(client, [flow.grant() for flow in flows])
        if self.random.random() < PART_OF_LATE_PAPERS:
            body["act"]["given_at"] = instant(days=1)
        answer = await self._post(person, "/consents", body, str(uuid.uuid4()))
        if answer is None:
            ghosts = {str(uuid.uuid4()): permissions(flow) for flow in flows}
            self.history.append(Given(client, str(uuid.uuid4()), ghosts, started, None))
            return
        assert answer.status == CREATED, answer.body
        made = answer.json()
        by_name = {flow.name: permissions(flow) for flow in flows}
        grants = {
            grant["grant_id"]: frozenset(
                (flow, category)
                for flow, category in by_name[f"{grant['sender']}>{grant['recipient']}:{grant['purpose']}"]
                if category not in grant["withdrawn_categories"]
            )
            for grant in made["grants"]
        }
        self.late += "withdrawn_since" in {remark["code"] for remark in made["remarks"]}
        self.history.append(Given(client, made["consent_id"], grants, started, answer.ended_at))
        if any(grants.values()):
            self.held[client].append(Held(made["consent_id"], made["receipt_code"], grants))

    async def _withdraw(self, person: Person, elsewhere: dict[str, Person], client: str) -> None:
        held = self.random.choice(self.held[client])
        flow_recipients = {name.partition(">")[2].partition(":")[0] for g in held.grants.values() for name, _ in g}
        ways: list[tuple[Person, str, dict[str, object]]] = [
            (person, "everything", {"client": client}),
            (person, "everything", {"client": client, "scope": "everything"}),
            (
                self.random.choice(list(elsewhere.values())),
                "everything",
                {"receipt_code": held.code, "scope": "everything"},
            ),
            (person, "consent", {"consent_id": held.consent}),
            (elsewhere[self.random.choice(sorted(flow_recipients))], "recipient", {"consent_id": held.consent}),
            (person, "code", {"receipt_code": held.code}),
            (self.random.choice(list(elsewhere.values())), "code", {"receipt_code": held.code}),
        ]
        who, way, body = self.random.choice(ways)
        part = None
        if self.random.random() < PART_OF_WITHDRAWALS and "scope" not in body:
            part = frozenset({self.random.choice(sorted({c for g in held.grants.values() for _, c in g}))})
            body = body | {"categories": sorted(part)}
        started = asyncio.get_running_loop().time()
        answer = await self._post(who, "/withdrawals", body | {"channel": "phone"}, str(uuid.uuid4()))
        # A recipient withdraws what it can see: its own grants. Only what the answer lists is then surely ended.
        scope = None if way == "everything" else held.consent
        if answer is None or answer.status == CREATED:
            listed = frozenset(answer.json()["withdrawn"]) if answer else frozenset()
            ended = answer.ended_at if answer else None
            consent = "only what is listed" if way == "recipient" and answer else scope
            # What it covers on other papers is not listed where its caller has no part in them.
            every = frozenset[Permission]().union(*held.grants.values()) if way in {"consent", "code"} else frozenset()
            flows = frozenset(covered for covered in every if part is None or covered[1] in part)
            self.history.append(Withdrawn(client, consent, listed, started, ended, part, flows))
            self.everything += "scope" in body
        if part is None and way != "recipient":
            self.held[client] = [] if scope is None else [h for h in self.held[client] if h is not held]

    async def _ask(self, person: Person, client: str) -> None:
        flow = self.random.choice(self.scene.outgoing())
        answer = await self._post(person, "/decisions", flow.question(client))
        if answer is not None:
            assert answer.status == OK, answer.body
            self._note(client, flow, answer, answer.json())

    async def _ask_batch(self, person: Person, client: str) -> None:
        others = [self.random.choice(self.clients) for _ in range(self.random.randrange(LONGEST_BATCH))]
        asked = [(each, self.random.choice(self.scene.outgoing())) for each in (client, *others)]
        body = {"decisions": [flow.question(each) for each, flow in asked]}
        answer = await self._post(person, "/decisions/batch", body)
        if answer is not None:
            assert answer.status == OK, answer.body
            for (each, flow), decision in zip(asked, answer.json()["decisions"], strict=True):
                self._note(each, flow, answer, decision)

    def _note(self, client: str, flow: Flow, answer: Answer, decision: dict[str, Any]) -> None:
        permitted = frozenset(decision["permitted_categories"])
        asked = frozenset(flow.categories)
        self.history.append(Decided(client, flow.name, asked, permitted, answer.began_at, answer.ended_at))


def permissions(flow: Flow) -> frozenset[Permission]:
    """Return what a grant of this flow permits."""
    return frozenset((flow.name, category) for category in flow.categories)
