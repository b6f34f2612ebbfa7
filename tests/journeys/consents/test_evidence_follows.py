"""If the network's policy allows it, a consent is recorded before its paper is scanned; the evidence is added later."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.flag_scene import permitted
from tests.support.installation import Installation, Registry, serving
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.rewritten_setup import let_evidence_follow
from tests.support.small_network import consent_body
from tests.web.bad_requests import not_strict, without, wrong_values

EVIDENCE = {"sha256": "cd" * 32, "media_type": "application/pdf", "kept_at": "Cabinet of Ms Example"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lenient(installation: Installation) -> AsyncIterator[Registry]:
    """Run the application with a network whose policy lets evidence follow."""
    async with installation.copy() as database:
        await let_evidence_follow(installation.dsn(database, "postgres"))
        async with serving(installation, database) as registry:
            yield registry


async def unproven(at: Office) -> tuple[str, Body]:
    """Record a written consent without evidence."""
    client = await at.client()
    body = consent_body(client, at.text)
    body["act"]["evidence"] = None
    return client, await at.post("/consents", body)


async def missing(at: Office) -> set[str]:
    """Return the consents whose evidence this office has not added yet."""
    found = await at.post("/consents/search", {"evidence": "missing", "limit": 200}, 200)
    return {item["consent_id"] for item in found["items"]}


async def test_evidence_follows_once(lenient: Registry) -> None:
    """A consent without evidence permits at once, and only its recorder finds it as missing evidence until that is
    added. A second evidence is refused. The log holds the hash and not the place of the file.
    """
    north, south = await office(lenient, "north"), await office(lenient, "south")
    client, consent = await unproven(north)
    proven = await north.consent(await north.client())
    assert await north.outcome(client) == "permit"
    assert consent["consent_id"] in await missing(north)
    assert proven["consent_id"] not in await missing(north)
    assert await missing(south) == set()
    path = f"/consents/{consent['consent_id']}/evidence"
    await south.post(path, EVIDENCE, 404)
    added = await north.post(path, EVIDENCE, Idempotency_Key="scan")
    assert await north.post(path, EVIDENCE, Idempotency_Key="scan") == added
    assert consent["consent_id"] not in await missing(north)
    await north.post(path, EVIDENCE | {"sha256": "ef" * 32}, 409)
    await north.post(f"/consents/{proven['consent_id']}/evidence", EVIDENCE, 409)
    (event,) = [event for event in await check_log(lenient) if event["kind"] == "evidence"]
    assert (event["consent"], event["sha256"], event["id"]) == (consent["consent_id"], "cd" * 32, added["id"])
    assert "Cabinet" not in json.dumps(event)
    async with lenient.sql() as sql:
        kept = await sql.fetchval("select kept_at from registry.consent_evidence")
    assert b"Cabinet" not in kept


async def test_special_data_wait_for_the_evidence(lenient: Registry) -> None:
    """Without its evidence a consent lets no special data pass, by either recorder; other data pass. What was given by
    word of mouth needs no evidence.
    """
    north, south = await office(lenient, "north"), await office(lenient, "south")
    data = ["identity", "contact", "health"]
    for recorder in (north, south):
        client = await recorder.client()
        body = consent_body(client, recorder.text, categories=data, explicit=True)
        body["act"]["evidence"] = None
        made = await recorder.post("/consents", body)
        own = await _known_to_north(north, south, recorder, client)
        if recorder is south:
            await north.post(f"/consents/{made['consent_id']}/confirmations", {})
        assert await permitted(north, own, "south", "support", *data) == data[:2]
        await recorder.post(f"/consents/{made['consent_id']}/evidence", EVIDENCE)
        assert await permitted(north, own, "south", "support", *data) == data
        seen = await north.get(f"/consents/{made['consent_id']}")
        assert [grant["status"] for grant in seen["grants"]] == ["given"]
    oral = consent_body(await north.client(), north.text, categories=data, explicit=True)
    oral["act"] |= {"method": "oral", "evidence": None, "special_circumstances": "urgency"}
    await north.post("/consents", oral)
    assert await permitted(north, oral["client"], "south", "support", *data) == data
    await check_log(lenient)


async def _known_to_north(north: Office, south: Office, recorder: Office, client: str) -> str:
    """North's reference for the client; linked by a code if south has registered it."""
    if recorder is north:
        return client
    code = await south.post("/link-codes", {"client": client})
    reference = f"{client}-north"
    await north.post("/clients", {"reference": reference, "link_code": code["link_code"]})
    return reference


async def test_evidence_that_comes_heals_no_earlier_consent(lenient: Registry) -> None:
    """The evidence of one consent lets special data pass by that consent, and not by another that still waits."""
    north = await office(lenient, "north")
    client = await north.client()
    made = []
    for categories in (["identity", "health"], ["contact"]):
        body = consent_body(client, north.text, categories=categories, explicit=True)
        body["act"]["evidence"] = None
        made.append(await north.post("/consents", body))
    await north.post(f"/consents/{made[1]['consent_id']}/evidence", EVIDENCE)
    assert await permitted(north, client, "south", "support", "contact", "health") == ["contact"]
    await north.post("/withdrawals", {"consent_id": made[1]["consent_id"], "channel": "phone"})
    await north.post(f"/consents/{made[0]['consent_id']}/evidence", EVIDENCE)
    assert await permitted(north, client, "south", "support", "contact", "health") == ["health"]


async def test_bad_evidence_is_refused(lenient: Registry) -> None:
    """Each fault in evidence is refused with its pointer, and the evidence is still missing."""
    north = await office(lenient, "north")
    _, consent = await unproven(north)
    path = f"/consents/{consent['consent_id']}/evidence"
    cases = [*not_strict(EVIDENCE), *without(EVIDENCE, "/sha256", "/media_type", "/kept_at")]
    cases += wrong_values(EVIDENCE, {"/sha256": ("", "0" * 63, "G" * 64, 1), "/kept_at": ("", "x" * 121, None)})
    for number, case in enumerate(cases):
        answer = await north.partner.send(path, case.content, Idempotency_Key=str(number))
        assert answer.status_code == 400, (case.name, answer.text)
    assert consent["consent_id"] in await missing(north)


@pytest.mark.parametrize("method", ["written", "oral"])
async def test_elsewhere_it_comes_at_once(registry: Registry, method: str) -> None:
    """Control: a network without this policy refuses a written consent without evidence, and later evidence of an oral
    one.
    """
    north = await office(registry, "north")
    body = consent_body(await north.client(), north.text)
    body["act"] |= {"method": method, "evidence": None}
    said = await north.post("/consents", body, 201 if method == "oral" else 422)
    if method == "oral":
        said = await north.post(f"/consents/{said['consent_id']}/evidence", EVIDENCE, 422)
    rule = "evidence_follows" if method == "oral" else "evidence"
    assert rule in {fault["rule"] for fault in said["errors"]}
