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

from consent_registry.domain.act_entries import entries_of
from tests.campaigns.freshness.model import FAR, PAST, SOON, Consent, Grant, World
from tests.campaigns.support.scene import CREATED, OK, Person, Scene, instant
from tests.campaigns.support.wire import Answer

CONFLICT, NOT_FOUND, UNPROCESSABLE = 409, 404, 422
ANSWER_LIFETIME = timedelta(minutes=5)
VALIDITIES = {"now": (0, FAR), "expired": (PAST - 1, PAST), "later": (SOON, FAR)}
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


@dataclass(slots=True)
class Run:
    """One run of the state machine: the world of the model, and the registry's answers held against it."""

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
            self.world.clients.add((partner, reference))
            self.world.log("client", partner)
        said = answer.json()
        assert (said["reference"], said["linked"]) == (reference, False)

    def record(self, partner: str, name: str, grants: list[dict[str, Any]], validity: str) -> None:
        """A consent of a known client is recorded; what its sender did not record is requested."""
        reference = self.reference(name)
        body = self.desk.scene.consent(reference, grants)
        begins, ends = VALIDITIES[validity]
        if validity == "expired":
            body["act"]["given_at"] = instant(days=90)
            body["valid_until"] = instant(days=1)
        elif validity == "later":
            body["valid_from"], body["valid_until"] = instant(days=-30), instant(days=-300)
        answer = self.send(partner, "/consents", body)
        if (partner, reference) not in self.world.clients:
            assert answer.status == UNPROCESSABLE, answer
            return
        assert answer.status == CREATED, answer
        said = answer.json()
        made = []
        for grant, shown in zip(grants, said["grants"], strict=True):
            given = grant.get("answer", "given")
            said_by_sender = given == "refused" or grant["sender"] == partner
            made.append(
                Grant(
                    shown["grant_id"],
                    grant["sender"],
                    grant["recipient"],
                    grant["purpose"],
                    grant["categories"],
                    given if said_by_sender else "requested",
                    begins,
                    ends,
                )
            )
        consent = Consent(said["consent_id"], partner, reference, said["receipt_code"], made, said["log"])
        self.world.consents.append(consent)
        self.world.log("consent", partner, id=consent.consent_id, grants=sorted(g.grant_id for g in made))
        self.at_index(said["log"])
        assert answer.headers["location"].endswith(f"/consents/{consent.consent_id}")
        self.shows(said, consent, partner)

    def shows(self, said: dict[str, Any], consent: Consent, partner: str) -> None:
        """A shown consent has the status, grants and client that this partner is to see."""
        seen = {grant.grant_id: grant for grant in consent.seen_by(partner)}
        assert {grant["grant_id"] for grant in said["grants"]} == set(seen)
        assert said["consent_id"] == consent.consent_id
        assert said["client"] == (consent.reference if partner == consent.recorder else None)
        assert said["recorded_by"] == consent.recorder
        assert said["log"] == consent.place
        assert said["status"] == consent.status_for(partner)
        for shown in said["grants"]:
            grant = seen[shown["grant_id"]]
            assert (shown["sender"], shown["recipient"], shown["purpose"]) == grant.flow
            assert shown["categories"] == grant.categories
            assert shown["status"] == grant.status(), (shown, grant)
            assert set(shown["withdrawn_categories"]) == grant.withdrawn
            assert (shown["withdrawn_at"] is not None) == bool(grant.withdrawn)

    # --- withdrawing --------------------------------------------------------------------------------------------

    def withdraw(
        self,
        partner: str,
        by: dict[str, Any],
        covered: list[tuple[Consent, Grant]] | None,
        categories: list[str] | None,
    ) -> None:
        """201 with what was taken, 409 when nothing was left, 404 where there is nothing to see (`covered` None)."""
        part = {} if categories is None else {"categories": categories}
        answer = self.send(partner, "/withdrawals", by | part | {"channel": "phone"})
        if covered is None:
            assert answer.status == NOT_FOUND, answer
            return
        withdrawn, taken = self.world.withdraw(covered, categories)
        if not withdrawn:
            assert answer.status == CONFLICT, answer
            return
        assert answer.status == CREATED, answer
        said = answer.json()
        self.world.log("withdrawal", partner, id=said["withdrawal_id"], grants=sorted(withdrawn), channel="phone")
        assert set(said["withdrawn"]) == withdrawn
        assert len(said["withdrawn"]) == len(withdrawn)
        owner = covered[0][0]
        # With the code it is the client who acts; what else goes on is told as far as the caller has a part in it.
        still = self.world.still_given((owner.recorder, owner.reference), taken, partner)
        assert set(said["still_given"]) == still
        self.at_index(said["log"])
        # Entries for other client numbers and padding follow: how many in all is a constant.
        beside = entries_of("withdrawal", {}) - 1
        self.world.events += [{"act": said["withdrawal_id"]}] * beside

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
        """Every event of the run stands in the log where the model put it, and no other."""
        events = self.desk.do(self.desk.events(self.first))
        assert [event["index"] for event in events] == list(range(self.first, self.first + len(events)))
        pairs = zip(events, self.world.events, strict=False)
        found = [{name: _subject(event, name) for name in wanted} for event, wanted in pairs]
        assert found == self.world.events[: len(found)]
        assert len(events) == len(self.world.events), events[len(self.world.events) :]


def _subject(event: dict[str, Any], name: str) -> object:
    if event["kind"] in {"consent", "withdrawal"} and name == "grants":
        return sorted(grant["grant"] for grant in event["grants"])
    return event.get(name)
