"""No two partners see the same identifier of a person, in a search of the log, in an export, or in the bytes of an
event (docs/design/data-and-trust.md). Only the ids of a consent are shared, between those who take part in it.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from msgspec import UNSET

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.clients import LinkEvent
from consent_registry.operations.clients import links
from consent_registry.operations.runtime.commands import digest_of
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from tests.journeys.clients.counting import own_and_foreign
from tests.support.dpo_searches import EXPORTS, search_all
from tests.support.installation import Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import NUMBER, PARTNERS, consent_body

SLUGS = ("north", "south", "east")
# Values that could name a person: identifiers, digests, keys and commitments, but no words and no times.
NAMES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}|[A-Za-z0-9+/_-]{22,}={0,2}"
)
YES: Body = {"sender": "north", "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
BACK: Body = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
AWAY: Body = {"sender": "east", "recipient": "north", "purpose": "support", "categories": ["identity"]}


@dataclass(slots=True)
class Story:
    """Three offices that know one person, what each was answered about consents, and the names that all may know."""

    registry: Registry
    offices: dict[str, Office]
    client: dict[str, str] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=lambda: {slug: set() for slug in SLUGS})

    async def act(self, slug: str, path: str, body: Body, status: int = 201) -> Body:
        """Let an office do something."""
        return await self.offices[slug].post(path, body, status)

    async def record(self, slug: str, *grants: Body, **members: object) -> Body:
        """Let an office record a consent of its client."""
        body = consent_body(self.client[slug], self.offices[slug].text) | members
        body["grants"] = list(grants)
        return await self.act(slug, "/consents", body)

    async def look(self) -> None:
        """Let each office read all consents it takes part in, and note the identifiers it sees."""
        for slug, by in self.offices.items():
            shown = (await by.post("/consents/search", {}, 200))["items"]
            for consent in shown:
                await by.get(f"/consents/{consent['consent_id']}")
                grants = [grant["grant_id"] for grant in consent["grants"]]
                releases = [release["release_id"] for release in consent["releases"]]
                self.seen[slug] |= {consent["consent_id"], digest_of([consent["consent_id"]]), *grants, *releases}


async def story(registry: Registry) -> Story:
    """Do everything that writes an event about one person whom three offices know by link codes."""
    found = Story(registry, {slug: await office(registry, slug) for slug in SLUGS})
    found.client = {slug: await office.client() for slug, office in found.offices.items()}
    for giver, taker in (("north", "south"), ("south", "east"), ("east", "north")):
        code = (await found.act(giver, "/link-codes", {"client": found.client[giver]}))["link_code"]
        await found.act(taker, "/clients", {"reference": found.client[taker], "link_code": code}, 200)
    await acts_on_consents(found)
    await withdrawals(found)
    await questions(found)
    await found.look()
    await found.act("east", "/unlinkings", {"client": found.client["east"]})
    return found


async def acts_on_consents(found: Story) -> None:
    """Confirm, renew, restrict, lift, end, invalidate, issue a new code, and refuse."""
    asked = await found.record("north", YES, BACK)
    path = f"/consents/{asked['consent_id']}"
    await found.act("south", f"{path}/confirmations", {})
    await found.record("south", BACK, renews=asked["consent_id"])
    for slug in ("south", "north"):
        await found.act(slug, f"{path}/restrictions", {})
        await found.act(slug, f"{path}/restriction-liftings", {})
    await found.act("north", f"{path}/receipt-codes", {})
    await found.act("south", f"{path}/endings", {"reason": "case_closed"})
    await found.act("north", f"{path}/invalidations", {"reason": "form"})
    await found.record("north", AWAY)
    await found.record("south", BACK | {"answer": "refused"})


async def withdrawals(found: Story) -> None:
    """Withdraw by consent and by client on both sides, and by the client's code at an office without a part in it."""
    for slug, by in (("south", "consent_id"), ("north", "client"), ("east", "client")):
        made = await found.record("east" if slug == "east" else "north", AWAY if slug == "east" else YES)
        body = {by: found.client[slug] if by == "client" else made[by], "channel": "phone"}
        await found.act(slug, "/withdrawals", body)
    made = await found.record("north", YES)
    taken = await found.act("east", "/withdrawals", {"receipt_code": made["receipt_code"], "channel": "in_person"})
    # The answer names the grants of the consent that the code was issued for.
    found.seen["east"] |= set(taken["withdrawn"])


async def questions(found: Story) -> None:
    """Ask, report and read again as sender; as recipient read what may be coming."""
    await found.record("north", YES)
    asked = {"client": found.client["north"], "recipient": "south", "purpose": "support", "categories": ["identity"]}
    for outcome in ("permit", "permit"):
        made = await found.act("north", "/decisions", asked | {"receipt": True}, 200)
        assert made["outcome"] == outcome
        report = {"outcome": "sent", "categories": ["identity"]}
        await found.act("north", f"/decisions/{made['decision_id']}/transfers", report)
        await found.offices["north"].get(f"/decisions/{made['decision_id']}")
        for slug in ("north", "south"):
            found.seen[slug] |= {made["decision_id"], made["log"]["leaf"]}


async def shown(registry: Registry, slug: str) -> set[str]:
    """Return every name in what an officer finds and exports, the bytes of the partner's own events included."""
    dpo = await registry.dpo(slug)
    texts = [json.dumps(await search_all(dpo))]
    texts += [(await dpo.post(EXPORTS, {"format": kind})).text for kind in ("jsonl", "csv")]
    async with registry.sql("app") as connection, connection.transaction():
        await connection.execute(f"set local registry.network = '{NUMBER}'")
        await connection.execute(f"set local registry.partners = '{{{PARTNERS[slug]}}}'")
        rows = await connection.fetch("select event, nonce from registry.events")
    assert rows
    texts += [row["event"].decode() + " " + row["nonce"].hex() for row in rows]
    return names_in(texts)


def names_in(texts: Iterable[str]) -> set[str]:
    """Return the values that could name a person. A value without a digit is a word of the API."""
    return {name for text in texts for name in NAMES.findall(text) if any(map(str.isdigit, name))}


def of_nobody(texts: Iterable[Any]) -> set[str]:
    """Return the names that name no person: those of the catalogue and of the evidence that all tests use."""
    return names_in(json.dumps(text) for text in texts) | {"ab" * 32}


async def shared(found: Story) -> dict[tuple[str, str], set[str]]:
    """Return for each two offices the names that both officers see, without those of the catalogue and of shared
    consents.
    """
    seen = {slug: await shown(found.registry, slug) for slug in SLUGS}
    partner = found.offices["north"].partner
    common = of_nobody([(await partner.get(path)).json() for path in ("/texts", "/agreements", "/partners")])
    return {(a, b): (seen[a] & seen[b]) - common - (found.seen[a] & found.seen[b]) for a, b in combinations(SLUGS, 2)}


async def test_two_officers_share_no_name_of_a_person(fresh_registry: Registry) -> None:
    """After every kind of act no two officers see the same value, except ids of a consent that both take part in."""
    found = await story(fresh_registry)
    events = await check_log(fresh_registry)
    kinds = {event["kind"] for event in events if event["actor"] in SLUGS}
    assert {"link_code", "link", "unlinking", "withdrawal", "confirmation", "ending", "invalidation"} <= kinds
    assert {"restriction", "restriction_lifting", "receipt_code", "decision", "transfer", "read", "consent"} <= kinds
    assert not any((await shared(found)).values()), await shared(found)


async def test_a_name_that_is_shared_is_found(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: another partner's client number in the bytes of an act is found, and a code's id in a link's."""

    def said(*, link_code_commitment: Committed | None = None, **members: Any) -> LinkEvent:  # noqa: ANN401
        code = UNSET if link_code_commitment is None else link_code_commitment.value.decode()
        return LinkEvent(link_code=code, **members)

    monkeypatch.setattr(links, "LinkEvent", said)  # an event's struct is no step that one would hand in
    make_runtime = partial(Runtime, steps=Steps(find_own_clients=own_and_foreign))
    async with fresh(installation, make_runtime=make_runtime) as registry, registry.sql() as connection:
        names = await shared(await story(registry))
        numbers = await connection.fetch("select client_id::text as name from registry.clients where network_id = 99")
        codes = await connection.fetch("select link_code_id::text as name from registry.link_codes")
    every = set().union(*names.values())
    assert every & {row["name"] for row in numbers}
    assert every >= {row["name"] for row in codes}
