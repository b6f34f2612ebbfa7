"""What was entrusted to the youth office (§ 65 SGB VIII) goes if it is said by whom, and if that person agreed too."""

import pytest

from tests.journeys.consents.test_who_may_give import codes, whole_givers
from tests.support.flag_scene import body_of, flag_office, grant, permitted, recorded, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office

APPOINTMENT = grant("youth", "aid", "appointment")
SCHOOL = grant("youth", "school", "school", "identity", "family", third_parties="none")
TOO = {"co_givers": [{"role": "entrusting_person"}]}
HERSELF = {"role": "self", "age_band": "adult"}


async def record(youth: Office, giver: Body, *grants: Body) -> tuple[str, Body]:
    """Record a consent of a new client by this giver; returns the client and the consent."""
    client = await youth.client()
    return client, await youth.post("/consents", body_of(client, youth.text, *grants) | {"giver": giver})


@pytest.mark.parametrize("flow", [APPOINTMENT, SCHOOL], ids=["appointment", "school"])
async def test_nothing_is_said_of_who_entrusted_it(flagged: Registry, flow: Body) -> None:
    """It is recorded with a remark for its recorder, and permits nothing until it is recorded with what was missing."""
    youth = await flag_office(flagged, "youth")
    client, made = await record(youth, HERSELF, flow)
    asked = (client, flow["recipient"], flow["purpose"], *flow["categories"])
    assert (made["status"], "entrusted_by_unstated" in codes(made)) == ("given", True)
    assert await permitted(youth, *asked) == []
    said = body_of(client, youth.text, flow | {"entrusted_by": "self"})
    made = await youth.post("/consents", said)
    assert "entrusted_by_unstated" not in codes(made)
    assert await permitted(youth, *asked) == flow["categories"]
    assert (await recorded(flagged, made))["grants"][0]["entrusted_by"] == "self"
    await check_log(flagged, "flags")


@pytest.mark.parametrize("flow", [APPOINTMENT, SCHOOL], ids=["appointment", "school"])
async def test_somebody_else_entrusted_it(flagged: Registry, flow: Body) -> None:
    """The client's yes and the parents' yes do not replace that of the entrusting person, nor this one theirs."""
    youth = await flag_office(flagged, "youth")
    by_others = flow | {"entrusted_by": "other"}
    client = await youth.client()
    guardian = whole_givers()["guardian"]
    for giver in (HERSELF, guardian, guardian | {"co_givers": [{"role": "self"}, {"role": "parent"}]}):
        body = body_of(client, youth.text, by_others) | {"giver": giver}
        assert await refusals(youth, body) == {("entrusting_person", "/grants/0/entrusted_by")}
    alone = body_of(client, youth.text, by_others) | {"giver": {"role": "entrusting_person", "age_band": "adult"}}
    assert ("entrusting_person", "/giver/role") in await refusals(youth, alone)
    for giver in (HERSELF, guardian):
        client, made = await record(youth, giver | TOO, by_others)
        asked = (client, flow["recipient"], flow["purpose"], *flow["categories"])
        assert await permitted(youth, *asked) == flow["categories"]
        event = await recorded(flagged, made)
        assert event["grants"][0]["entrusted_by"] == "other"
        assert event["giver"]["co_givers"] == [{"role": "entrusting_person", "insight_assessed_by": None}]


async def test_where_nothing_is_marked_nothing_is_asked(flagged: Registry) -> None:
    """On other flows a grant need not say who entrusted the data; a refused one never does."""
    aid, youth = await flag_office(flagged, "aid"), await flag_office(flagged, "youth")
    client = await aid.client()
    made = await aid.post("/consents", body_of(client, aid.text, grant("aid", "jobcenter", "appointment")))
    assert codes(made) == set()
    assert await permitted(aid, client, "jobcenter", "appointment", "contact") == ["contact"]
    client, made = await record(youth, HERSELF, APPOINTMENT | {"answer": "refused", "entrusted_by": "other"})
    assert codes(made) == set()


async def test_agreements_say_what_was_entrusted(flagged: Registry) -> None:
    """Each flow of an agreement says whether its data were entrusted."""
    youth = await flag_office(flagged, "youth")
    (agreement,) = (await youth.get("/agreements"))["items"]
    marked = {(flow["sender"], flow["purpose"]) for flow in agreement["flows"] if flow["entrusted"]}
    assert marked == {("youth", "appointment"), ("youth", "school")}
    assert {flow["entrusted"] for flow in agreement["flows"]} == {True, False}
