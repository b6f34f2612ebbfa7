"""Herne: the foreigners' authority is an isolated partner, next door to the case management."""

import uuid

from tests.support.flag_scene import body_of, grant, permitted, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office, told

CASES, FOREIGNERS, SOCIAL = "herne-case-management", "herne-auslaenderbehoerde", "herne-soziales"
THERE, BACK = grant(CASES, FOREIGNERS, "appointment"), grant(FOREIGNERS, CASES, "appointment")
WALL_THERE, WALL_BACK = ("isolated_partner", "/grants/0/recipient"), ("isolated_partner", "/grants/0/sender")


def rules(found: set[tuple[str, str]]) -> set[str]:
    """Return the rules alone."""
    return {rule for rule, _ in found}


async def test_a_referral_gives_no_way_back(five_networks: Registry) -> None:
    """The authority refers a client with a link code. It sees nothing that the case management records afterwards,
    nothing may be sent to it, and what it records itself permits nothing.
    """
    cases, foreigners = [await office(five_networks, slug, "herne") for slug in (CASES, FOREIGNERS)]
    theirs = await foreigners.client()
    code = (await foreigners.post("/link-codes", {"client": theirs, "partner": CASES}))["link_code"]
    client = f"N-{uuid.uuid4()}"
    await cases.post("/clients", {"reference": client, "link_code": code})
    to_school = grant(CASES, "herne-schule-weiterbildung", "appointment")
    consent = await cases.post("/consents", body_of(client, cases.text, to_school))
    assert await permitted(cases, client, "herne-schule-weiterbildung", "appointment", "identity") == ["identity"]

    assert await permitted(cases, client, FOREIGNERS, "appointment", "identity") == []
    assert await permitted(foreigners, theirs, CASES, "appointment", "identity") == []
    await foreigners.get(f"/consents/{consent['consent_id']}", 404)
    assert (await foreigners.post("/consents/search", {"client": theirs}, 200))["items"] == []
    assert WALL_BACK in await refusals(foreigners, body_of(theirs, foreigners.text, BACK))
    assert WALL_THERE in await refusals(foreigners, body_of(theirs, foreigners.text, THERE))
    assert WALL_THERE in await refusals(cases, body_of(client, cases.text, THERE))
    await check_log(five_networks, "herne")


async def test_an_approval_opens_the_wall_in_one_direction_and_makes_no_flow(five_networks: Registry) -> None:
    """With an approval the way there is refused only because no agreement has the flow. The way back stays closed, and
    a revocation closes both again.
    """
    cases, foreigners = [await office(five_networks, slug, "herne") for slug in (CASES, FOREIGNERS)]
    admin = await five_networks.partner("admin", "herne")
    client, theirs = await cases.client(), await foreigners.client()
    assert WALL_THERE in await refusals(cases, body_of(client, cases.text, THERE))
    wanted = {"subject": {"partner": FOREIGNERS}, "approved_by": "D-1", "recipient": FOREIGNERS, "sender": CASES}
    made = await admin.post("/approvals", wanted)
    assert made.status_code == 201, made.text
    assert rules(await refusals(cases, body_of(client, cases.text, THERE))) == {
        "flow_in_agreement",
        "information_missing",
        "text_does_not_cover",
    }
    assert await permitted(cases, client, FOREIGNERS, "appointment", "identity") == []
    assert WALL_BACK in await refusals(foreigners, body_of(theirs, foreigners.text, BACK))
    path = f"/approvals/{told(made)['approval']['approval_id']}/revocations"
    assert (await admin.post(path, {"revoked_by": "D-1"})).status_code == 201
    assert WALL_THERE in await refusals(cases, body_of(client, cases.text, THERE))
    await check_log(five_networks, "herne")


async def test_what_the_law_sends_there_rests_on_no_consent(five_networks: Registry) -> None:
    """The only flow to the authority is statutory: it is recorded and not judged, and a consent to it is refused."""
    social = await office(five_networks, SOCIAL, "herne")
    client = await social.client()
    data = ["identity", "residence-status"]
    question = {"client": client, "recipient": FOREIGNERS, "purpose": "residence-advice", "categories": data}
    answer = await social.post("/decisions", question, 200)
    assert (answer["outcome"], answer["permitted_categories"]) == ("not_consent_based", [])
    body = body_of(client, social.text, grant(SOCIAL, FOREIGNERS, "residence-advice", *data))
    assert {"isolated_partner", "dpo_approval"} < rules(await refusals(social, body))
    await check_log(five_networks, "herne")
