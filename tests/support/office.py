"""What offices do all day in these stories: take in a client, record what it agreed to, ask."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.installation import Partner, Registry
from tests.support.small_network import consent_body, question

Body = dict[str, Any]


@dataclass(slots=True)
class Office:
    """A partner with the text its clients sign."""

    partner: Partner
    text: str

    async def client(self) -> str:
        """Take in a client under a fresh reference."""
        reference = f"N-{uuid.uuid4()}"
        answer = await self.partner.post("/clients", {"reference": reference})
        assert answer.status_code == 201, answer.text
        return reference

    async def post(self, path: str, body: Body, status: int = 201, **headers: str) -> Body:
        """POST and expect this status."""
        answer = await self.partner.post(path, body, **headers)
        assert answer.status_code == status, answer.text
        return told(answer)

    async def get(self, path: str, status: int = 200) -> Body:
        """GET and expect this status."""
        answer = await self.partner.get(path)
        assert answer.status_code == status, answer.text
        return told(answer)

    async def consent(self, client: str, *more: Body, **grant: object) -> Body:
        """Record a consent of one grant, and of further ones."""
        body = consent_body(client, self.text, **grant)
        body["grants"] += more
        return await self.post("/consents", body)

    async def outcome(self, client: str, **members: object) -> str:
        """Ask, and return the outcome alone."""
        answer = await self.post("/decisions", question(client, **members), 200)
        return str(answer["outcome"])


def told(answer: httpx.Response) -> Body:
    """The answer's body, which is an object."""
    body = answer.json()
    assert isinstance(body, dict)
    return body


async def office(registry: Registry, slug: str, network: str = "small") -> Office:
    """Return a partner that has signed in."""
    partner = await registry.partner(slug, network)
    texts = (await partner.get("/texts")).json()["items"]
    return Office(partner, texts[0]["id"] if texts else "")
