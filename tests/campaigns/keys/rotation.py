"""Partners at work while keys are rotated: everything one server made with its key is asked for at any other.

Each lane is one connection, so it stays with one worker; what the lanes know, they share.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.campaigns.support.scene import CREATED, OK, Flow, Person, Scene
from tests.campaigns.support.server import ROOT, Server
from tests.campaigns.support.wire import Answer

FILES = ("digest", "sealing", "token", "log")
AFTER_S = 2
"""The shortest delay that `keys rotate` takes: servers look twice a second."""
LANES = 6
TOKEN_S = 500


@dataclass(slots=True)
class Client:
    """What an office knows of a client: its reference, its consent and the code that withdraws it."""

    reference: str
    consent_id: str
    code: str
    status: str = "given"


@dataclass(slots=True)
class Kept:
    """An answer that must be the same whenever it is asked for again."""

    path: str
    body: dict[str, Any]
    key: str
    answer: bytes


@dataclass(slots=True)
class Work:
    """The lanes' common knowledge, and every fault they met."""

    stage: Scene
    flow: Flow
    chance: random.Random
    clients: list[Client] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    decisions: list[tuple[str, bytes]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    tokens: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    registered: int = 0
    numbers: Iterator[int] = field(default_factory=count)
    over: bool = False

    async def lane(self) -> None:
        """Work until it is over; an act that fails is a fault, and the lane goes on."""
        me, colleague = self.stage.person(self.stage.sender), self.stage.person(self.stage.sender)
        acts: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "register twice": (2, lambda: self._register_twice(me, colleague)),
            "take in": (3, lambda: self._take_in(me)),
            "decide": (8, lambda: self._decide(me)),
            "read again": (3, lambda: self._read_again(me)),
            "repeat": (3, lambda: self._repeat(me)),
            "search": (2, lambda: self._search(me)),
            "withdraw": (1, lambda: self._withdraw(me)),
            "sign in": (1, lambda: self._sign_in(me)),
            "old token": (2, lambda: self._old_token(me)),
        }
        names, weights = list(acts), [weight for weight, _ in acts.values()]
        while not self.over:
            (name,) = self.chance.choices(names, weights)
            try:
                await acts[name][1]()
            except Exception as error:  # noqa: BLE001 - whatever it was, it must not have happened
                self.faults.append(f"{name}: {error!r}")
            self.done[name] = self.done.get(name, 0) + 1

    def expect(self, what: str, answer: Answer, *statuses: int) -> dict[str, Any]:
        """Return the body; a status other than these is a fault."""
        if answer.status not in statuses:
            raise AssertionError(f"{what}: {answer.status} {answer.body[:300]!r}")
        body = answer.json()
        assert isinstance(body, dict)
        return body

    def _new(self) -> str:
        return f"K-{next(self.numbers):06d}"

    async def _register_twice(self, me: Person, person: Person) -> None:
        """Two connections register one reference at once: one client, whichever keys the two workers use."""
        reference = self._new()
        answers = await asyncio.gather(*(person.post("/clients", {"reference": reference}) for person in (me, person)))
        if sorted(answer.status for answer in answers) != [OK, CREATED]:
            raise AssertionError(f"{reference}: {[(answer.status, answer.body[:200]) for answer in answers]}")
        self.registered += 1

    async def _take_in(self, me: Person) -> None:
        reference = self._new()
        self.expect("client", await me.post("/clients", {"reference": reference}), CREATED)
        self.registered += 1
        body = self.stage.consent(reference, [self.flow.grant()])
        key = f"c-{reference}"
        answer = await me.post("/consents", body, key)
        told = self.expect("consent", answer, CREATED)
        self.clients.append(Client(reference, told["consent_id"], told["receipt_code"]))
        self.kept.append(Kept("/consents", body, key, answer.body))

    async def _decide(self, me: Person) -> None:
        if not self.clients:
            return
        client = self.chance.choice(self.clients)
        status = client.status
        body = self.flow.question(client.reference, receipt=True)
        key = f"d-{next(self.numbers)}"
        answer = await me.post("/decisions", body, key)
        told = self.expect("decision", answer, OK)
        # While a withdrawal is under way either answer is right.
        expected = {"given": "permit", "withdrawn": "no_permission"}.get(status)
        if status == client.status and expected not in {None, told["outcome"]}:
            raise AssertionError(f"{client}: {told['outcome']}")
        self.kept.append(Kept("/decisions", body, key, answer.body))
        self.decisions.append((told["decision_id"], answer.body))
        self.receipts.append(told["receipt"])

    async def _read_again(self, me: Person) -> None:
        if self.decisions:
            decision_id, before = self.chance.choice(self.decisions)
            answer = await me.get(f"/decisions/{decision_id}")
            self.expect("decision again", answer, OK)
            if answer.body != before:
                raise AssertionError(f"decision {decision_id} reads otherwise: {answer.body!r}, before {before!r}")

    async def _repeat(self, me: Person) -> None:
        if self.kept:
            # Taken out meanwhile: two at once with one key would rightly be answered 409.
            consent = self.kept.pop(self.chance.randrange(len(self.kept)))
            answer = await me.post(consent.path, consent.body, consent.key)
            self.kept.append(consent)
            self.expect(f"{consent.path} repeated", answer, OK, CREATED)
            if answer.body != consent.answer or answer.headers.get("idempotency-replayed") != "true":
                raise AssertionError(f"{consent.path} {consent.key} was answered otherwise: {answer.body!r}")

    async def _search(self, me: Person) -> None:
        if self.clients:
            client = self.chance.choice(self.clients)
            told = self.expect("search", await me.post("/consents/search", {"client": client.reference}), OK)
            if [(item["consent_id"], item["client"]) for item in told["items"]] != [
                (client.consent_id, client.reference)
            ]:
                raise AssertionError(f"{client}: {told['items']}")

    async def _withdraw(self, me: Person) -> None:
        living = [client for client in self.clients if client.status == "given"]
        if len(living) > LANES:
            client = self.chance.choice(living)
            client.status = "being withdrawn"
            body = {"receipt_code": client.code, "channel": "phone"}
            key = f"w-{client.reference}"
            answer = await me.post("/withdrawals", body, key)
            self.expect("withdrawal", answer, CREATED)
            client.status = "withdrawn"
            self.kept.append(Kept("/withdrawals", body, key, answer.body))

    async def _sign_in(self, me: Person) -> None:
        token = (await me.access.headers())["Authorization"]
        self.tokens.append((time.monotonic() + TOKEN_S, token))
        me.access.forget()
        await me.access.headers()

    async def _old_token(self, me: Person) -> None:
        living = [token for until, token in self.tokens if until > time.monotonic()]
        if living:
            headers = {"Authorization": self.chance.choice(living)}
            self.expect("old token", await me.wire.get("/api/v1/me", headers), OK)


def rotate(server: Server, name: str) -> None:
    """Rotate one of the keys, as an operator does."""
    _run(server, "rotate", "--name", name, "--after", str(AFTER_S))


def reseal(server: Server) -> int:
    """Move stored values to the current keys, and return how many moved."""
    found = server.cluster
    login = f"postgresql://consent_registry_migrator@/{found['database']}?host={found['socket']}"
    return int(_run(server, "reseal", CONSENT_REGISTRY_MIGRATOR_DATABASE_URL=login).split()[0])


def current(server: Server) -> dict[str, str]:
    """Return each file's current key, as `keys` names it."""
    lines = [line.split() for line in _run(server).splitlines()]
    return {line[0]: line[1] for line in lines if line[2].startswith("current;")}


def _run(server: Server, *words: str, **environment: str) -> str:
    command = [sys.executable, "-m", "consent_registry", "keys", *words[:1], str(server.data / "keys"), *words[1:]]
    result = subprocess.run(
        command, cwd=ROOT, env=environment | {"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
