"""Approvals of a data-protection officer: what they permit, in which direction, from when and until when."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from consent_registry.domain.instants import format_instant
from tests.support.flag_scene import body_of, flag_office, grant, permitted, refusals
from tests.support.installation import Partner, Registry
from tests.support.log_check import check_log
from tests.support.office import Body
from tests.web.bad_requests import approvals, not_strict

ADVICE = ("aid", "debts", "residence-advice")
TO_FOREIGNERS = ("aid", "foreigners", "appointment")
FROM_FOREIGNERS = ("foreigners", "aid", "appointment")


async def _approve(admin: Partner, subject: Body, status: int = 201, **limits: Any) -> Body:  # noqa: ANN401
    answer = await admin.post("/approvals", {"subject": subject, "approved_by": "D-1"} | limits)
    assert answer.status_code == status, answer.text
    body: Body = answer.json()
    return body


async def _revoke(admin: Partner, approval: Body, status: int = 201) -> None:
    path = f"/approvals/{approval['approval']['approval_id']}/revocations"
    answer = await admin.post(path, {"revoked_by": "D-1"})
    assert answer.status_code == status, answer.text


async def test_a_purpose_that_needs_an_approval(flagged: Registry) -> None:
    """A purpose that needs an approval is refused without one and permitted with it. A revocation stops it at once, and
    a later approval does not cover consents given before.
    """
    aid, admin = await flag_office(flagged, "aid"), await flagged.partner("admin", "flags")
    client = await aid.client()
    wanted = body_of(client, aid.text, grant(*ADVICE))
    assert await refusals(aid, wanted) == {("dpo_approval", "/grants/0/purpose")}
    approval = await _approve(admin, {"purpose": "residence-advice"}, recipient="debts", norm="Art. 35 DSGVO")
    # Given before the approval, so the approval does not cover it, however late the consent is recorded.
    assert await refusals(aid, wanted) == {("dpo_approval", "/grants/0/purpose")}
    await aid.post("/consents", body_of(client, aid.text, grant(*ADVICE)))
    assert await permitted(aid, client, "debts", "residence-advice", "identity") == ["identity"]
    to_others = body_of(client, aid.text, grant("aid", "foreigners", "residence-advice"))
    assert ("dpo_approval", "/grants/0/purpose") in await refusals(aid, to_others)
    await _revoke(admin, approval)
    await _revoke(admin, approval, 409)
    assert await permitted(aid, client, "debts", "residence-advice", "identity") == []
    again = await _approve(admin, {"purpose": "residence-advice"})
    assert await permitted(aid, client, "debts", "residence-advice", "identity") == []
    await aid.post("/consents", body_of(client, aid.text, grant(*ADVICE)))
    assert await permitted(aid, client, "debts", "residence-advice", "identity") == ["identity"]
    await _revoke(admin, again)
    events = [event for event in await check_log(flagged, "flags") if event["kind"].startswith("approval")]
    kinds = [event["kind"] for event in events]
    assert kinds == ["approval", "approval_revocation", "approval", "approval_revocation"]
    assert (events[0]["subject"], events[0]["recipient"], events[0]["approved_by"]) == (
        {"purpose": "residence-advice"},
        "debts",
        "D-1",
    )


async def test_the_wall_of_an_isolated_partner_stands_on_both_sides(flagged: Registry) -> None:
    """An approval permits the direction it names only; the way back from the isolated partner stays closed."""
    aid, admin = await flag_office(flagged, "aid"), await flagged.partner("admin", "flags")
    foreigners = await flag_office(flagged, "foreigners")
    client = await aid.client()
    both = body_of(client, aid.text, grant(*TO_FOREIGNERS), grant(*FROM_FOREIGNERS))
    assert await refusals(aid, both) == {
        ("isolated_partner", "/grants/0/recipient"),
        ("isolated_partner", "/grants/1/sender"),
    }
    approval = await _approve(admin, {"partner": "foreigners"}, sender="foreigners", purpose="appointment")
    both = body_of(client, aid.text, grant(*TO_FOREIGNERS), grant(*FROM_FOREIGNERS))
    assert await refusals(aid, both) == {("isolated_partner", "/grants/0/recipient")}
    theirs = await foreigners.client()
    inwards = body_of(theirs, foreigners.text, grant(*FROM_FOREIGNERS))
    await foreigners.post("/consents", inwards)
    assert await permitted(foreigners, theirs, "aid", "appointment", "identity") == ["identity"]
    assert await permitted(aid, theirs, "foreigners", "appointment", "identity") == []
    assert ("isolated_partner", "/grants/0/recipient") in await refusals(
        aid, body_of(client, aid.text, grant(*TO_FOREIGNERS))
    )
    await _revoke(admin, approval)
    assert await permitted(foreigners, theirs, "aid", "appointment", "identity") == []


async def test_an_approval_ends_by_itself(flagged: Registry) -> None:
    """From the end of an approval on nothing is permitted by it."""
    aid, admin = await flag_office(flagged, "aid"), await flagged.partner("admin", "flags")
    client = await aid.client()
    end = datetime.now(UTC) + timedelta(seconds=2)
    await _approve(admin, {"purpose": "residence-advice"}, valid_until=format_instant(end))
    await aid.post("/consents", body_of(client, aid.text, grant(*ADVICE)))
    async with flagged.sql() as sql:
        await sql.execute("select pg_sleep(greatest(0, extract(epoch from $1 - clock_timestamp())))", end)
    assert await permitted(aid, client, "debts", "residence-advice", "identity") == []


async def test_what_cannot_be_approved(flagged: Registry) -> None:
    """An approval that nothing needs, without a direction, with a past end, an unknown name, or no subject or two is
    refused. Only the network's administration can approve.
    """
    admin, aid = await flagged.partner("admin", "flags"), await flag_office(flagged, "aid")
    for subject, limits, rule in (
        ({"partner": "aid"}, {"sender": "aid"}, "approval_needed"),
        ({"purpose": "employment"}, {}, "approval_needed"),
        ({"partner": "foreigners"}, {}, "approval_direction"),
        ({"purpose": "residence-advice"}, {"purpose": "employment"}, "approval_direction"),
        ({"purpose": "residence-advice"}, {"valid_until": "2020-01-01T00:00:00.000000Z"}, "approval_end"),
    ):
        refused = await _approve(admin, subject, 422, **limits)
        assert [fault["rule"] for fault in refused["errors"]] == [rule]
    for subject in ({}, {"partner": "foreigners", "purpose": "residence-advice"}, {"partner": "nobody"}):
        await _approve(admin, subject, 400)
    await _approve(admin, {"purpose": "residence-advice"}, 400, sender="nobody")
    await _approve(aid.partner, {"purpose": "residence-advice"}, 403)
    await _revoke(admin, {"approval": {"approval_id": "0190b9f0-0000-7000-8000-000000000000"}}, 404)


async def test_approvals_are_listed(flagged: Registry) -> None:
    """The administration sees all approvals, newest first, with who approved them and which were revoked."""
    admin = await flagged.partner("admin", "flags")
    made = await _approve(admin, {"partner": "foreigners"}, recipient="foreigners", sender="aid")
    await _revoke(admin, made)
    items = (await admin.get("/approvals?limit=1")).json()["items"]
    assert items[0] | {"revoked_at": None} == made["approval"]
    assert items[0]["revoked_at"] is not None


async def test_bad_bodies_change_nothing(flagged: Registry) -> None:
    """A malformed approval or revocation is refused, and nothing is recorded."""
    admin = await flagged.partner("admin", "flags")
    before = (await admin.get("/approvals?limit=200")).json()
    good = {"subject": {"purpose": "residence-advice"}, "approved_by": "D-1"}
    made = before["items"][0]["approval_id"]
    tried = [("/approvals", case) for case in approvals(good)]
    tried += [(f"/approvals/{made}/revocations", case) for case in not_strict({"revoked_by": "D-1"})]
    for path, case in tried:
        answer = await admin.send(path, case.content, Idempotency_Key=uuid.uuid4().hex)
        assert answer.status_code in case.statuses, (path, case.name, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")
    without_key = await admin.send("/approvals", json.dumps(good).encode())
    assert without_key.status_code == 400
    assert (await admin.get("/approvals?limit=200")).json() == before
