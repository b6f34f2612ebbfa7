"""What a campaign plays with: one network's flows and text as the API shows them, and request bodies made of them."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.campaigns.support.access import Access
from tests.campaigns.support.server import Server
from tests.campaigns.support.wire import Answer, Wire
from tests.support.releases import needed_releases

OK, CREATED = 200, 201
T = TypeVar("T")

# Categories of the demonstration that can be about other persons too.
OF_OTHERS = frozenset({"family"})


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction the agreement allows, with the categories that need no special form."""

    sender: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    statute: bool = False

    @property
    def name(self) -> str:
        """A key for histories."""
        return f"{self.sender}>{self.recipient}:{self.purpose}"

    def grant(self, **members: object) -> dict[str, Any]:
        """Return this flow as a grant of a consent, with an explicit yes (some flows say something special by
        themselves), or with other categories, answer, validity. No other person's data are in it.
        """
        flow = {"sender": self.sender, "recipient": self.recipient, "purpose": self.purpose}
        grant: dict[str, Any] = flow | {"categories": list(self.categories), "explicit": True} | members
        return grant | ({"third_parties": "none"} if OF_OTHERS & set(grant["categories"]) else {})

    def question(self, client: str, **members: object) -> dict[str, Any]:
        """Return this flow as the question "may I send?"."""
        flow = {"client": client, "recipient": self.recipient, "purpose": self.purpose}
        return flow | {"categories": list(self.categories)} | members


@dataclass(slots=True)
class Person:
    """One partner's software with a connection of its own."""

    access: Access
    wire: Wire
    wires: list[Wire]

    @classmethod
    def at(cls, access: Access, wires: list[Wire]) -> "Person":
        """Return a partner or administration on a new connection, noted in `wires` so that it is closed in the end."""
        wires.append(Wire(access.port))
        return cls(access, wires[-1], wires)

    async def post(self, path: str, body: object, key: str | None = None) -> Answer:
        """POST below `/api/v1`."""
        return await self.wire.post(f"/api/v1{path}", body, await self.access.headers(key))

    async def get(self, path: str) -> Answer:
        """GET below `/api/v1`."""
        return await self.wire.get(f"/api/v1{path}", await self.access.headers())

    def again(self) -> "Person":
        """Return the same partner on another connection."""
        return Person.at(self.access, self.wires)


@dataclass(frozen=True, slots=True)
class Scene:
    """A network as its own example partner sees it: who it is, where it may send to, and a text to consent to."""

    server: Server
    network: str
    sender: str
    flows: tuple[Flow, ...]
    text: str
    partners: tuple[str, ...]
    wires: list[Wire] = field(default_factory=list)

    def person(self, slug: str) -> Person:
        """Return a partner of this network, signed in."""
        return Person.at(self.server.partner(self.network, slug), self.wires)

    def close(self) -> None:
        """Close every connection of every person."""
        for wire in self.wires:
            wire.close()

    def outgoing(self) -> tuple[Flow, ...]:
        """Return the consent flows from the example partner."""
        return tuple(flow for flow in self.flows if flow.sender == self.sender and not flow.statute)

    def consent(self, client: str, grants: Iterable[dict[str, Any]], **members: object) -> dict[str, Any]:
        """Return the body of a consent in German, in writing, given just now."""
        given = list(grants)
        return {
            "client": client,
            "text": {"id": self.text, "language": "de"},
            "grants": given,
            "releases": needed_releases(given),
            "giver": {"role": "self", "age_band": "adult"},
            "act": {
                "method": "written",
                "given_at": instant(),
                "evidence": {
                    "sha256": hashlib.sha256(client.encode()).hexdigest(),
                    "media_type": "application/pdf",
                    "kept_at": "Akte 1",
                },
            },
            "information": {
                "explained_by": "B-12",
                "interpreter": {"kind": "none"},
                "told": ["consequences_of_refusal", "withdrawal", "complaint"],
                "copy_handed": True,
            },
        } | members


def key() -> str:
    """Return an Idempotency-Key that nobody used."""
    return str(uuid.uuid4())


def instant(**ago: float) -> str:
    """Return a moment before now on the wire: `instant(days=3)`; negative for the future."""
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="microseconds")[:26] + "Z"


async def scene(server: Server, network: str = "paderborn") -> Scene:
    """Ask the API for the network's flows and text."""
    example = server.network(network)["permit_example"]
    sender = example["partner"]
    person = Person.at(server.partner(network, sender), [])
    plain = {c["slug"] for c in await items(person, "/data-categories") if not c["special"] and not c["secrecy"]}
    consents = await person.post("/consents/search", {"client": example["request"]["client"]})
    assert consents.status == OK, consents.body
    flows = [flow async for flow in _flows(person, plain)]
    person.wire.close()
    slugs = tuple(each["slug"] for each in server.network(network)["partners"])
    return Scene(server, network, sender, tuple(flows), consents.json()["items"][0]["text"]["id"], slugs)


def play(server: Server, act: Callable[[Scene], Awaitable[T]], network: str = "paderborn") -> T:
    """Run a campaign on its own event loop and close its connections."""

    async def whole() -> T:
        stage = await scene(server, network)
        try:
            return await act(stage)
        finally:
            stage.close()
            await asyncio.sleep(0)

    return asyncio.run(whole())


async def _flows(person: Person, plain: set[str]) -> AsyncIterator[Flow]:
    for agreement in await items(person, "/agreements"):
        for each in agreement["flows"]:
            flow = Flow(each["sender"], each["recipient"], each["purpose"], tuple(each["categories"]))
            flow = replace(flow, statute=each["basis"] == "statute")
            if categories := tuple(c for c in flow.categories if c in plain):
                yield replace(flow, categories=categories)


async def items(person: Person, path: str) -> list[dict[str, Any]]:
    """Return all items of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await person.get(f"{path}?limit=200" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == OK, answer.body
        page = answer.json()
        found += page["items"]
        cursor = page["next"]
    return found


async def register(person: Person, references: Sequence[str]) -> None:
    """Make these references the partner's clients."""
    for reference in references:
        answer = await person.post("/clients", {"reference": reference})
        assert answer.status in {OK, CREATED}, answer.body
