"""Herne: a boy of sixteen comes alone; his guardian is the youth office, which is also to receive his data."""

from datetime import UTC, datetime, timedelta

from consent_registry.domain.instants import format_instant
from tests.support.flag_scene import body_of, grant, month_after, permitted
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, office

CASES, YOUTH, SCHOOL = "herne-case-management", "herne-jugendamt", "herne-schule-weiterbildung"
DATA = ("identity", "contact", "schooling")


async def test_a_guardian_who_decides_to_whom_he_belongs(five_networks: Registry) -> None:
    """A guardian's consent to data for the guardian itself is recorded with a remark about the conflict. There is no
    such remark towards the school, nor if the boy consents himself with his insight assessed. The recipient does not
    see the remark.
    """
    cases, youth = [await office(five_networks, slug, "herne") for slug in (CASES, YOUTH)]
    boy = await cases.client()
    of_age = format_instant(datetime.now(UTC) + timedelta(days=400))
    guardian: Body = {"role": "guardian", "age_band": "15_17", "partner": YOUTH, "mandate_until": of_age}
    guardian |= {"insight_assessed_by": "B-12", "adult_from": month_after(20), "co_givers": [{"role": "self"}]}
    himself = {"role": "self", "age_band": "15_17", "insight_assessed_by": "B-12"}
    remarks = {}
    for who, giver in (("guardian", guardian), ("himself", himself)):
        for recipient in (YOUTH, SCHOOL):
            body = body_of(boy, cases.text, grant(CASES, recipient, "school", *DATA))
            made = await cases.post("/consents", body | {"giver": giver})
            remarks[who, recipient] = made
    codes = {key: {remark["code"] for remark in made["remarks"]} for key, made in remarks.items()}
    assert {key for key, found in codes.items() if "guardian_is_recipient" in found} == {("guardian", YOUTH)}
    conflict = remarks["guardian", YOUTH]
    # A consent given by a guardian ends with the guardianship.
    assert conflict["valid_until"] == of_age
    assert (await youth.get(f"/consents/{conflict['consent_id']}"))["remarks"] == []
    assert await permitted(cases, boy, YOUTH, "school", *DATA) == list(DATA)
    events = {event["id"]: event for event in await check_log(five_networks, "herne")}
    said = events[conflict["consent_id"]]
    assert "guardian_is_recipient" in said["remarks"]
    assert (said["giver"]["role"], said["giver"]["partner"], said["giver"]["insight_assessed_by"]) == (
        "guardian",
        YOUTH,
        "B-12",
    )


async def test_alone_at_thirteen_he_cannot_decide(five_networks: Registry) -> None:
    """At thirteen, with no insight assessed, the boy's own consent is refused by the stricter side's rule."""
    cases = await office(five_networks, CASES, "herne")
    body = body_of(await cases.client(), cases.text, grant(CASES, YOUTH, "school", *DATA))
    body["giver"] = {"role": "self", "age_band": "under_14"}
    answer = await cases.post("/consents", body, 422)
    assert {(fault["rule"], fault["pointer"]) for fault in answer["errors"]} == {("capacity", "/giver")}
    assert all(fault["norm"] for fault in answer["errors"])
    await check_log(five_networks, "herne")
