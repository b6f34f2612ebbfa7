"""A data-protection officer's desk in tests: searches to the last page, and the same search by brute force."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from consent_registry.storage.keys.keyring import base64url
from consent_registry.tlog.leaf import reference_commitment
from tests.support.installation import Partner, Registry

Item = dict[str, Any]
SEARCH, EXPORTS = "/events/search", "/events/exports"
PERSONS = {
    "consent": lambda facts: facts["information"]["explained_by"],
    "approval": lambda facts: facts["approved_by"],
    "approval_revocation": lambda facts: facts["revoked_by"],
    "hold": lambda facts: facts["placed_by"],
    "hold_lifting": lambda facts: facts["lifted_by"],
}
OPEN = ("permit", "partial")


async def search(dpo: Partner, **asked: object) -> Item:
    """Return one page."""
    answer = await dpo.post(SEARCH, {name.rstrip("_"): value for name, value in asked.items()})
    assert answer.status_code == httpx.codes.OK, answer.text
    page: Item = answer.json()
    assert set(page) == {"items", "next"}
    return page


async def search_all(dpo: Partner, **asked: object) -> list[Item]:
    """Return every item of every page, which are in order."""
    found: list[Item] = []
    cursor: dict[str, object] = {}
    while True:
        page = await search(dpo, **asked, **cursor)
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    indices = [item["log"]["index"] for item in found]
    assert indices == sorted(set(indices), reverse=True)
    return found


@dataclass(frozen=True)
class Record:
    """An event as the superuser reads it: its place, its exact bytes' facts, and its nonce."""

    index: int
    facts: dict[str, Any]
    nonce: bytes

    @property
    def person(self) -> str | None:
        """Whom of the staff it names."""
        told = PERSONS.get(self.facts["kind"])
        return None if told is None else str(told(self.facts))

    def flow(self, member: str) -> object:
        """What was asked or answered, of a decision."""
        return self.facts[member] if self.facts["kind"] == "decision" else None

    def is_about(self, client_ids: set[str], references: set[str]) -> bool:
        """Whether it names one of the clients, or asked about one of the references before it was registered."""
        if self.facts["client"] is not None:
            return self.facts["client"] in client_ids
        said = self.facts.get("reference_commitment")
        return any(base64url(reference_commitment(self.nonce, reference)) == said for reference in references)


async def records(registry: Registry, network: str = "small") -> list[Record]:
    """Return every event of a log, of all actors."""
    async with registry.sql() as sql:
        rows = await sql.fetch(
            "select log_index, event, nonce from registry.events join registry.networks using (network_id)"
            " where slug = $1 order by log_index",
            network,
        )
    return [Record(row["log_index"], json.loads(row["event"]), row["nonce"]) for row in rows]


def expected(
    every: list[Record], partner: str, asked: dict[str, Any], clients: tuple[set[str], set[str]] = (set(), set())
) -> list[int]:
    """Return the places that a search by this partner's DPO must find, newest first."""
    found = [record for record in every if _matches(record, partner, asked, clients)]
    return [record.index for record in found][::-1]


def _matches(record: Record, partner: str, asked: dict[str, Any], clients: tuple[set[str], set[str]]) -> bool:
    own = record.facts["actor"] == partner and record.facts.get("group") in {None, record.facts["id"]}
    received = record.flow("recipient") == partner and record.flow("outcome") in OPEN
    if not (own or (received and asked.get("client") is None and asked.get("person") is None)):
        return False
    return all(_tests(record, asked, clients))


def _tests(record: Record, asked: dict[str, Any], clients: tuple[set[str], set[str]]) -> Iterator[bool]:
    if (actor := asked.get("partner")) is not None:
        yield record.facts["actor"] == actor
    for member in ("recipient", "purpose", "outcome"):
        if asked.get(member) is not None:
            yield record.flow(member) == asked[member]
    if (kind := asked.get("kind")) is not None:
        yield record.facts["kind"] in ([kind] if isinstance(kind, str) else kind)
    if asked.get("person") is not None:
        yield record.person == asked["person"]
    if asked.get("client") is not None:
        yield record.is_about(*clients)
    at = datetime.fromisoformat(record.facts["at"])
    if asked.get("from") is not None:
        yield at >= datetime.fromisoformat(asked["from"])
    if asked.get("until") is not None:
        yield at < datetime.fromisoformat(asked["until"])
