"""Herne: a client's data pass from the youth office to the case management until the client withdraws by phone."""

from datetime import UTC, datetime, timedelta

from consent_registry.domain.instants import format_instant
from tests.support.flag_scene import body_of, grant, permitted, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Office, office

YOUTH, CASES, OTHERS = "herne-jugendamt", "herne-case-management", "herne-soziales"
DATA = ("identity", "contact", "mental-health")
ASKED = ("psychosocial", *DATA)
RELEASE = {"holder": YOUTH, "towards": CASES, "function": "youth-office-social-service"}


async def offices(five_networks: Registry) -> tuple[Office, Office, Office]:
    """Return the youth office, the case management, and an office that has no part in the consent."""
    youth, cases, others = [await office(five_networks, slug, "herne") for slug in (YOUTH, CASES, OTHERS)]
    return youth, cases, others


async def test_withdrawn_by_phone_at_the_recipient(five_networks: Registry) -> None:
    """A withdrawal by phone at the recipient stops the sender's next transfer, its release included. Earlier decisions
    stay as they were. An office without a part in the consent can neither see nor withdraw it.
    """
    youth, cases, others = await offices(five_networks)
    signed = datetime.now(UTC) - timedelta(days=3)
    called = signed + timedelta(days=2)
    flow = grant(YOUTH, CASES, *ASKED, explicit=True)
    client = await youth.client()
    body = body_of(
        client,
        youth.text,
        flow,
        act={"given_at": format_instant(signed)},
        information={"interpreter": {"kind": "sworn", "language": "ti"}},
    )
    assert await refusals(youth, body | {"releases": []}) == {("release_needed", "/grants/0")}
    consent = await youth.post("/consents", body | {"releases": [RELEASE]})
    path = f"/consents/{consent['consent_id']}"
    question = {"client": client, "recipient": CASES, "purpose": ASKED[0], "categories": list(DATA)}
    permit = await youth.post("/decisions", question, 200)
    assert (permit["outcome"], permit["permitted_categories"]) == ("permit", list(DATA))

    by_phone = {"consent_id": consent["consent_id"], "channel": "phone"}
    await others.get(path, 404)
    await others.post("/withdrawals", by_phone, 404)
    times = {"declared_at": format_instant(called), "received_at": format_instant(called)}
    withdrawn = await cases.post("/withdrawals", by_phone | times)
    assert withdrawn["withdrawn"] == [consent["grants"][0]["grant_id"]]

    assert await permitted(youth, client, CASES, *ASKED) == []
    for viewer in (youth, cases):
        seen = await viewer.get(path)
        assert (seen["status"], seen["releases"][0]["status"]) == ("withdrawn", "withdrawn")
        assert seen["grants"][0]["withdrawn_at"] == format_instant(called)
    for moment, status in (
        (called - timedelta(microseconds=1), "given"),
        (called, "withdrawn"),
    ):
        assert (await youth.get(f"{path}?as_of={format_instant(moment)}"))["status"] == status
    # A transfer was permitted between the call and its recording. For that time the consent is withdrawn as known now,
    # and given as known then.
    known_then = f"?as_of={permit['decided_at']}&as_known_at={permit['decided_at']}"
    assert (await youth.get(path + known_then))["status"] == "given"
    assert await youth.get(f"/decisions/{permit['decision_id']}") == permit

    events = {event["id"]: event for event in await check_log(five_networks, "herne")}
    said = events[withdrawn["withdrawal_id"]]
    assert (said["actor"], said["channel"], said["received_at"]) == (CASES, "phone", format_instant(called))
    assert len(said["releases"]) == 1


async def test_the_other_way_needs_a_release_of_its_own(five_networks: Registry) -> None:
    """Case managers are bound to secrecy as well (§ 203 StGB): their consent needs their own release, not that of the
    youth office, and a withdrawal by phone at the youth office ends the consent as well.
    """
    youth, cases, _ = await offices(five_networks)
    client = await cases.client()
    body = body_of(client, cases.text, grant(CASES, YOUTH, *ASKED, explicit=True))
    assert await refusals(cases, body | {"releases": [RELEASE]}) == {("release_needed", "/grants/0")}
    turned = {"holder": CASES, "towards": YOUTH, "function": "kim-case-management"}
    consent = await cases.post("/consents", body | {"releases": [turned]})
    assert await permitted(cases, client, YOUTH, *ASKED) == list(DATA)
    await youth.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})
    assert await permitted(cases, client, YOUTH, *ASKED) == []
    await check_log(five_networks, "herne")
