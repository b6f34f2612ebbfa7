"""However often and however close together a request is sent under one key, it has one effect and one answer."""

import asyncio
import json
import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.campaigns.idempotency.repeats import Repeats, Sending
from tests.campaigns.support.quotas import give_quotas
from tests.campaigns.support.scene import CREATED, OK, Person, Scene, play, register
from tests.campaigns.support.server import Server, running
from tests.campaigns.support.wire import Answer

pytestmark = pytest.mark.campaign

OPERATIONS = int(os.environ.get("IDEMPOTENCY_OPERATIONS", "4000"))
SEED = int(os.environ.get("IDEMPOTENCY_SEED", str(random.SystemRandom().getrandbits(32))))
BAD_REQUEST, NOT_FOUND, CONFLICT, UNPROCESSABLE = 400, 404, 409, 422
EVENTS = {"client": 1, "consent": 1, "withdrawal": 1, "transfer": 1, "decision": 1, "batch": 3}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Two workers, so that repetitions meet in different processes."""
    with running("idempotency", workers=2) as demonstration:
        yield demonstration


def test_one_effect_and_one_answer(server: Server, tmp_path: Path) -> None:
    """Thousands of operations, each sent one to five times: one is first, the others repeat it, the log knows one."""

    async def campaign(stage: Scene) -> tuple[list[Sending], list[dict[str, Any]]]:
        # Thousands of acts in a few seconds: with the quota they would take a minute more.
        await give_quotas(server, stage.network, tmp_path, writes=None)
        sql = await server.sql()
        repeats = Repeats(stage, OPERATIONS, random.Random(SEED))
        first = await _length(sql, stage.network)
        await repeats.run()
        rows = await sql.fetch(
            "select event from events join networks using (network_id) where slug = $1 and log_index >= $2",
            stage.network,
            first,
        )
        await sql.close()
        return repeats.sendings, [json.loads(row["event"]) for row in rows]

    sendings, events = play(server, campaign)
    times = Counter(len(sending.answers) for sending in sendings)
    print(f"seed {SEED}; sent so often: {dict(times)}; {sum(s.conflicts for s in sendings)} times 409")  # noqa: T201 - the figures of the run
    assert not [fault for sending in sendings for fault in sending.faults()]
    assert any(sending.conflicts for sending in sendings), "no two of a kind ever met: nothing was tried"
    kinds = Counter(sending.kind for sending in sendings)
    expected = Counter({"client": 40})
    for kind, number in kinds.items():
        expected["decision" if kind == "batch" else kind] += number * EVENTS[kind]
    # What an act writes beside its own event, for other client numbers and as padding, names the act.
    assert Counter(event["kind"] for event in events if "act" not in event) == expected
    subjects = Counter(sending.subject for sending in sendings if sending.subject)
    assert set(subjects.values()) == {1}
    assert set(subjects) <= {event.get("id") for event in events}


async def _length(sql: asyncpg.Connection, network: str) -> int:
    length: int = await sql.fetchval(
        "select coalesce(max(log_index) + 1, 0) from leaves join networks using (network_id) where slug = $1", network
    )
    return length


class Rules:
    """One partner with a client, a flow and fresh keys."""

    @classmethod
    async def on(cls, stage: Scene) -> "Rules":
        """Register the client."""
        found = cls(stage)
        await register(found.me, [found.client])
        return found

    def __init__(self, stage: Scene) -> None:
        self.stage = stage
        self.me: Person = stage.person(stage.sender)
        self.client = f"RULES-{uuid.uuid4()}"
        self.flow = stage.outgoing()[0]

    def consent(self) -> dict[str, Any]:
        """Return a fresh consent's body."""
        return self.stage.consent(self.client, [self.flow.grant()])

    async def record(self) -> dict[str, Any]:
        """Record a consent."""
        made = await self.me.post("/consents", self.consent(), str(uuid.uuid4()))
        assert made.status == CREATED, made
        said: dict[str, Any] = made.json()
        return said


def is_problem(answer: Answer, status: int) -> bool:
    """Say whether the answer is this problem in the contract's form."""
    is_json = answer.headers.get("content-type", "").startswith("application/problem+json")
    return answer.status == status == (answer.json()["status"] if is_json else None)


def test_where_a_key_is_required_it_is_asked_for(server: Server) -> None:
    """Consents, withdrawals and transfers without a key are 400 and record nothing."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        made = await stage.record()
        asked = (await me.post("/decisions", stage.flow.question(stage.client))).json()
        report = {"outcome": "sent", "categories": [stage.flow.categories[0]]}
        sql = await server.sql()
        before = await _length(sql, stage.stage.network)
        assert is_problem(await me.post("/consents", stage.consent()), BAD_REQUEST)
        withdrawal = {"consent_id": made["consent_id"], "channel": "phone"}
        assert is_problem(await me.post("/withdrawals", withdrawal), BAD_REQUEST)
        assert is_problem(await me.post(f"/decisions/{asked['decision_id']}/transfers", report), BAD_REQUEST)
        assert await _length(sql, stage.stage.network) == before
        await sql.close()

    play(server, campaign)


@pytest.mark.parametrize("key", ["", "x" * 65, "ü", "a\tb"], ids=["empty", "long", "umlaut", "tab"])
def test_a_key_is_1_to_64_printable_ascii_characters(server: Server, key: str) -> None:
    """Any other key is 400, also where keys are optional."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        headers = await me.access.headers() | {"Idempotency-Key": key}
        for path, body in (("/consents", stage.consent()), ("/decisions", stage.flow.question(stage.client))):
            answer = await me.wire.post(f"/api/v1{path}", body, headers)
            assert is_problem(answer, BAD_REQUEST), answer

    play(server, campaign)


def test_a_key_of_64_characters_is_good(server: Server) -> None:
    """The longest key there is works, spaces and tilde included."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        key = f"! {uuid.uuid4()}".ljust(63, "~") + "z"
        answers = [await me.post("/decisions", stage.flow.question(stage.client), key) for _ in range(2)]
        assert [answer.status for answer in answers] == [OK, OK]
        assert answers[0].body == answers[1].body

    play(server, campaign)


def test_the_same_key_with_another_body_is_422(server: Server) -> None:
    """One byte more is another body, also white space: bytes are compared, not meanings."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        made = await stage.record()
        withdrawal = {"consent_id": made["consent_id"], "channel": "phone"}
        for path, body in (
            ("/consents", stage.consent()),
            ("/withdrawals", withdrawal),
            ("/decisions", stage.flow.question(stage.client)),
            ("/decisions/batch", {"decisions": [stage.flow.question(stage.client)]}),
            ("/clients", {"reference": f"RULES-{uuid.uuid4()}"}),
        ):
            key, content = str(uuid.uuid4()), json.dumps(body).encode()
            first = await me.post(path, content, key)
            assert first.status in {OK, CREATED}, first
            assert is_problem(await me.post(path, content + b" ", key), UNPROCESSABLE), path
            again = await me.post(path, content, key)
            assert (again.status, again.body) == (first.status, first.body), path

    play(server, campaign)


def test_a_key_belongs_to_one_path_and_one_partner(server: Server) -> None:
    """The same key at another path, or from another partner at the same moment, is a key of its own."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        key = str(uuid.uuid4())
        assert (await me.post("/consents", stage.consent(), key)).status == CREATED
        assert (await me.post("/clients", {"reference": f"RULES-{uuid.uuid4()}"}, key)).status == CREATED
        strangers = [slug for slug in stage.stage.partners if slug not in {me.access.partner, stage.flow.recipient}]
        stranger, question = stage.stage.person(strangers[0]), stage.flow.question("nobody")
        for number in range(100):
            key = str(uuid.uuid4())
            if number % 2:
                await me.post("/decisions", question, key)
            left, right = await asyncio.gather(
                me.post("/decisions", question, key), stranger.post("/decisions", question, key)
            )
            assert (left.status, right.status) == (OK, OK), (left, right)
            assert left.json()["decision_id"] != right.json()["decision_id"]

    play(server, campaign)


def test_only_success_is_remembered(server: Server) -> None:
    """After 400, 404, 409 and 422 the same key may be used for the corrected request."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        made = await stage.record()
        good = {"consent_id": made["consent_id"], "channel": "phone"}
        for status, path, bad, corrected in (
            (BAD_REQUEST, "/decisions", {"client": stage.client}, stage.flow.question(stage.client)),
            (NOT_FOUND, "/withdrawals", good | {"consent_id": str(uuid.uuid4())}, good),
            (UNPROCESSABLE, "/consents", stage.consent() | {"client": str(uuid.uuid4())}, stage.consent()),
        ):
            key = str(uuid.uuid4())
            assert is_problem(await me.post(path, bad, key), status), path
            assert (await me.post(path, corrected, key)).status in {OK, CREATED}, path
        key, nothing_left = str(uuid.uuid4()), {"consent_id": made["consent_id"], "channel": "phone"}
        assert is_problem(await me.post("/withdrawals", nothing_left, key), CONFLICT)
        second = await stage.record()
        assert (await me.post("/withdrawals", good | {"consent_id": second["consent_id"]}, key)).status == CREATED

    play(server, campaign)


def test_a_repeated_permit_is_the_old_answer_and_not_a_new_one(server: Server) -> None:
    """After a withdrawal the key still gives the first answer, first time and all; without it there is no permit."""

    async def campaign(scene: Scene) -> None:
        stage = await Rules.on(scene)
        me = stage.me
        made, key = await stage.record(), str(uuid.uuid4())
        first = await me.post("/decisions", stage.flow.question(stage.client), key)
        assert first.json()["outcome"] == "permit"
        withdrawal = {"consent_id": made["consent_id"], "channel": "phone"}
        assert (await me.post("/withdrawals", withdrawal, str(uuid.uuid4()))).status == CREATED
        again = await me.post("/decisions", stage.flow.question(stage.client), key)
        assert again.body == first.body
        assert again.headers["idempotency-replayed"] == "true"
        fresh = await me.post("/decisions", stage.flow.question(stage.client))
        assert fresh.json()["outcome"] == "no_permission"

    play(server, campaign)
