"""Partners at work: a steady mix of every operation that records something, each noted with how it ended.

A partner behaves as the contract demands: an outcome it does not know, it settles by sending the same
bytes again under the same Idempotency-Key. Without a key a decision stays unknown, and is noted so.
"""

import asyncio
import base64
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.campaigns.crash.ledger import Act, Outcome
from tests.campaigns.support.access import Access
from tests.campaigns.support.server import Server
from tests.campaigns.support.wire import Answer, LostError, Progress, Wire
from tests.support.releases import needed_releases

SETTLE_S = 60.0
AGAIN_S = 0.05
"""Sooner than Retry-After asks, so that a repetition meets the transaction it repeats."""
PAUSE_S = 0.05
CREATED, OK, CONFLICT, UNAVAILABLE = 201, 200, 409, 503
WEIGHTS = {"keyed": 35, "bare": 20, "client": 12, "consent": 10, "withdrawal": 8, "transfer": 15}


@dataclass(slots=True)
class Sent:
    """A request as it was sent, and sent again: to compare what a key gives later."""

    act: Act
    path: str
    body: dict[str, Any]
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One attempt and its end: `status` is `None` when the connection was lost."""

    began_at: float
    ended_at: float
    status: int | None
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """The flow of the network's permit example, and the text with which it can be recorded again."""

    network: str
    partner: str
    request: dict[str, Any]
    text: str

    def consent(self, reference: str) -> dict[str, Any]:
        """Return a body that records this flow for another client."""
        grant = {"sender": self.partner, "recipient": self.request["recipient"], "purpose": self.request["purpose"]}
        return {
            "client": reference,
            "text": {"id": self.text, "language": "de"},
            "grants": [{**grant, "categories": self.request["categories"], "explicit": True}],
            "releases": needed_releases([grant]),
            "giver": {"role": "self", "age_band": "adult"},
            "act": {
                "method": "written",
                "given_at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "evidence": {"sha256": "5e" * 32, "media_type": "application/pdf", "kept_at": "Akte 1"},
            },
            "information": {
                "explained_by": "B-12",
                "interpreter": {"kind": "none"},
                "told": ["consequences_of_refusal", "withdrawal", "complaint"],
                "copy_handed": True,
            },
        }


async def learn_flow(server: Server, network: str) -> Flow:
    """Read the permit example and, by searching its client's consents, its text."""
    example = server.network(network)["permit_example"]
    access, wire = server.partner(network, example["partner"]), Wire(server.port)
    query = {"client": example["request"]["client"]}
    found = await wire.post("/api/v1/consents/search", query, await access.headers())
    wire.close()
    text = found.json()["items"][0]["text"]["id"]
    return Flow(network, example["partner"], example["request"], text)


@dataclass(slots=True)
class Workload:
    """The work of one partner, over as many connections as there are calls of `run`."""

    server: Server
    flow: Flow
    seed: int
    pause_s: float = PAUSE_S
    sent: list[Sent] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    references: list[str] = field(default_factory=list)
    _live: list[tuple[str, str]] = field(default_factory=list)
    _permits: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _access: Access = field(init=False)

    def __post_init__(self) -> None:
        """Sign in as the flow's sender."""
        self._access = self.server.partner(self.flow.network, self.flow.partner)
        self.references.append(self.flow.request["client"])

    @property
    def acts(self) -> list[Act]:
        """Return everything that was done so far."""
        return [sent.act for sent in self.sent]

    def acknowledged(self) -> int:
        """Count the acts that were acknowledged."""
        return sum(act.outcome is Outcome.ACKNOWLEDGED for act in self.acts)

    async def run(self, lane: int) -> None:
        """Work on one connection until it is enough."""
        chance, wire = random.Random(f"{self.seed}/{lane}"), Wire(self.server.port)
        while not self.enough.is_set():
            [choice] = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
            await self.settle(wire, self._next(choice, chance))
            await asyncio.sleep(self.pause_s * chance.random() * 2)
        wire.close()

    # --- what to do next --------------------------------------------------------------------------------------

    def _next(self, choice: str, chance: random.Random) -> Sent:
        number = next(self._numbers)
        key = f"{self.seed}-{number}"
        if choice == "client":
            return self._registration(number, key if chance.random() < 0.5 else None)
        if choice == "consent":
            return self._new(
                number, "consent", "/api/v1/consents", self.flow.consent(chance.choice(self.references)), key
            )
        if choice == "withdrawal" and self._live:
            return self._withdrawal(number, self._live.pop(chance.randrange(len(self._live))), key)
        if choice == "transfer" and self._permits:
            return self._transfer(number, self._permits.pop(), key)
        body = {**self.flow.request, "client": chance.choice(self.references)}
        return self._new(number, "decision", "/api/v1/decisions", body, None if choice == "bare" else key)

    def _new(self, number: int, kind: str, path: str, body: dict[str, Any], key: str | None) -> Sent:
        return Sent(Act(number, kind, self.flow.partner, body["client"], key), path, body)

    def _registration(self, number: int, key: str | None) -> Sent:
        reference = f"AWO-{self.seed}-{number}"
        act = Act(number, "client", self.flow.partner, reference, key)
        return Sent(act, "/api/v1/clients", {"reference": reference})

    def _withdrawal(self, number: int, consent: tuple[str, str], key: str) -> Sent:
        consent_id, reference = consent
        act = Act(number, "withdrawal", self.flow.partner, reference, key, about=consent_id)
        return Sent(
            act, "/api/v1/withdrawals", {"consent_id": consent_id, "channel": "phone", "only_this_consent": True}
        )

    def _transfer(self, number: int, decision_id: str, key: str) -> Sent:
        act = Act(number, "transfer", self.flow.partner, "", key, about=decision_id)
        body = {"outcome": "sent", "categories": self.flow.request["categories"]}
        return Sent(act, f"/api/v1/decisions/{decision_id}/transfers", body)

    # --- doing it ---------------------------------------------------------------------------------------------

    async def settle(self, wire: Wire, sent: Sent) -> None:
        """Send until the outcome is known; without a key, until it is known or can no longer be known."""
        self.sent.append(sent)
        repeatable = sent.act.key is not None or sent.act.kind == "client"
        deadline = time.monotonic() + SETTLE_S
        while (began_at := time.monotonic()) < deadline:
            try:
                answer = await wire.post(sent.path, sent.body, await self._access.headers(sent.act.key))
            except LostError as lost:
                self.heard.append(Heard(began_at, time.monotonic(), None))
                if lost.progress is Progress.NOT_CONNECTED or repeatable:
                    await asyncio.sleep(AGAIN_S)
                    continue
                return
            self.heard.append(Heard(began_at, answer.ended_at, answer.status, "retry-after" in answer.headers))
            if self._definite(sent, answer, repeatable=repeatable):
                return
            await asyncio.sleep(AGAIN_S)
        self.surprises.append(f"not settled in {SETTLE_S} s: {sent.act}")

    def _definite(self, sent: Sent, answer: Answer, *, repeatable: bool) -> bool:
        """Note what an answer says; `False` when the same request should be sent again."""
        if answer.status in (OK, CREATED):
            self._acknowledge(sent, answer)
            return True
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.status == UNAVAILABLE:
            if "retry-after" not in answer.headers:
                self.surprises.append(f"503 without Retry-After: {answer}")
            if not repeatable and "unknown" not in problem.get("type", ""):
                # It says that nothing was recorded; the ledger holds it to that. One more try is another act.
                sent.act.outcome = Outcome.REFUSED
            return not repeatable
        if answer.status == CONFLICT and "retry-after" in answer.headers and repeatable:
            return False
        self.surprises.append(f"{answer.status} for {sent.act}: {answer.body!r}")
        sent.act.outcome = Outcome.REFUSED
        return True

    def _acknowledge(self, sent: Sent, answer: Answer) -> None:
        act, said = sent.act, answer.json()
        act.outcome, sent.answer = Outcome.ACKNOWLEDGED, answer
        act.event_id = said.get(f"{act.kind}_id")
        place = said.get("log")
        if place is not None:
            act.index, act.leaf = place["index"], base64.b64decode(place["leaf"])
        if act.kind == "client":
            self.references.append(act.reference)
        elif act.kind == "consent":
            self._live.append((said["consent_id"], act.reference))
        elif act.kind == "decision" and said["outcome"] == "permit":
            self._permits.append(said["decision_id"])
