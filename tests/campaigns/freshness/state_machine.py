"""Steps against the running API, each compared with the model at once and with the log at the end of the run."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg

from consent_registry.domain.events.event import LARGEST_GROUP
from tests.campaigns.freshness.model import (
    EARLY,
    FAR,
    LATE,
    LIVE,
    PAST,
    SOON,
    Client,
    Consent,
    Grant,
    Held,
    Withdrawal,
    World,
    refuses_renewal,
    renew,
)
from tests.campaigns.support.scene import CREATED, OK, Person, Scene, instant
from tests.campaigns.support.wire import Answer

CONFLICT, NOT_FOUND, UNPROCESSABLE = 409, 404, 422
ANSWER_LIFETIME = timedelta(minutes=5)
VALIDITIES = {"now": (0, FAR), "expired": (PAST - 1, PAST), "later": (SOON, FAR), "late": (PAST - 1, FAR)}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored:
    """A request with an Idempotency-Key and its first answer."""

    partner: str
    path: str
    body: bytes
    key: str
    answer: Answer


@dataclass(slots=True)
class Desk:
    """The partners of one network on one event loop, and the database's superuser beside them."""

    loop: asyncio.AbstractEventLoop
    scene: Scene
    people: dict[str, Person]
    log: asyncpg.Connection
    seen: Counter[str] = field(default_factory=Counter)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one step to its end."""
        return self.loop.run_until_complete(work)

    async def log_length(self) -> int:
        """Return the number of leaves of the network's log."""
        length: int = await self.log.fetchval(
            "select coalesce(max(log_index) + 1, 0) from leaves natural join networks where slug = $1",
            self.scene.network,
        )
        return length

    async def events(self, first: int) -> list[dict[str, Any]]:
        """Return the network's events from `first` on, with their index."""
        rows = await self.log.fetch(
            "select log_index, event from events join networks using (network_id)"
            " where slug = $1 and log_index >= $2 order by log_index",
            self.scene.network,
            first,
        )
        return [json.loads(row["event"]) | {"index": row["log_index"]} for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A withdrawal as it is asked for: by what (`target`) and by which name, and how much it is to reach. `early`: it
    was received half a day ago.
    """

    target: str
    name: str
    categories: list[str] | None = None
    grants: list[str] | None = None
    everything: bool = False
    alone: bool = False
    early: bool = False

    def body(self) -> dict[str, Any]:
        """The request."""
        said: dict[str, Any] = {self.target: self.name, "channel": "phone"}
        said |= {} if self.categories is None else {"categories": self.categories}
        said |= {} if self.grants is None else {"grants": self.grants}
        said |= {"scope": "everything"} if self.everything else {}
        said |= {"only_this_consent": True} if self.alone else {}
        return said | ({"received_at": instant(days=0.5)} if self.early else {})

    def kept(self, members: frozenset[Client], received: float, partner: str, papers: list[Held]) -> Withdrawal:
        """What is kept of it."""
        if self.everything:
            return Withdrawal(members, received, everything=True)
        if self.target == "client":
            struck = None if self.categories is None else frozenset(self.categories)
            return Withdrawal(members, received, partner=partner, categories=struck)
        flows: dict[tuple[str, str, str], set[str]] = {}
        for _, grant in papers if not self.alone else ():
            parts = set(grant.categories) & set(self.categories or grant.categories)
            if grant.answer != "refused" and parts:
                flows[grant.flow] = flows.get(grant.flow, set()) | parts
        return Withdrawal(members, received, flows=flows)


@dataclass(slots=True)
class Run:
    """One run of the state machine: the world of the model, and the registry's answers compared with it."""

    desk: Desk
    world: World
    first: int
    stored: list[Stored] = field(default_factory=list)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def reference(self, name: str) -> str:
        """Return a reference nobody used before this run."""
        return f"{name}-{self.mark}"

    def send(self, partner: str, path: str, body: dict[str, Any], *, keyed: bool = True) -> Answer:
        """POST with or without a key and remember what a repetition must give."""
        content, key = json.dumps(body).encode(), str(uuid.uuid4()) if keyed else None
        answer = self.desk.do(self.desk.people[partner].post(path, content, key))
        self.desk.seen[f"{path.rpartition('/')[2]} {answer.status}"] += 1
        if key is not None and answer.status in {OK, CREATED}:
            self.stored.append(Stored(partner, path, content, key, answer))
        return answer

    def get(self, partner: str, path: str) -> Answer:
        """GET as a partner."""
        answer = self.desk.do(self.desk.people[partner].get(path))
        self.desk.seen[f"{path.split('/')[1]} shown {answer.status}"] += 1
        return answer

    def at_index(self, place: dict[str, Any], back: int = 1) -> None:
        """The answer names the place at which the model put its event."""
        assert place["index"] == self.first + len(self.world.events) - back

    # --- recording ----------------------------------------------------------------------------------------------

    def register(self, partner: str, name: str, *, keyed: bool) -> None:
        """A new reference is 201 and logged, a known one 200."""
        reference = self.reference(name)
        answer = self.send(partner, "/clients", {"reference": reference}, keyed=keyed)
        new = (partner, reference) not in self.world.clients
        assert answer.status == (CREATED if new else OK), answer
        if new:
            self.world.register((partner, reference))
            self.world.log("client", partner)
        said = answer.json()
        assert (said["reference"], said["linked"]) == (reference, (partner, reference) in self.world.redeemed)

    def record(
        self, partner: str, reference: str, grants: list[dict[str, Any]], validity: str, renews: Consent | None = None
    ) -> None:
        """A consent of a known client is recorded; what its sender did not record is requested."""
        client = (partner, reference)
        answer = self.send(partner, "/consents", self._body(reference, grants, validity, renews))
        earlier = [grant for consent, grant in self.world.visible(client, partner) if consent is renews]
        if renews is not None:
            self.desk.seen[f"renewals {answer.status}"] += 1
        if client not in self.world.clients:
            assert answer.status == UNPROCESSABLE, answer
            return
        if renews is not None and not earlier:
            assert answer.status == NOT_FOUND, answer
            return
        if renews is not None and refuses_renewal(earlier, grants):
            assert answer.status == UNPROCESSABLE, answer
            return
        assert answer.status == CREATED, answer
        said = answer.json()
        made = [
            _grant(partner, grant, shown["grant_id"], VALIDITIES[validity])
            for grant, shown in zip(grants, said["grants"], strict=True)
        ]
        self.world.now += 1
        for grant in made:
            grant.given = {"late": LATE, "expired": LATE - 1}.get(validity, self.world.now)
        is_late = self.world.take_back(client, made)
        self.desk.seen["late papers"] += is_late
        assert ("withdrawn_since" in {remark["code"] for remark in said["remarks"]}) == is_late
        renew(earlier, made)
        renewed = None if renews is None else renews.consent_id
        consent = Consent(said["consent_id"], partner, reference, said["receipt_code"], made, said["log"], renewed)
        self.world.consents.append(consent)
        self.world.log("consent", partner, id=consent.consent_id, grants=sorted(g.grant_id for g in made))
        self.at_index(said["log"])
        self.world.log_beside((renewed is not None) + is_late)
        assert answer.headers["location"].endswith(f"/consents/{consent.consent_id}")
        self.shows(said, consent, partner)

    def _body(
        self, reference: str, grants: list[dict[str, Any]], validity: str, renews: Consent | None
    ) -> dict[str, Any]:
        body = self.desk.scene.consent(reference, grants)
        if validity == "expired":
            body["act"]["given_at"] = instant(days=90)
            body["valid_until"] = instant(days=1)
        elif validity == "late":
            body["act"]["given_at"] = instant(days=2)
        elif validity == "later":
            body["valid_from"], body["valid_until"] = instant(days=-30), instant(days=-300)
        return body if renews is None else body | {"renews": renews.consent_id}

    def shows(self, said: dict[str, Any], consent: Consent, partner: str) -> None:
        """A shown consent has the status, grants and client that this partner is to see."""
        seen = {grant.grant_id: grant for grant in consent.seen_by(partner)}
        assert {grant["grant_id"] for grant in said["grants"]} == set(seen)
        assert said["consent_id"] == consent.consent_id
        assert said["client"] == self.world.name_for(partner, consent)
        assert said["recorded_by"] == consent.recorder
        assert said["log"] == consent.place
        assert said["status"] == consent.status_for(partner)
        assert said.get("renews") == consent.renews
        for shown in said["grants"]:
            grant = seen[shown["grant_id"]]
            assert (shown["sender"], shown["recipient"], shown["purpose"]) == grant.flow
            assert shown["categories"] == grant.categories
            assert shown["status"] == grant.status(), (shown, grant)
            assert set(shown["withdrawn_categories"]) == grant.withdrawn
            assert set(shown.get("restricted_categories", ())) == grant.restricted
            assert (shown["withdrawn_at"] is not None) == bool(grant.withdrawn)

    # --- linking ------------------------------------------------------------------------------------------------

    def link(self, issuer: Client, redeemer: Client) -> None:
        """A code of one partner's client, redeemed by another: from then on the two are one client."""
        issued = self.send(issuer[0], "/link-codes", {"client": issuer[1]})
        if issuer not in self.world.clients:
            assert issued.status == NOT_FOUND, issued
            return
        assert issued.status == CREATED, issued
        self.world.log("link_code", issuer[0])
        body = {"reference": redeemer[1], "link_code": issued.json()["link_code"]}
        answer = self.send(redeemer[0], "/clients", body)
        new = redeemer not in self.world.clients
        assert answer.status == (CREATED if new else OK), answer
        assert (answer.json()["reference"], answer.json()["linked"]) == (redeemer[1], True)
        self.world.link(issuer, redeemer)
        self.world.log("link", redeemer[0], registered=new)
        self.world.log_beside(LARGEST_GROUP - 1)
        self.desk.seen["linked"] += 1

    def unlink(self, client: Client) -> None:
        """The reference is a client of its own, also when it was one before."""
        answer = self.send(client[0], "/unlinkings", {"client": client[1]})
        if client not in self.world.clients:
            assert answer.status == NOT_FOUND, answer
            return
        assert answer.status == CREATED, answer
        self.world.unlink(client)
        self.world.log("unlinking", client[0], id=answer.json()["unlinking_id"])
        self.at_index(answer.json()["log"])

    # --- withdrawing and restricting ----------------------------------------------------------------------------

    def withdraw(
        self, partner: str, home: Client, wanted: "Wanted", named: list[Held] | None, reach: list[Held]
    ) -> None:
        """201 with what was taken, 409 when nothing was left of a consent or code, 404 where there is nothing to see
        (`named` None).

        `home` is the reference by which it was made, `named` what it names, `reach` what it can reach beyond.
        """
        answer = self.send(partner, "/withdrawals", wanted.body())
        if named is None:
            assert answer.status == NOT_FOUND, answer
            return
        named = [*named, *self.world.related_grants(named, reach)]
        seen = self.world.visible(home, partner)
        if wanted.target != "client" and not wanted.everything and not self.world.can_take(named, wanted.categories):
            assert answer.status == CONFLICT, answer
            return
        assert answer.status == CREATED, answer
        said = answer.json()
        by_code = {
            consent.consent_id for consent, _ in named if consent.home == home and wanted.target == "receipt_code"
        }
        papers = [] if wanted.everything or wanted.target == "client" else named
        self.world.now += 1
        received = EARLY if wanted.early else self.world.now
        withdrawal = wanted.kept(frozenset(self.world.everybody(home)), received, partner, papers)
        taken = self.world.withdraw(papers, reach, withdrawal, wanted.categories)
        self.desk.seen["everything"] += wanted.everything
        self.desk.seen["kept"] += not taken
        known = {grant.grant_id for _, grant in seen}
        told = {grant.grant_id for consent, grant in taken if consent.consent_id in by_code or grant.grant_id in known}
        assert sorted(said["withdrawn"]) == sorted(told)
        in_own = by_code if wanted.target == "receipt_code" else {c.consent_id for c, _ in reach if c.home == home}
        own = sorted(grant.grant_id for consent, grant in taken if consent.consent_id in in_own)
        self.world.log("withdrawal", partner, id=said["withdrawal_id"], grants=own, channel="phone")
        # What else goes on is told as far as the caller has a part in it.
        consents, flows = {c.consent_id for c, _ in papers}, {g.flow for _, g in papers if g.answer != "refused"}
        assert set(said["still_given"]) == {
            grant.grant_id
            for consent, grant in seen
            if consent.consent_id not in consents
            and (grant.flow in flows or withdrawal.concerns(grant))
            and grant.status() in LIVE
        }
        self.at_index(said["log"])
        # Entries for other client numbers and padding follow: how many in all is a constant.
        self.world.log_beside(LARGEST_GROUP - 1 + (wanted.target == "receipt_code"))

    def restrict(self, partner: str, consent: Consent, categories: list[str] | None, *, lift: bool) -> None:
        """Processing is restricted, or no longer, in every paper that says the same yes."""
        path = f"/consents/{consent.consent_id}/{'restriction-liftings' if lift else 'restrictions'}"
        answer = self.send(partner, path, {} if categories is None else {"categories": categories})
        seen = self.world.visible(consent.home, partner)
        chosen = [held for held in seen if held[0] is consent]
        if not chosen:
            assert answer.status == NOT_FOUND, answer
            return
        changed = self.world.restrict([*chosen, *self.world.related_grants(chosen, seen)], categories, lift=lift)
        if not changed:
            assert answer.status == CONFLICT, answer
            return
        assert answer.status == CREATED, answer
        said = answer.json()
        assert sorted(said["grants"]) == sorted(grant.grant_id for _, grant in changed)
        kind = "restriction_lifting" if lift else "restriction"
        own = sorted(grant.grant_id for held, grant in changed if held.home == consent.home)
        self.world.log(kind, partner, id=said["id"], grants=own)
        self.at_index(said["log"])
        self.world.log_beside(LARGEST_GROUP - 1)

    # --- asking -------------------------------------------------------------------------------------------------

    def decide(self, partner: str, body: dict[str, Any], *, keyed: bool) -> None:
        """One decision, as the model answers it."""
        answer = self.send(partner, "/decisions", body, keyed=keyed)
        assert answer.status == OK, answer
        self.decided(partner, body, answer.json(), answer.body)
        self.at_index(answer.json()["log"])

    def decide_batch(self, partner: str, bodies: list[dict[str, Any]]) -> None:
        """A batch is answered in order, with one place in the log after the other."""
        answer = self.send(partner, "/decisions/batch", {"decisions": bodies}, keyed=False)
        assert answer.status == OK, answer
        for body, said in zip(bodies, answer.json()["decisions"], strict=True):
            self.decided(partner, body, said, None)
            self.at_index(said["log"])

    def decided(self, partner: str, body: dict[str, Any], said: dict[str, Any], exact: bytes | None) -> None:
        """The answer is the model's, good for five minutes, and bound to duties only if something may go."""
        expected = self.world.decide(partner, body)
        assert {name: said[name] for name in expected} == expected, (body, said, expected)
        lifetime = datetime.fromisoformat(said["expires_at"]) - datetime.fromisoformat(said["decided_at"])
        assert lifetime == ANSWER_LIFETIME
        assert bool(said["obligations"]) == bool(expected["permitted_categories"])
        facts = {"recipient": body["recipient"], "purpose": body["purpose"], "outcome": expected["outcome"]}
        facts |= {"permitted": expected["permitted_categories"], "categories": body["categories"]}
        self.world.log("decision", partner, id=said["decision_id"], **facts)
        self.world.decisions[said["decision_id"]] = (partner, exact or b"")
        self.desk.seen[said["outcome"]] += 1

    def close(self) -> None:
        """Every event of the run is in the log where the model put it, and no other."""
        events = self.desk.do(self.desk.events(self.first))
        assert [event["index"] for event in events] == list(range(self.first, self.first + len(events)))
        places = {event["id"]: number for number, event in enumerate(events)}
        found = [
            {name: number - places[event["act"]] if name == "beside" else _subject(event, name) for name in wanted}
            for number, (event, wanted) in enumerate(zip(events, self.world.events, strict=False))
        ]
        assert found == self.world.events[: len(found)]
        assert len(events) == len(self.world.events), events[len(self.world.events) :]


def _grant(partner: str, asked: dict[str, Any], grant_id: str, validity: tuple[int, int]) -> Grant:
    """What is recorded of a grant: a recipient cannot make the sender liable, so that it asks for what it records."""
    answer = asked.get("answer", "given")
    said_by_sender = answer == "refused" or asked["sender"] == partner
    flow = (asked["sender"], asked["recipient"], asked["purpose"])
    return Grant(grant_id, *flow, asked["categories"], answer if said_by_sender else "requested", *validity)


def _subject(event: dict[str, Any], name: str) -> object:
    if name == "grants":
        return sorted(grant if isinstance(grant, str) else grant["grant"] for grant in event["grants"])
    return event.get(name)
