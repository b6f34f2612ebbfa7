"""Who may give a consent, and until when: the client, parents, guardians, youth offices, custodians, attorneys."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consent_registry.domain.instants import format_instant
from tests.support.flag_scene import body_of, flag_office, grant, month_after, permitted, recorded, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office

BERLIN = ZoneInfo("Europe/Berlin")
BOTH_PARENTS = {"care": "joint", "co_givers": [{"role": "parent"}]}
LACKING = {"insight": "lacking", "insight_assessed_by": "B-12"}
# Of every role that represents somebody: a whole giver.
PARENTS = {"role": "parent", "age_band": "under_14", **BOTH_PARENTS}
GUARDIAN = {"role": "guardian", "age_band": "under_14"}


def days_ahead(days: float) -> str:
    """The instant so many days from now."""
    return format_instant(datetime.now(UTC) + timedelta(days=days))


def begin_of(month: str) -> str:
    """The instant at which a month begins in Germany."""
    first = date.fromisoformat(f"{month}-01")
    return format_instant(datetime.combine(first, time.min, BERLIN).astimezone(UTC))


def whole_givers() -> dict[str, dict[str, Any]]:
    """A giver of each role that represents a client, with all that is asked for."""
    custody = {"role": "youth_office_custody", "age_band": "14", "mandate_until": days_ahead(27)}
    adult = {"age_band": "adult", "scope": ["employment"], "mandate_until": days_ahead(300), **LACKING}
    return {
        "parent": PARENTS | {"adult_from": month_after(60)},
        "guardian": GUARDIAN | {"adult_from": month_after(60)},
        "youth_office_custody": custody | {"adult_from": month_after(40)},
        "custodian": {"role": "custodian", **adult},
        "attorney": {"role": "attorney", **adult},
    }


async def body_by(aid: Office, giver: Body, *grants: Body, **members: Any) -> Body:  # noqa: ANN401 - any member
    """A consent of a new client by this giver, to employment unless other grants are given."""
    body = body_of(await aid.client(), aid.text, *(grants or (grant("aid", "jobcenter", "employment"),)), **members)
    return body | {"giver": giver}


def codes(consent: Body) -> set[str]:
    """The codes of a consent's remarks."""
    return {remark["code"] for remark in consent["remarks"]}


async def test_every_giver_says_the_age_band(flagged: Registry) -> None:
    """A consent without `age_band` is malformed, in every role and also where the client refuses."""
    aid = await flag_office(flagged, "aid")
    for giver in ({"role": "self", "age_band": "adult"}, *whole_givers().values()):
        silent = {name: value for name, value in giver.items() if name != "age_band"}
        for answer in ("given", "refused"):
            flow = grant("aid", "jobcenter", "employment", answer=answer)
            refused = await aid.post("/consents", await body_by(aid, silent, flow), 400)
            assert {fault["pointer"] for fault in refused["errors"]} == {"/giver/age_band"}
        await aid.post("/consents", await body_by(aid, giver))
    await check_log(flagged, "flags")


async def test_the_log_says_who_gave_it(flagged: Registry) -> None:
    """Each member that was said about the giver is in the event; of others nothing is written."""
    aid = await flag_office(flagged, "aid")
    giver = whole_givers()["custodian"] | {"co_givers": [{"role": "parent", "insight_assessed_by": "B-3"}]}
    said = (await recorded(flagged, await aid.post("/consents", await body_by(aid, giver))))["giver"]
    assert said == giver | {"partner": None}
    child = {"role": "self", "age_band": "under_14", "insight_assessed_by": "B-12", "direct_counselling": True}
    said = (await recorded(flagged, await aid.post("/consents", await body_by(aid, child))))["giver"]
    assert said == child | {"partner": None, "mandate_until": None}


@pytest.mark.parametrize("role", ["parent", "guardian", "youth_office_custody"])
async def test_who_decides_for_a_minor_says_when_it_comes_of_age(flagged: Registry, role: str) -> None:
    """`adult_from` is asked for, by month, within what the band allows; the grants end when the month begins."""
    aid = await flag_office(flagged, "aid")
    giver = whole_givers()[role]
    silent = {name: value for name, value in giver.items() if name != "adult_from"}
    assert await refusals(aid, await body_by(aid, silent)) == {("adult_from", "/giver/adult_from")}
    for band, wrong in (("under_14", (1, 47, 217)), ("14", (35, 49)), ("15_17", (-1, 0, 37))):
        own_yes = giver | {"age_band": band, "co_givers": [{"role": "self"}, {"role": "parent"}]}
        for months in wrong:
            body = await body_by(aid, own_yes | {"adult_from": month_after(months)})
            assert await refusals(aid, body) == {("adult_from_contradicts", "/giver/adult_from")}, months
    young = giver | {"age_band": "15_17", "adult_from": month_after(1), "co_givers": [{"role": "self"}]}
    young |= {"care": "sole"} if role == "parent" else {}
    young.pop("mandate_until", None)
    if role == "youth_office_custody":
        young["mandate_until"] = days_ahead(28 - 0.01)
    body = await body_by(aid, young)
    made = await aid.post("/consents", body)
    ends = min(begin_of(month_after(1)), young.get("mandate_until", "9"))
    assert made["valid_until"] == made["grants"][0]["valid_until"] == ends
    assert codes(made) == {"mandate_ends_first"}
    assert await permitted(aid, body["client"], "jobcenter", "employment", "identity") == ["identity"]


async def test_a_paper_of_parents_of_2022_permits_nothing_today(flagged: Registry) -> None:
    """Parents gave it for a client of 15 to 17: it ended when the client came of age, whatever end was asked for. So it
    is with guardians, and with children of 14.
    """
    aid = await flag_office(flagged, "aid")
    then = {"given_at": "2022-03-01T10:00:00Z"}
    for giver in (
        {"role": "parent", "age_band": "15_17", "adult_from": "2024-11", **BOTH_PARENTS, **LACKING},
        {"role": "parent", "age_band": "14", "adult_from": "2026-02", "care": "authorised"},
        {"role": "guardian", "age_band": "15_17", "adult_from": "2022-04", "co_givers": [{"role": "self"}]},
        {"role": "guardian", "age_band": "14", "adult_from": "2025-03"},
    ):
        body = await body_by(aid, giver, act=then) | {"valid_until": days_ahead(300)}
        made = await aid.post("/consents", body)
        assert (made["status"], made["valid_until"]) == ("expired", begin_of(str(giver["adult_from"])))
        assert await permitted(aid, body["client"], "jobcenter", "employment", "identity") == []
    still = {"role": "parent", "age_band": "under_14", "adult_from": month_after(12), **BOTH_PARENTS}
    body = await body_by(aid, still, act=then) | {"valid_until": days_ahead(90)}
    await aid.post("/consents", body)
    assert await permitted(aid, body["client"], "jobcenter", "employment", "identity") == ["identity"]
    await check_log(flagged, "flags")


async def test_a_renewal_ends_too_when_the_client_comes_of_age(flagged: Registry) -> None:
    """What parents renew ends with the month; what the client renews, with insight, does not."""
    aid = await flag_office(flagged, "aid")
    parents = {"role": "parent", "age_band": "15_17", "adult_from": month_after(3), **BOTH_PARENTS, **LACKING}
    body = await body_by(aid, parents)
    first = await aid.post("/consents", body)
    renewed = await aid.post("/consents", body | {"renews": first["consent_id"], "valid_until": days_ahead(400)})
    assert renewed["valid_until"] == first["valid_until"] == begin_of(month_after(3))
    herself = {"role": "self", "age_band": "15_17", "insight": "present", "insight_assessed_by": "B-2"}
    own = body | {"giver": herself, "renews": renewed["consent_id"], "valid_until": days_ahead(400)}
    assert (await aid.post("/consents", own))["valid_until"] == own["valid_until"]


async def test_at_15_the_client_is_asked_again(five_networks: Registry, flagged: Registry) -> None:
    """A remark names the month; with the Diakonie on a side that of the fourteenth birthday. The consent goes on."""
    aid = await flag_office(flagged, "aid")
    for giver, months in (
        (PARENTS | {"adult_from": month_after(60)}, 60 - 36),
        (GUARDIAN | {"adult_from": month_after(200)}, 200 - 36),
        (PARENTS | {"age_band": "14", "adult_from": month_after(40)}, 40 - 36),
    ):
        made = await aid.post("/consents", await body_by(aid, giver))
        again = {remark["code"]: remark for remark in made["remarks"]}
        assert month_after(months) in again["ask_again_at_15"]["text"]
        assert again["ask_again_at_15"]["norm"] == "§ 36 Abs. 1 Satz 1 SGB I"
        seen = await aid.get(f"/consents/{made['consent_id']}")
        assert seen["remarks"] == made["remarks"]
        assert made["status"] == "given"
    diakonie = await office(five_networks, "diakonie-paderborn-hoexter", "paderborn")
    flow = grant("diakonie-paderborn-hoexter", "jobcenter-kreis-paderborn", "employment")
    for band, months, code, month in (
        ("under_14", 60, "ask_again_at_14", 60 - 48),
        ("14", 40, "ask_again_at_15", 40 - 36),
    ):
        giver = PARENTS | {"age_band": band, "adult_from": month_after(months)}
        made = await diakonie.post("/consents", await body_by(diakonie, giver, flow))
        texts = {remark["code"]: remark["text"] for remark in made["remarks"] if "again" in remark["code"]}
        assert set(texts) == {code}
        assert month_after(month) in texts[code]
    jobcenter = await flag_office(flagged, "jobcenter")
    assert (await jobcenter.get(f"/consents/{seen['consent_id']}"))["remarks"] == []


async def test_how_parents_decide(flagged: Registry) -> None:
    """`care` is asked for: both holders, sole custody, an authority, or an everyday matter, which is an appointment."""
    aid = await flag_office(flagged, "aid")
    parent = {"role": "parent", "age_band": "under_14", "adult_from": month_after(60)}
    appointment = grant("aid", "jobcenter", "appointment")
    for said, flow, fault in (
        ({}, appointment, "/giver/care"),
        ({"care": "joint"}, appointment, "/giver/co_givers"),
        ({"care": "joint", "co_givers": [{"role": "self"}]}, appointment, "/giver/co_givers"),
        ({"care": "everyday"}, grant("aid", "jobcenter", "employment"), "/grants/0/purpose"),
        ({"care": "joint", "co_givers": [{"role": "parent"}]}, appointment, None),
        ({"care": "sole"}, grant("aid", "jobcenter", "employment"), None),
        ({"care": "authorised"}, grant("aid", "jobcenter", "employment"), None),
        ({"care": "everyday"}, appointment, None),
    ):
        body = await body_by(aid, parent | said, flow)
        if fault is None:
            await aid.post("/consents", body)
            asked = (body["client"], "jobcenter", flow["purpose"], "identity")
            assert await permitted(aid, *asked) == ["identity"]
        else:
            assert await refusals(aid, body) == {("care", fault)}


async def test_from_15_nobody_decides_without_the_young_person(flagged: Registry) -> None:
    """A representative counts with insight that somebody found lacking, or with the young person's own yes."""
    aid = await flag_office(flagged, "aid")
    for giver in (
        PARENTS | {"care": "sole"},
        GUARDIAN,
        {"role": "youth_office_custody", "mandate_until": days_ahead(20)},
    ):
        for said, is_refused in (
            ({}, True),
            ({"insight": "lacking"}, True),
            ({"insight": "present", "insight_assessed_by": "B-12"}, True),
            ({"insight": "lacking", "insight_assessed_by": "B-12"}, False),
            ({"co_givers": [{"role": "self"}]}, False),
        ):
            young = giver | {"age_band": "15_17", "adult_from": month_after(20), "co_givers": []} | said
            body = await body_by(aid, young)
            if is_refused:
                assert await refusals(aid, body) == {("representation", "/giver")}
            else:
                await aid.post("/consents", body)


@pytest.mark.parametrize("role", ["custodian", "attorney"])
async def test_an_adult_with_insight_decides_alone(flagged: Registry, role: str) -> None:
    """Custodians and attorneys need lacking insight, a scope with the purpose in it, and an end that bounds."""
    aid = await flag_office(flagged, "aid")
    giver = whole_givers()[role]
    for member, rule in (("insight", "representation"), ("scope", "representation"), ("mandate_until", "mandate")):
        silent = {name: value for name, value in giver.items() if name != member}
        assert await refusals(aid, await body_by(aid, silent)) == {(rule, f"/giver/{member}")}
    present = giver | {"insight": "present"}
    assert await refusals(aid, await body_by(aid, present)) == {("representation", "/giver/insight")}
    elsewhere = giver | {"scope": ["housing", "appointment"]}
    assert await refusals(aid, await body_by(aid, elsewhere)) == {("representation", "/grants/0/purpose")}
    for band in ("under_14", "14", "15_17"):
        minor = await refusals(aid, await body_by(aid, giver | {"age_band": band}))
        assert minor == {("representation", "/giver/role")}
    made = await aid.post("/consents", await body_by(aid, giver))
    assert (made["valid_until"], codes(made)) == (giver["mandate_until"], {"mandate_ends_first"})
    assert made["giver"] == {"role": role}


async def test_taken_into_care_for_four_weeks(flagged: Registry) -> None:
    """The youth office decides for four weeks at most, with its end on record, and may be a partner itself."""
    aid, youth = await flag_office(flagged, "aid"), await flag_office(flagged, "youth")
    giver = whole_givers()["youth_office_custody"]
    for until in (None, days_ahead(28.1), days_ahead(90), days_ahead(-1)):
        body = await body_by(aid, giver | {"mandate_until": until})
        assert await refusals(aid, body) == {("mandate", "/giver/mandate_until")}
    own_yes = {"partner": "youth", "co_givers": [{"role": "self"}]}
    made = await aid.post(
        "/consents", await body_by(aid, giver | own_yes, grant("aid", "youth", "health", explicit=True))
    )
    assert made["valid_until"] == giver["mandate_until"]
    assert "guardian_is_recipient" in codes(made)
    assert codes(await youth.get(f"/consents/{made['consent_id']}")) == set()
    alone = await body_by(aid, giver | {"partner": "youth"}, grant("aid", "youth", "health", explicit=True))
    assert await refusals(aid, alone) == {("representation", "/giver/co_givers")}


@pytest.mark.parametrize("role", ["parent", "guardian", "youth_office_custody", "custodian", "attorney"])
async def test_a_mandate_bounds_every_role(flagged: Registry, role: str) -> None:
    """`mandate_until` cuts every representative's grants, and is refused for a client who decides alone."""
    aid = await flag_office(flagged, "aid")
    until = days_ahead(12)
    body = await body_by(aid, whole_givers()[role] | {"mandate_until": until})
    made = await aid.post("/consents", body)
    assert (made["valid_until"], made["grants"][0]["valid_until"]) == (until, until)
    (remark,) = [remark for remark in made["remarks"] if remark["code"] == "mandate_ends_first"]
    assert remark["norm"] == "§ 2 BGB; § 1773 BGB; § 1815 BGB"
    shorter = body | {"client": await aid.client(), "valid_until": days_ahead(5)}
    made = await aid.post("/consents", shorter)
    assert made["valid_until"] == shorter["valid_until"]
    assert "mandate_ends_first" not in codes(made)
    alone = await body_by(aid, {"role": "self", "age_band": "adult", "mandate_until": until})
    assert await refusals(aid, alone) == {("mandate", "/giver/mandate_until")}


async def test_no_person_of_age_has_parents_who_decide(flagged: Registry) -> None:
    """Parents, guardians and youth offices decide for no adult, and nobody entrusts instead of the client."""
    aid = await flag_office(flagged, "aid")
    for role in ("parent", "guardian", "youth_office_custody"):
        giver = whole_givers()[role] | {"age_band": "adult", "adult_from": "2020-01"}
        assert await refusals(aid, await body_by(aid, giver)) == {("representation", "/giver/role")}
    for band in ("under_14", "adult"):
        giver = {"role": "entrusting_person", "age_band": band}
        assert await refusals(aid, await body_by(aid, giver)) == {("entrusting_person", "/giver/role")}


async def test_a_child_that_asked_for_advice_itself(flagged: Registry) -> None:
    """Under 14 a child decides alone if it asked for advice itself and its insight was assessed, and not otherwise."""
    aid = await flag_office(flagged, "aid")
    child = {"role": "self", "age_band": "under_14"}
    for said, rule in (
        ({}, ("capacity", "/giver")),
        ({"insight_assessed_by": "B-12"}, ("capacity", "/giver")),
        ({"direct_counselling": True}, ("capacity", "/giver")),
        (
            {"insight_assessed_by": "B-12", "direct_counselling": True, "insight": "lacking"},
            ("insight", "/giver/insight"),
        ),
        ({"insight_assessed_by": "B-12", "direct_counselling": True}, None),
    ):
        body = await body_by(aid, child | said)
        if rule is None:
            await aid.post("/consents", body)
        else:
            assert await refusals(aid, body) == {rule}
    await check_log(flagged, "flags")
