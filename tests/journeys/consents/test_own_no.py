"""A client's own no, the ages on record, and what is found of them; each only within what its reader may see."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent_registry.domain.instants import format_instant
from tests.journeys.consents.test_who_may_give import codes
from tests.support.flag_scene import body_of, flag_office, grant, month_after, permitted, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office

FLOW = grant("aid", "jobcenter", "employment")
PARENTS = {"role": "parent", "age_band": "15_17", "care": "sole"}
CUSTODIAN = {"role": "custodian", "age_band": "adult"}
GUARDIAN = {"role": "guardian", "age_band": "15_17"}
SAME_PERSON = {"insight": "lacking", "insight_assessed_by": "B-12"}  # who explains, too
SOMEBODY_ELSE = {"insight": "lacking", "insight_assessed_by": "B-7"}


def ago(days: float) -> str:
    """The instant so many days before now."""
    return format_instant(datetime.now(UTC) - timedelta(days=days))


async def record(by: Office, client: str, giver: Body, days: float, answer: str = "given", **changed: Any) -> Body:  # noqa: ANN401 - any member
    """Record an answer to the flow, given so many days ago."""
    body = body_of(client, by.text, FLOW | {"answer": answer} | changed, act={"given_at": ago(days)})
    return await by.post("/consents", body | {"giver": giver})


async def linked(first: Office, second: Office) -> tuple[str, str]:
    """One client of both offices, under each one's reference."""
    own = await first.client()
    code = await first.post("/link-codes", {"client": own})
    theirs = f"{own}-2"
    await second.post("/clients", {"reference": theirs, "link_code": code["link_code"]})
    return own, theirs


async def found(registry: Registry, client: str, kind: str, network: str = "flags") -> list[Body]:
    """What the DPO of `aid` finds of this kind about a client."""
    dpo = await registry.partner("dpo", network)
    answer = (await dpo.get(f"/findings?kind={kind}&limit=200")).json()
    return [finding for finding in answer["items"] if finding["client"] == client]


def young() -> dict[str, str]:
    """A client of 15 to 17 who decides alone with insight."""
    return {"role": "self", "age_band": "15_17", "insight": "present", "insight_assessed_by": "B-3"}


@pytest.mark.parametrize("who", [PARENTS, GUARDIAN, CUSTODIAN], ids=["parent", "guardian", "custodian"])
async def test_no_representative_overrides_the_clients_no(flagged: Registry, who: Body) -> None:
    """422 for parents, guardians and custodians, also if who explains finds that insight is lacking; not once somebody
    else found so since, nor together with the client's own yes, nor for another flow.
    """
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    own = young() if who["age_band"] == "15_17" else {"role": "self", "age_band": "adult"}
    giver = who | ({"adult_from": month_after(20)} if who["age_band"] == "15_17" else {})
    if who["role"] == "custodian":
        giver |= {"scope": ["employment", "appointment"], "mandate_until": ago(-300)}
    await record(aid, client, own, 9, "refused")
    for days in (9, 5, 0):
        body = body_of(client, aid.text, FLOW, act={"given_at": ago(min(days, 8.99))}) | {"giver": giver | SAME_PERSON}
        assert await refusals(aid, body) == {("refused_by_person_with_insight", "/grants/0")}
    before = body_of(client, aid.text, FLOW, act={"given_at": ago(10)}) | {"giver": giver | SOMEBODY_ELSE}
    await aid.post("/consents", before)
    elsewhere = body_of(client, aid.text, grant("aid", "jobcenter", "appointment")) | {"giver": giver | SAME_PERSON}
    await aid.post("/consents", elsewhere)
    await record(aid, client, giver | SOMEBODY_ELSE, 0)
    assert await permitted(aid, client, "jobcenter", "employment", "identity") == ["identity"]
    assert await found(flagged, client, "refusal_overridden") == []
    await check_log(flagged, "flags")


async def test_the_clients_later_yes_is_the_last_word(flagged: Registry) -> None:
    """After an own yes to what was refused, and together with an own yes, parents are heard."""
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    parents = PARENTS | SAME_PERSON | {"adult_from": month_after(20)}
    await record(aid, client, young(), 9, "refused")
    await record(aid, client, PARENTS | {"adult_from": month_after(20), "co_givers": [{"role": "self"}]}, 8)
    await record(aid, client, parents, 7)
    await record(aid, client, young(), 6, "refused", categories=["identity"])
    body = body_of(client, aid.text, FLOW) | {"giver": parents}
    assert await refusals(aid, body) == {("refused_by_person_with_insight", "/grants/0")}
    await record(aid, client, parents, 0, categories=["contact"])


async def test_a_no_of_a_child_without_insight_is_no_bar(flagged: Registry) -> None:
    """Under 14 the parents decide, unless the child's insight was assessed when it refused."""
    aid = await flag_office(flagged, "aid")
    parents = {"role": "parent", "age_band": "under_14", "care": "sole", "adult_from": month_after(60)}
    for assessed, rules in ((None, set()), ("B-3", {("refused_by_person_with_insight", "/grants/0")})):
        client = await aid.client()
        child = {"role": "self", "age_band": "under_14", "insight_assessed_by": assessed}
        await record(aid, client, child, 5, "refused")
        body = body_of(client, aid.text, FLOW) | {"giver": parents}
        if rules:
            assert await refusals(aid, body) == rules
        else:
            await aid.post("/consents", body)


async def test_who_may_not_see_the_no_is_not_told(flagged: Registry) -> None:
    """Another partner records the representative's yes: 201, as where nobody refused. The refusal's recorder gets the
    finding, with its own consent and reference and nothing of the other partner's; the other's DPO has none.
    """
    aid, jobcenter = await flag_office(flagged, "aid"), await flag_office(flagged, "jobcenter")
    parents = PARENTS | SAME_PERSON | {"adult_from": month_after(20)}
    answers = []
    for refuses in (True, False):
        own, theirs = await linked(aid, jobcenter)
        if refuses:
            no = await record(aid, own, young(), 9, "refused")
        made = await record(jobcenter, theirs, parents, 1)
        answers.append({name: made[name] for name in ("status", "remarks")})
        if refuses:
            (finding,) = await found(flagged, own, "refusal_overridden")
            assert (finding["consent_id"], finding["severity"]) == (no["consent_id"], "urgent")
            assert finding["finding_id"] == f"refusal_overridden:{no['grants'][0]['grant_id']}"
            assert set(finding["times"]) == {"refused_at", "given_at"}
            assert made["consent_id"] not in str(finding)
        else:
            assert await found(flagged, own, "refusal_overridden") == []
    assert answers[0] == answers[1]
    own, theirs = await linked(aid, jobcenter)
    await record(jobcenter, theirs, parents | SOMEBODY_ELSE, 1)
    await record(aid, own, young(), 9, "refused")
    assert await found(flagged, own, "refusal_overridden") == []
    own, theirs = await linked(aid, jobcenter)
    await record(jobcenter, theirs, parents, 1)
    late = await record(aid, own, young(), 9, "refused")
    (finding,) = await found(flagged, own, "refusal_overridden")
    assert finding["consent_id"] == late["consent_id"]
    await check_log(flagged, "flags")


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        (("adult", 30), ("15_17", 1), True),
        (("15_17", 30), ("under_14", 1), True),
        (("under_14", 800), ("adult", 1), True),
        (("15_17", 30), ("adult", 1), False),
        (("15_17", 1), ("adult", 30), True),
    ],
)
async def test_bands_only_rise(
    flagged: Registry, first: tuple[str, float], second: tuple[str, float], contradict: bool
) -> None:
    """A band that falls, or rises faster than time, is remarked and found; nothing is refused. Of an entry that is void
    nothing is found any more.
    """
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    made = []
    for band, days in (first, second):
        giver = {"role": "self", "age_band": band, "insight_assessed_by": "B-3", "direct_counselling": True}
        made.append(await record(aid, client, giver, days))
    assert "age_band_contradicts" not in codes(made[0])
    assert ("age_band_contradicts" in codes(made[1])) is contradict
    findings = await found(flagged, client, "age_band_contradicts")
    assert [finding["consent_id"] for finding in findings] == ([made[1]["consent_id"]] if contradict else [])
    await aid.post(f"/consents/{made[0]['consent_id']}/invalidations", {"reason": "capacity"})
    assert await found(flagged, client, "age_band_contradicts") == []
    third = {"role": "self", "age_band": second[0], "insight_assessed_by": "B-3", "direct_counselling": True}
    assert "age_band_contradicts" not in codes(await record(aid, client, third, second[1]))


async def test_bands_of_another_partner_are_not_told(flagged: Registry) -> None:
    """What another partner recorded of the same client is neither remarked nor found, in either order."""
    aid, jobcenter = await flag_office(flagged, "aid"), await flag_office(flagged, "jobcenter")
    adult = {"role": "self", "age_band": "adult"}
    own, theirs = await linked(aid, jobcenter)
    await record(jobcenter, theirs, adult, 30)
    assert "age_band_contradicts" not in codes(await record(aid, own, young(), 1))
    assert await found(flagged, own, "age_band_contradicts") == []
    second = f"{own}-3"
    code = await jobcenter.post("/link-codes", {"client": theirs})
    await aid.post("/clients", {"reference": second, "link_code": code["link_code"]})
    assert "age_band_contradicts" in codes(await record(aid, second, adult, 30))


async def test_lacking_insight_stays_on_record(flagged: Registry) -> None:
    """After a custodian's consent the client decides alone once insight is said to be present; elsewhere at once."""
    aid, jobcenter = await flag_office(flagged, "aid"), await flag_office(flagged, "jobcenter")
    own, theirs = await linked(aid, jobcenter)
    custodian = {"role": "custodian", "age_band": "adult", "scope": ["employment"], "mandate_until": ago(-300)}
    await record(aid, own, custodian | SOMEBODY_ELSE, 9)
    adult = {"role": "self", "age_band": "adult"}
    body = body_of(own, aid.text, FLOW) | {"giver": adult}
    assert await refusals(aid, body) == {("insight", "/giver/insight")}
    await record(jobcenter, theirs, adult, 0)
    await record(aid, own, adult | {"insight": "present", "insight_assessed_by": "B-3"}, 0)
    await record(aid, own, adult, 0)


async def test_a_mandate_that_ended(flagged: Registry) -> None:
    """`mandate_ended` is a reason for an ending; nothing passes afterwards, and other words are no reason."""
    aid = await flag_office(flagged, "aid")
    guardian = {"role": "guardian", "age_band": "under_14", "adult_from": month_after(60)}
    client = await aid.client()
    made = await record(aid, client, guardian, 1)
    path = f"/consents/{made['consent_id']}/endings"
    for reason in ("mandate", "mandate_over", "guardian_died"):
        await aid.post(path, {"reason": reason}, 400)
    await aid.post(path, {"reason": "mandate_ended"})
    assert await permitted(aid, client, "jobcenter", "employment", "identity") == []
    assert (await aid.get(f"/consents/{made['consent_id']}"))["status"] == "ended"
    await check_log(flagged, "flags")
