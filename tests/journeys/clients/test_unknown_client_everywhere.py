"""A partner without a part in a client's consents gets the same answers as about an unknown client, in every call."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import pytest

from consent_registry.domain.catalogue import FlowRules
from consent_registry.domain.decisions import Decision, Question, decide
from consent_registry.domain.grants import Grant
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from tests.support.installation import Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body, question

# Members that differ between any two answers.
OWN = ("decision_id", "decided_at", "expires_at", "log", "receipt", "client_salt")


def _shape(answer: Body) -> dict[str, Any]:
    lasts = datetime.fromisoformat(answer["expires_at"]) - datetime.fromisoformat(answer["decided_at"])
    return {name: type(value).__name__ if name in OWN else value for name, value in answer.items()} | {"lasts": lasts}


async def _clients(registry: Registry, north: Office) -> dict[str, str]:
    """One client for each reason for which nothing may be sent."""
    south = await office(registry, "south")
    names = {"unknown": f"N-{uuid.uuid4()}", "another partner's": await south.client()}
    await south.consent(names["another partner's"])
    for state in ("never asked", "refused", "withdrawn", "expired", "not yet valid", "for another purpose"):
        names[state] = await north.client()
    await north.consent(names["refused"], answer="refused")
    withdrawn = await north.consent(names["withdrawn"])
    await north.post("/withdrawals", {"consent_id": withdrawn["consent_id"], "channel": "phone"})
    expired = consent_body(names["expired"], north.text)
    expired["act"]["given_at"] = "2024-06-01T00:00:00.000000Z"
    await north.post("/consents", {**expired, "valid_until": "2024-07-01T00:00:00.000000Z"})
    later = consent_body(names["not yet valid"], north.text)
    await north.post("/consents", {**later, "valid_from": "2400-01-01T00:00:00.000000Z"})
    await north.consent(names["for another purpose"], purpose="housing")
    return names


@pytest.mark.parametrize("receipt", [False, True])
async def test_every_no_looks_the_same(registry: Registry, *, receipt: bool) -> None:
    """Every denial, for unknown, foreign, refused, withdrawn or expired, has the same body, but for ids and times, and
    the same headers.
    """
    north = await office(registry, "north")
    names = await _clients(registry, north)
    shapes, headers, lengths = set(), set(), set()
    for client in names.values():
        answer = await north.partner.post("/decisions", question(client, receipt=receipt))
        assert answer.status_code == 200
        shapes.add(str(_shape(answer.json())))
        headers.add(tuple(sorted(name for name, _ in answer.headers.items())))
        lengths.add(len(answer.content) - len(str(answer.json()["log"]["index"])))
    assert len(shapes) == len(headers) == 1
    if not receipt:
        assert len(lengths) == 1  # a receipt repeats the index in base64, so its length varies
    together = await north.post(
        "/decisions/batch", {"decisions": [question(reference) for reference in names.values()]}, 200
    )
    assert len({str(_shape(decision)) for decision in together["decisions"]}) == 1
    await check_log(registry)


async def test_an_answer_that_tells_them_apart_is_seen(installation: Installation) -> None:
    """Control: if a client with a consent on file gets another answer, the bodies differ."""

    def telling(asked: Question, rules: FlowRules, grants: Sequence[Grant], now: datetime) -> Decision:
        decision = decide(asked, rules, grants, now)
        return msgspec.structs.replace(decision, expires_at=now) if grants else decision

    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(decide=telling))) as registry:
        north = await office(registry, "north")
        names = await _clients(registry, north)
        answers = [await north.post("/decisions", question(reference), 200) for reference in names.values()]
    assert len({str(_shape(answer)) for answer in answers}) == 2


async def test_every_call_about_somebody_elses_is_not_found(registry: Registry) -> None:
    """Another partner's consent, decision, transfer and withdrawal are answered as unknown ones, byte for byte."""
    north, east = await office(registry, "north"), await office(registry, "east")
    client = await north.client()
    consent = await north.consent(client)
    decision = await north.post("/decisions", question(client), 200)
    nothing = str(uuid.uuid4())
    report = {"outcome": "sent", "categories": ["identity"]}
    for theirs, none in (
        (("GET", f"/consents/{consent['consent_id']}", None), ("GET", f"/consents/{nothing}", None)),
        (("GET", f"/decisions/{decision['decision_id']}", None), ("GET", f"/decisions/{nothing}", None)),
        (
            ("POST", f"/decisions/{decision['decision_id']}/transfers", report),
            ("POST", f"/decisions/{nothing}/transfers", report),
        ),
        (
            ("POST", "/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"}),
            ("POST", "/withdrawals", {"consent_id": nothing, "channel": "phone"}),
        ),
        (
            ("POST", "/withdrawals", {"client": client, "channel": "phone"}),
            ("POST", "/withdrawals", {"client": nothing, "channel": "phone"}),
        ),
    ):
        answers = []
        for method, path, body in (theirs, none):
            answer = await (east.partner.get(path) if method == "GET" else east.partner.post(path, body))
            answers.append((answer.status_code, answer.content, sorted(answer.headers.keys())))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    for reference in (client, nothing):
        found = await east.post("/consents/search", {"client": reference}, 200)
        assert found == {"items": [], "next": None}
    assert await north.outcome(client) == "permit"
    await check_log(registry)


async def test_registering_tells_nothing_about_others(registry: Registry) -> None:
    """A reference that another partner uses too is registered as new: 201, not linked."""
    north, east = await office(registry, "north"), await office(registry, "east")
    client = await north.client()
    answer = await east.post("/clients", {"reference": client}, 201)
    assert answer["linked"] is False
    assert (await east.post("/clients", {"reference": client}, 200))["created_at"] == answer["created_at"]
