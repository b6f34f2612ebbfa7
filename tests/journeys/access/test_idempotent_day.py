"""A partner sends every request twice with its Idempotency-Key, and each takes effect once."""

import asyncio
import json
import uuid
from typing import Any

import httpx

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Office, office
from tests.support.small_network import consent_body, question


async def _twice(sender: Office, path: str, body: Any, status: int) -> httpx.Response:  # noqa: ANN401
    """Send a request twice with one key; assert that the second answer has the bytes of the first and is marked so."""
    key = uuid.uuid4().hex
    first = await sender.partner.post(path, body, Idempotency_Key=key)
    again = await sender.partner.post(path, body, Idempotency_Key=key)
    assert first.status_code == status, first.text
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers.get("location") == first.headers.get("location")
    return first


async def test_a_day_sent_twice_happens_once(registry: Registry) -> None:
    """Register, consent, decide, report, batch and withdraw, each sent twice, are each recorded once in the log."""
    north = await office(registry, "north")
    before = len(await check_log(registry))
    client = f"N-{uuid.uuid4()}"
    await _twice(north, "/clients", {"reference": client}, 201)
    consent = (await _twice(north, "/consents", consent_body(client, north.text), 201)).json()
    decision = (await _twice(north, "/decisions", question(client, receipt=True), 200)).json()
    assert decision["outcome"] == "permit"
    report = {"outcome": "sent", "categories": ["identity"]}
    await _twice(north, f"/decisions/{decision['decision_id']}/transfers", report, 201)
    await _twice(north, "/decisions/batch", {"decisions": [question(client)] * 3}, 200)
    await _twice(north, "/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"}, 201)
    kinds = [event["kind"] for event in (await check_log(registry))[before:]]
    assert kinds == ["client", "consent", "decision", "transfer", *["decision"] * 3, "withdrawal"]


async def test_a_permit_is_replayed_as_it_was(registry: Registry) -> None:
    """After a withdrawal the old key still gives the old answer; a new question gives no permission."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    old = await north.post("/decisions", question(client), 200, Idempotency_Key="old-permit")
    await north.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})
    assert await north.post("/decisions", question(client), 200, Idempotency_Key="old-permit") == old
    assert await north.outcome(client) == "no_permission"


async def test_a_key_belongs_to_its_body_its_path_and_its_partner(registry: Registry) -> None:
    """Another body with the same key is refused, even if it means the same; each path and partner has its own keys."""
    north, south = await office(registry, "north"), await office(registry, "south")
    key = uuid.uuid4().hex
    body = {"reference": f"N-{uuid.uuid4()}"}
    await north.post("/clients", body, 201, Idempotency_Key=key)
    refused = await north.post("/clients", {"reference": "other"}, 422, Idempotency_Key=key)
    assert refused["errors"][0]["rule"] == "idempotency_key"
    spaced = json.dumps(body, indent=1).encode()
    assert (await north.partner.send("/clients", spaced, Idempotency_Key=key)).status_code == 422
    assert await south.post("/clients", body, 201, Idempotency_Key=key)
    await north.post("/decisions", question(body["reference"]), 200, Idempotency_Key=key)
    await check_log(registry)


async def test_refusals_are_not_remembered(registry: Registry) -> None:
    """A refused request can be corrected and sent again with the same key."""
    north = await office(registry, "north")
    client, key = f"N-{uuid.uuid4()}", uuid.uuid4().hex
    body = consent_body(client, north.text)
    await north.post("/consents", body, 422, Idempotency_Key=key)
    await north.post("/clients", {"reference": client})
    await north.post("/consents", body, 201, Idempotency_Key=key)
    await check_log(registry)


async def test_at_the_same_time_it_happens_once(registry: Registry) -> None:
    """Of ten requests at once with one key, one takes effect; the others get its answer or 409 while it runs."""
    north = await office(registry, "north")
    client = await north.client()
    body, key = consent_body(client, north.text), uuid.uuid4().hex
    answers = await asyncio.gather(*(north.partner.post("/consents", body, Idempotency_Key=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 409)
    assert len((await north.post("/consents/search", {"client": client}, 200))["items"]) == 1
    await check_log(registry)


async def test_acts_that_change_something_need_a_key(registry: Registry) -> None:
    """Consents, withdrawals and reports without a key are refused; a decision without a key is a new one each time."""
    north = await office(registry, "north")
    client = await north.client()
    permit = await north.post("/decisions", question(client), 200)
    for path, body in (
        ("/consents", consent_body(client, north.text)),
        ("/withdrawals", {"client": client, "channel": "phone"}),
        (f"/decisions/{permit['decision_id']}/transfers", {"outcome": "failed", "categories": []}),
    ):
        answer = await north.partner.send(path, json.dumps(body).encode())
        assert answer.status_code == 400, path
    ids = set()
    for _ in range(2):
        answer = await north.partner.send("/decisions", json.dumps(question(client)).encode())
        ids.add(answer.json()["decision_id"])
    assert len(ids) == 2
    await check_log(registry)
