"""Any order of acts gives the answers, the log length and the log content that the contract's model gives."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.campaigns.freshness.model import Client, Consent, Grant, Held, World
from tests.campaigns.freshness.state_machine import CONFLICT, NOT_FOUND, UNPROCESSABLE, Desk, Run, Wanted
from tests.campaigns.support.scene import CREATED, OK, Flow, scene
from tests.campaigns.support.server import Server, running

pytestmark = pytest.mark.campaign

RUNS = int(os.environ.get("STATE_MACHINE_RUNS", "120"))
RUNS_OF_THE_CONTROL = 50
STEPS = 50
FLOWS = 4
MUST_BE_SEEN = (
    *("permit", "partial", "no_permission", "not_consent_based", "clients 201", "clients 200", "consents 201"),
    *("consents 422", "withdrawals 201", "withdrawals 409", "withdrawals 404", "transfers 201", "transfers 404"),
    *("transfers 409", "search 200", "consents shown 200", "consents shown 404", "decisions shown 200"),
    *("decisions shown 404", "batch 200", "decisions 200", "linked", "link-codes 404", "unlinkings 201"),
    *("unlinkings 404", "renewals 201", "renewals 404", "renewals 422", "restrictions 201", "restrictions 404"),
    *("restrictions 409", "restriction-liftings 201", "restriction-liftings 409", "late papers", "everything", "kept"),
)
NAMES = st.sampled_from(["K", "L"])
WHO = st.sampled_from([0, 0, 0, 1, 1, 2])
NUMBER = st.integers(0, 10**6)
KEYED = st.booleans()
# How far a withdrawal reaches: one consent alone, or everything, where that can be said; `early`: half a day ago.
HOW = st.sampled_from(["flow", "flow", "flow", "alone", "early", "everything"])
REPORTS = ["sent", "not_sent", "failed"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two workers: what one process remembers the other must not need."""
    with running("state-machine", workers=2) as demonstration:
        yield demonstration


def run(server: Server, runs: int) -> Counter[str]:
    """Run the machine and return how often it saw each kind of answer."""
    loop = asyncio.new_event_loop()

    async def prepare() -> Desk:
        stage = await scene(server)
        cast = _cast(stage.outgoing(), stage.partners)
        return Desk(loop, stage, {slug: stage.person(slug) for slug in cast}, await server.sql())

    profile = settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        # Shrinking repeats a failure for minutes; the steps of the first one are printed in any case.
        phases=[Phase.generate, *([Phase.shrink] if "STATE_MACHINE_SHRINK" in os.environ else [])],
        suppress_health_check=list(HealthCheck),
    )
    Machine.desk = loop.run_until_complete(prepare())
    try:
        run_state_machine_as_test(Machine, settings=profile)
    finally:
        Machine.desk.scene.close()
        loop.run_until_complete(Machine.desk.log.close())
        loop.close()
    return Machine.desk.seen


def test_any_history_equals_the_model(server: Server) -> None:
    """Answers, log length and log content equal the model's, over many random histories; with a cache they do not."""
    seen = run(server, RUNS)
    print(f"{RUNS} runs of {STEPS} steps: {dict(seen)}")  # noqa: T201 - the figures of the run
    assert all(seen[kind] > RUNS // 40 for kind in MUST_BE_SEEN), {kind: seen[kind] for kind in MUST_BE_SEEN}
    server.stop()
    server.target = "tests.campaigns.defects.cached_facts:create_app_with_a_long_memory"
    server.start()
    with pytest.raises(AssertionError):
        run(server, RUNS_OF_THE_CONTROL)


def _cast(outgoing: tuple[Flow, ...], partners: tuple[str, ...]) -> list[str]:
    """Sender, one recipient, and a partner that has no part in their consents."""
    sender, recipient = outgoing[0].sender, outgoing[0].recipient
    return [sender, recipient, next(slug for slug in partners if slug not in {sender, recipient})]


class Machine(RuleBasedStateMachine):
    """Three partners of one network at work; `desk` is the same for all runs."""

    desk: ClassVar[Desk]

    def __init__(self) -> None:
        super().__init__()
        self.cast = list(self.desk.people)
        between = [f for f in self.desk.scene.flows if {f.sender, f.recipient} <= set(self.cast)]
        # Few flows, so that acts meet; the statutory ones stay, because they may share categories with the others.
        self.flows = [f for f in between if not f.statute][:FLOWS] + [f for f in between if f.statute]
        self.world = World(self.desk.scene.flows)
        self.run = Run(self.desk, self.world, self.desk.do(self.desk.log_length()))
        for who in self.cast[:2]:
            self.run.register(who, "K", keyed=False)
        grants = [flow.grant() for flow in self.flows if flow.sender == self.cast[0]][:2]
        self.run.record(self.cast[0], self.run.reference("K"), grants, "now")

    def teardown(self) -> None:
        """Compare the whole run with the log."""
        self.run.close()

    # --- clients and consents -----------------------------------------------------------------------------------

    @rule(who=WHO, name=NAMES, keyed=KEYED)
    def register(self, who: int, name: str, keyed: bool) -> None:
        """A reference becomes a client."""
        self.run.register(self.cast[who], name, keyed=keyed)

    @rule(
        who=WHO,
        name=NAMES,
        data=st.data(),
        validity=st.sampled_from(["now", "now", "now", "late", "late", "expired", "later"]),
    )
    def record(self, who: int, name: str, data: st.DataObject, validity: str) -> None:
        """A consent with one to three grants, given or refused."""
        mine = [f for f in self.flows if self.cast[who] in {f.sender, f.recipient} and not f.statute]
        chosen = data.draw(st.lists(st.sampled_from(mine), min_size=1, max_size=3, unique=True)) if mine else []
        grants = []
        for flow in chosen:
            categories = data.draw(st.lists(st.sampled_from(flow.categories), min_size=1, unique=True))
            answer = data.draw(st.sampled_from(["given", "given", "given", "refused"]))
            grants.append(flow.grant(categories=categories, answer=answer))
        if grants:
            self.run.record(self.cast[who], self.run.reference(name), grants, validity)

    @precondition(lambda self: self.world.consents)
    @rule(who=WHO, name=NAMES, which=NUMBER, anew=st.sampled_from([True, True, False]), data=st.data())
    def renew(self, who: int, name: str, which: int, anew: bool, data: st.DataObject) -> None:
        """The client says yes again, to what it said before, to a part of it, or to more; mostly where it said so."""
        consent = self.consent(which)
        partner, reference = consent.home if anew else (self.cast[who], self.run.reference(name))
        mine = [grant for grant in consent.grants if partner in {grant.sender, grant.recipient}]
        grants = []
        for grant in data.draw(st.lists(st.sampled_from(mine), min_size=1, unique_by=id)) if mine else []:
            flow = next(flow for flow in self.flows if (flow.sender, flow.recipient, flow.purpose) == grant.flow)
            more = data.draw(st.sampled_from([grant.categories] * 3 + [grant.categories[:1], list(flow.categories)]))
            answer = data.draw(st.sampled_from(["given"] * 5 + ["refused"]))
            grants.append(flow.grant(categories=more, answer=answer))
        if grants:
            self.run.record(partner, reference, grants, "now", consent)

    @rule(who=WHO, name=NAMES, to=WHO, name_there=NAMES)
    def link(self, who: int, name: str, to: int, name_there: str) -> None:
        """The client carries a code to another partner."""
        if who != to:
            issuer, redeemer = (
                (self.cast[who], self.run.reference(name)),
                (self.cast[to], self.run.reference(name_there)),
            )
            self.run.link(issuer, redeemer)

    @rule(who=WHO, name=NAMES, sure=st.integers(0, 2))
    def unlink(self, who: int, name: str, sure: int) -> None:
        """A partner takes its reference back, more seldom than it links."""
        if not sure:
            self.run.unlink((self.cast[who], self.run.reference(name)))

    @precondition(lambda self: self.world.consents)
    @rule(who=WHO, which=NUMBER)
    def read(self, who: int, which: int) -> None:
        """A consent is shown to whom it concerns; to anybody else it does not exist."""
        consent, partner = self.consent(which), self.cast[who]
        answer = self.run.get(partner, f"/consents/{consent.consent_id}")
        if consent.seen_by(partner):
            assert answer.status == OK, answer
            self.run.shows(answer.json(), consent, partner)
            self.world.log("read", partner, what="consents", count=1)
        else:
            assert answer.status == NOT_FOUND, answer

    @rule(who=WHO, name=NAMES)
    def search(self, who: int, name: str) -> None:
        """A search by client shows the caller's consents of that client, newest first, and none of a stranger."""
        partner, reference = self.cast[who], self.run.reference(name)
        answer = self.run.send(partner, "/consents/search", {"client": reference}, keyed=False)
        assert answer.status == OK, answer
        expected = [c for c in reversed(self.world.of_client((partner, reference))) if c.seen_by(partner)]
        said = answer.json()
        assert [item["consent_id"] for item in said["items"]] == [c.consent_id for c in expected]
        for item, consent in zip(said["items"], expected, strict=True):
            self.run.shows(item, consent, partner)
        self.world.log("read", partner, what="consents", count=len(expected))

    def consent(self, which: int) -> Consent:
        """Choose one of the run's consents."""
        return self.world.consents[which % len(self.world.consents)]

    # --- withdrawals --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.consents)
    @rule(who=WHO, which=NUMBER, how=HOW, data=st.data())
    def withdraw_consent(self, who: int, which: int, how: str, data: st.DataObject) -> None:
        """By its id, wholly or in part, at any partner that sees it."""
        consent, partner = self.consent(which), self.cast[who]
        seen, chosen = consent.seen_by(partner), None
        if len(seen) > 1 and data.draw(st.booleans()):
            seen = data.draw(st.lists(st.sampled_from(seen), min_size=1, max_size=len(seen), unique_by=id))
            chosen = [grant.grant_id for grant in seen]
        parts = data.draw(self.some_categories(seen))
        wanted = Wanted("consent_id", consent.consent_id, parts, chosen, alone=how == "alone", early=how == "early")
        named = [(consent, grant) for grant in seen]
        self.run.withdraw(partner, consent.home, wanted, named or None, self.world.visible(consent.home, partner))

    @precondition(lambda self: self.world.consents)
    @rule(who=WHO, which=NUMBER, how=HOW, data=st.data())
    def withdraw_by_code(self, who: int, which: int, how: str, data: st.DataObject) -> None:
        """By the client's receipt code, at any partner of the network; or everything by it."""
        consent = self.consent(which)
        everything = how == "everything"
        parts = None if everything else data.draw(self.some_categories(consent.grants))
        wanted = Wanted(
            "receipt_code", consent.code, parts, everything=everything, alone=how == "alone", early=how == "early"
        )
        readers = set[str]().union(*(grant.readers(consent.recorder) for grant in consent.grants))
        reach = self.everything(consent.home) if everything else self.world.visible(consent.home, *readers)
        named = [(consent, grant) for grant in consent.grants]
        self.run.withdraw(self.cast[who], consent.home, wanted, named, reach)

    @rule(who=WHO, name=NAMES, how=HOW, data=st.data())
    def withdraw_client(self, who: int, name: str, how: str, data: st.DataObject) -> None:
        """Everything in which the partner takes part, or everything there is, also with nothing on record yet."""
        partner, reference = self.cast[who], self.run.reference(name)
        home = (partner, reference)
        everything = how == "everything"
        reach = self.everything(home) if everything else self.world.visible(home, partner)
        parts = None if everything else data.draw(self.some_categories([grant for _, grant in reach]))
        wanted = Wanted("client", reference, parts, everything=everything, early=how == "early")
        self.run.withdraw(partner, home, wanted, reach if home in self.world.clients else None, reach)

    def everything(self, home: Client) -> list[Held]:
        """Return all grants of a client, for all partners."""
        return [(consent, grant) for consent in self.world.of_client(home) for grant in consent.grants]

    @precondition(lambda self: self.world.consents)
    @rule(who=WHO, which=NUMBER, lift=KEYED, data=st.data())
    def restrict(self, who: int, which: int, lift: bool, data: st.DataObject) -> None:
        """Processing is restricted, or no longer, wholly or for some categories."""
        consent, partner = self.consent(which), self.cast[who]
        categories = data.draw(self.some_categories(consent.grants))
        self.run.restrict(partner, consent, categories, lift=lift)

    def some_categories(self, grants: list[Grant]) -> st.SearchStrategy[list[str] | None]:
        """Return a strategy for no restriction or some categories of these grants."""
        every = sorted({category for grant in grants for category in grant.categories})
        if not every:
            return st.none()
        return st.none() | st.lists(st.sampled_from(every), min_size=1, max_size=2, unique=True)

    # --- decisions ----------------------------------------------------------------------------------------------

    def questions(self, sender: str) -> st.SearchStrategy[dict[str, Any]]:
        """Return a strategy for well-formed questions of this sender, mostly about what somebody consented to once."""
        every = sorted({category for flow in self.desk.scene.flows for category in flow.categories})
        others = [slug for slug in self.desk.scene.partners if slug != sender]
        nowhere = st.sampled_from(others).map(lambda to: Flow(sender, to, "employment", tuple(every[:2])))
        flows = [flow for flow in self.flows if flow.sender == sender]
        anything = st.sampled_from(flows) | nowhere if flows else nowhere
        asked = st.tuples(anything, NAMES.map(self.run.reference))
        consented = [
            (Flow(sender, grant.recipient, grant.purpose, tuple(grant.categories)), consent.reference)
            for consent in self.world.consents
            for grant in consent.grants
            if grant.sender == sender
        ]
        if consented:
            asked = st.sampled_from(consented) | st.sampled_from(consented) | asked
        more = st.lists(st.sampled_from(every), max_size=2)
        basis = st.sampled_from([{}, {}, {}, {"basis": "consent"}, {"basis": "statute", "norm": "§ 69 Abs. 1 SGB X"}])
        return st.builds(
            lambda about, chosen, keep, ground: (
                about[0].question(about[1], **ground)
                | {"categories": list(dict.fromkeys([*chosen, *about[0].categories[:keep]]))}
            ),
            *(asked, more, st.integers(1, 5), basis),
        )

    @rule(who=WHO, data=st.data(), keyed=KEYED)
    def decide(self, who: int, data: st.DataObject, keyed: bool) -> None:
        """One question."""
        self.run.decide(self.cast[who], data.draw(self.questions(self.cast[who])), keyed=keyed)

    @rule(who=WHO, data=st.data())
    def decide_batch(self, who: int, data: st.DataObject) -> None:
        """Several questions in one transaction."""
        bodies = data.draw(st.lists(self.questions(self.cast[who]), min_size=1, max_size=6))
        self.run.decide_batch(self.cast[who], bodies)

    @precondition(lambda self: self.world.decisions)
    @rule(who=WHO, which=NUMBER)
    def read_decision(self, who: int, which: int) -> None:
        """The same bytes again for the sender, nothing for anybody else."""
        identifier, (sender, body) = list(self.world.decisions.items())[which % len(self.world.decisions)]
        answer = self.run.get(self.cast[who], f"/decisions/{identifier}")
        if self.cast[who] == sender:
            assert answer.status == OK, answer
            assert not body or answer.body == body
            self.world.log("read", sender, what="decision", count=1)
        else:
            assert answer.status == NOT_FOUND, answer

    @precondition(lambda self: self.world.decisions)
    @rule(who=WHO, which=NUMBER, own=KEYED, outcomes=st.lists(st.sampled_from(REPORTS), min_size=1, max_size=3))
    def transfer(self, who: int, which: int, own: bool, outcomes: list[str]) -> None:
        """What was done after a decision, reported by its sender; `not_sent` after `sent` contradicts itself."""
        latest = list(self.world.decisions.items())[-2:]
        identifier, (sender, _) = latest[which % len(latest)]
        partner = sender if own else self.cast[who]
        reported = self.world.reported.setdefault(identifier, set())
        for outcome in outcomes:
            body = {"outcome": outcome, "categories": ["identity"]}
            answer = self.run.send(partner, f"/decisions/{identifier}/transfers", body)
            if partner != sender:
                assert answer.status == NOT_FOUND, answer
            elif outcome == "not_sent" and "sent" in reported:
                assert answer.status == CONFLICT, answer
            else:
                assert answer.status == CREATED, answer
                reported.add(outcome)
                self.world.log("transfer", partner, decision=identifier, outcome=outcome)

    # --- repetitions --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.run.stored)
    @rule(which=NUMBER)
    def repeat(self, which: int) -> None:
        """The same key with the same bytes: the first answer again, and nothing new in the log."""
        stored = self.run.stored[which % len(self.run.stored)]
        again = self.desk.do(self.desk.people[stored.partner].post(stored.path, stored.body, stored.key))
        assert (again.status, again.body) == (stored.answer.status, stored.answer.body)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == stored.answer.headers.get("location")

    @precondition(lambda self: self.run.stored)
    @rule(which=NUMBER)
    def repeat_otherwise(self, which: int) -> None:
        """The same key with other bytes is refused and changes nothing."""
        stored = self.run.stored[which % len(self.run.stored)]
        again = self.desk.do(self.desk.people[stored.partner].post(stored.path, stored.body + b" ", stored.key))
        assert again.status == UNPROCESSABLE, again
