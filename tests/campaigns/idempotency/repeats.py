"""Operations sent one to five times under one key, at once or one after the other, over two workers."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.support.scene import CREATED, OK, Person, Scene, register
from tests.campaigns.support.wire import Answer

HANDS = 6
CONFLICT = 409
LONGEST_WAIT_S = 5.0
CLIENTS = 40


@dataclass(frozen=True, slots=True)
class Sending:
    """One operation with every answer it got, those that said "still running" left out."""

    partner: str
    path: str
    kind: str
    subject: str | None
    answers: Sequence[Answer]
    conflicts: int

    def faults(self) -> list[str]:
        """Return what is not as one effect and one answer would be."""
        first = [answer for answer in self.answers if "idempotency-replayed" not in answer.headers]
        found = []
        if len(first) != 1:
            found.append(f"{len(first)} answers claim to be the first")
        if {answer.headers.get("idempotency-replayed", "true") for answer in self.answers} != {"true"}:
            found.append("a replayed answer says so otherwise than with `true`")
        names = ("location", "content-type", "cache-control")
        found += [f"{n} differs" for n in names if len({answer.headers.get(n) for answer in self.answers}) != 1]
        if len({(answer.status, answer.body) for answer in self.answers}) != 1:
            found.append("status or body differ")
        return [f"{self.kind} {self.path}: {each}" for each in found]


@dataclass(slots=True)
class Repeats:
    """The load: `sendings` is what happened."""

    scene: Scene
    total: int
    random: random.Random
    sendings: list[Sending] = field(default_factory=list)
    clients: list[str] = field(init=False)
    consents: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    begun: int = 0

    def __post_init__(self) -> None:
        self.clients = [f"IDEM-{uuid.UUID(int=self.random.getrandbits(128))}" for _ in range(CLIENTS)]

    async def run(self) -> None:
        """Send `total` operations, each one to five times."""
        first = self.scene.person(self.scene.sender)
        await register(first, self.clients)
        async with asyncio.TaskGroup() as group:
            for _ in range(HANDS):
                group.create_task(self._hand([first.again() for _ in range(5)]))

    async def _hand(self, connections: list[Person]) -> None:
        while self.begun < self.total:
            self.begun += 1
            kind, path, body = self._next()
            sending = await send(connections, kind, path, body, self.random)
            self.sendings.append(sending)
            self._learn(sending)

    def _next(self) -> tuple[str, str, dict[str, Any]]:
        flow, client = self.random.choice(self.scene.outgoing()), self.random.choice(self.clients)
        kind = self.random.choice(["client", "consent", "withdrawal", "transfer", "decision", "decision", "batch"])
        if kind == "client":
            return kind, "/clients", {"reference": f"IDEM-{uuid.uuid4()}"}
        if kind == "withdrawal" and self.consents:
            consent = self.consents.pop(self.random.randrange(len(self.consents)))
            alone = {"only_this_consent": True, "channel": "letter"}
            return kind, "/withdrawals", alone | {"consent_id": consent["consent_id"]}
        if kind == "transfer" and self.decisions:
            body = {"outcome": "sent", "categories": list(flow.categories[:1])}
            return kind, f"/decisions/{self.decisions.pop()}/transfers", body
        if kind == "consent":
            return kind, "/consents", self.scene.consent(client, [flow.grant()])
        if kind == "batch":
            questions = [flow.question(self.random.choice(self.clients)) for _ in range(3)]
            return kind, "/decisions/batch", {"decisions": questions}
        return "decision", "/decisions", flow.question(client)

    def _learn(self, sending: Sending) -> None:
        said = sending.answers[0].json()
        if sending.kind == "consent":
            self.consents.append(said)
        elif sending.kind == "decision":
            self.decisions.append(said["decision_id"])


async def send(
    connections: Sequence[Person], kind: str, path: str, body: dict[str, Any], source: random.Random
) -> Sending:
    """Send one operation under one key over some connections and return every answer."""
    key, times = str(uuid.uuid4()), source.randint(1, 5)
    waits = [0.0 if source.random() < 0.6 else source.uniform(0, 0.02) for _ in range(times)]
    results = await asyncio.gather(
        *(_until_answered(connections[number], path, body, key, wait) for number, wait in enumerate(waits))
    )
    answers = [answer for answer, _ in results]
    assert {answer.status for answer in answers} <= {OK, CREATED}, answers
    said = answers[0].json()
    subject = said.get(f"{kind}_id")
    return Sending(connections[0].access.partner or "", path, kind, subject, answers, sum(c for _, c in results))


async def _until_answered(person: Person, path: str, body: object, key: str, wait: float) -> tuple[Answer, int]:
    """Send after `wait` seconds; where the key is still running, again after a moment, as Retry-After asks for."""
    await asyncio.sleep(wait)
    conflicts = 0
    async with asyncio.timeout(LONGEST_WAIT_S):
        while (answer := await person.post(path, body, key)).status == CONFLICT:
            assert int(answer.headers["retry-after"]) >= 1, answer
            conflicts += 1
            await asyncio.sleep(0.01)
    return answer, conflicts
