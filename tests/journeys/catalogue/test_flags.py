"""Each flag of the catalogue and each policy of a network, when a consent is recorded and when a decision is made."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent_registry.domain.instants import format_instant
from tests.journeys.consents.test_informed import publish
from tests.support.flag_scene import body_of, flag_office, grant, month_after, permitted, recorded, refusals
from tests.support.installation import Registry
from tests.support.office import Body, Office, office
from tests.support.planted_rows import planting
from tests.support.releases import needed_releases
from tests.support.texts import REQUIRED

SOON = format_instant(datetime.now(UTC) + timedelta(days=30))
HEALTH = ("aid", "youth", "health")
TOLD = ["consequences_of_refusal", "withdrawal", "complaint"]


def codes(consent: Body) -> set[str]:
    """Return the codes of a consent's remarks."""
    return {remark["code"] for remark in consent["remarks"]}


@asynccontextmanager
async def _planted(flagged: Registry, consent: Body, categories: str) -> AsyncIterator[None]:
    """Give a recorded grant these categories by SQL, for the length of a block."""
    grant_id = consent["grants"][0]["grant_id"]
    async with planting(flagged, "grants", f"grant_id = '{grant_id}'") as sql:
        await sql.execute(
            "update registry.grants g set category_ids = array("
            " select category_id from registry.data_categories d where d.network_id = g.network_id"
            " and d.slug = any (string_to_array($1, ' ')) order by 1) where grant_id = $2",
            categories,
            grant_id,
        )
        yield


async def test_what_is_never_shared(flagged: Registry) -> None:
    """`default: not_shareable`: a grant with such a category is refused, and a planted grant permits nothing of it."""
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    wanted = body_of(client, aid.text, grant("aid", "jobcenter", "appointment", "identity", "counselling-record"))
    assert ("never_shared", "/grants/0/categories/1") in await refusals(aid, wanted)
    wanted["grants"][0]["answer"] = "refused"
    assert ("never_shared", "/grants/0/categories/1") in await refusals(aid, wanted)
    made = await aid.post("/consents", body_of(client, aid.text, grant("aid", "jobcenter", "appointment")))
    asked = (client, "jobcenter", "appointment")
    async with _planted(flagged, made, "identity counselling-record"):
        assert await permitted(aid, *asked, "identity", "counselling-record", "contact") == ["identity"]


async def test_what_is_off_by_default(flagged: Registry) -> None:
    """`default: off`: a grant must hold this category alone, with an explicit yes. Together with others it is refused,
    and denied if it is planted.
    """
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    beside = grant(*HEALTH, "identity", "protected-identity", explicit=True)
    assert await refusals(aid, body_of(client, aid.text, beside)) == {("own_tick", "/grants/0/categories/1")}
    silent = await refusals(aid, body_of(client, aid.text, grant(*HEALTH, "protected-identity")))
    assert ("own_tick", "/grants/0/categories/0") in silent
    made = await aid.post("/consents", body_of(client, aid.text, grant(*HEALTH, explicit=True)))
    async with _planted(flagged, made, "identity contact protected-identity"):
        assert await permitted(aid, client, "youth", "health", "protected-identity", "identity") == ["identity"]
    alone = grant(*HEALTH, "protected-identity", explicit=True)
    await aid.post("/consents", body_of(client, aid.text, alone))
    assert await permitted(aid, client, "youth", "health", "protected-identity") == ["protected-identity"]


@pytest.mark.parametrize("purpose", ["psychosocial", "health"])
async def test_a_flow_that_is_special_itself(flagged: Registry, purpose: str) -> None:
    """`flow_itself_is_special`: identity and contact data need the explicit yes and the form of special data too."""
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    to_youth = grant("aid", "youth", purpose)
    assert await refusals(aid, body_of(client, aid.text, to_youth)) == {("explicit_for_special", "/grants/0/explicit")}
    explicit = to_youth | {"explicit": True}
    oral = {"method": "oral", "evidence": None}
    assert await refusals(aid, body_of(client, aid.text, explicit, act=oral)) == {("form", "/act/method")}
    unnamed = body_of(client, aid.text, explicit, act=oral | {"special_circumstances": "other"})
    assert await refusals(aid, unnamed) == {("form", "/act/method")}
    # The rule of plain data accepts an oral consent. With special circumstances that are named both rules accept it.
    remote = body_of(client, aid.text, explicit, act=oral | {"special_circumstances": "remote"})
    made = await aid.post("/consents", remote)
    assert await permitted(aid, client, "youth", purpose, "identity") == ["identity"]
    rule = f"grant_id = '{made['grants'][0]['grant_id']}'"
    async with planting(flagged, "grants", rule) as sql:
        await sql.execute(f"update registry.grants set explicit = false where {rule}")  # noqa: S608 - our own id
        assert await permitted(aid, client, "youth", purpose, "identity") == []


async def test_the_way_back_carries_attendance_only(flagged: Registry) -> None:
    """`back_channel: attendance_only`: the advice office may send back who came, and nothing else."""
    debts, jobcenter = await flag_office(flagged, "debts"), await flag_office(flagged, "jobcenter")
    client = await debts.client()
    back = body_of(client, debts.text, grant("debts", "jobcenter", "debt-advice", "identity", "finances"))
    assert ("attendance_only", "/grants/0/categories/1") in await refusals(debts, back)
    made = await debts.post("/consents", body_of(client, debts.text, grant("debts", "jobcenter", "debt-advice")))
    async with _planted(flagged, made, "identity finances"):
        assert await permitted(debts, client, "jobcenter", "debt-advice", "identity", "finances") == ["identity"]
    theirs = await jobcenter.client()
    there = grant("jobcenter", "debts", "debt-advice", "identity", "finances")
    await jobcenter.post("/consents", body_of(theirs, jobcenter.text, there))
    assert await permitted(jobcenter, theirs, "debts", "debt-advice", "identity", "finances") == [
        "identity",
        "finances",
    ]


async def test_every_participant_of_a_conference_is_named(flagged: Registry) -> None:
    """`every_participant_named`: each participant has a grant of its own, with an end. Nothing is permitted to others,
    nor on the way back.
    """
    aid, jobcenter = await flag_office(flagged, "aid"), await flag_office(flagged, "jobcenter")
    client = await aid.client()
    to_jobcenter = grant("aid", "jobcenter", "case-conference")
    assert await refusals(aid, body_of(client, aid.text, to_jobcenter)) == {("conference_end", "/grants/0/valid_until")}
    dated = to_jobcenter | {"valid_until": SOON}
    twice = body_of(client, aid.text, dated, dated | {"categories": ["identity"]})
    assert await refusals(aid, twice) == {("participant_named_once", "/grants/1/recipient")}
    refused = grant("aid", "school", "case-conference", answer="refused")
    await aid.post("/consents", body_of(client, aid.text, dated, refused))
    assert await permitted(aid, client, "jobcenter", "case-conference", "identity") == ["identity"]
    assert await permitted(aid, client, "school", "case-conference", "identity") == []
    assert await permitted(jobcenter, client, "aid", "case-conference", "identity") == []


async def test_a_separate_sheet(flagged: Registry) -> None:
    """`separate_sheet`: a consent with this purpose and another one is refused, even if the other grant is refused."""
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    beside = grant("aid", "jobcenter", "appointment", answer="refused")
    found = await refusals(aid, body_of(client, aid.text, grant("aid", "debts", "residence-advice"), beside))
    assert ("separate_sheet", "/grants/0/purpose") in found
    two = [grant("aid", purpose, "residence-advice") for purpose in ("debts", "foreigners")]
    assert {rule for rule, _ in await refusals(aid, body_of(client, aid.text, *two))} == {
        "dpo_approval",
        "isolated_partner",
    }


async def test_data_about_children(flagged: Registry) -> None:
    """`minors`: an adult's own consent to data about school is remarked, and no other. A guardian that receives data is
    remarked.
    """
    aid, youth = await flag_office(flagged, "aid"), await flag_office(flagged, "youth")
    client = await aid.client()
    about_school = grant("aid", "youth", "school", "identity", "schooling")
    grown = body_of(client, aid.text, about_school)
    assert codes(await aid.post("/consents", grown)) == {"adult_in_childrens_data"}
    grown["grants"][0]["answer"] = "refused"
    assert codes(await aid.post("/consents", grown)) == set()
    client = await aid.client()
    grown = body_of(client, aid.text, grant("aid", "jobcenter", "appointment"))
    assert codes(await aid.post("/consents", grown)) == set()
    client = await aid.client()
    guardian = {"role": "guardian", "age_band": "15_17", "adult_from": month_after(20), "partner": "youth"}
    wanted = body_of(client, aid.text, about_school)
    wanted["giver"] = guardian | {"mandate_until": SOON, "co_givers": [{"role": "self"}]}
    made = await aid.post("/consents", wanted)
    assert codes(made) == {"guardian_is_recipient", "mandate_ends_first"}
    assert all(remark["norm"] and remark["text"] for remark in made["remarks"])
    # A representative's consent ends with the mandate.
    assert made["valid_until"] == SOON
    seen = await aid.get(f"/consents/{made['consent_id']}")
    assert codes(seen) == codes(made)
    assert codes(await youth.get(f"/consents/{made['consent_id']}")) == set()
    event = await recorded(flagged, made)
    assert (event["remarks"], event["giver"]["partner"]) == (sorted(codes(made)), "youth")
    wanted["giver"] = {"role": "self", "age_band": "adult", "partner": "youth"}
    assert await refusals(aid, wanted) == {("representation", "/giver/partner")}
    wanted["giver"]["partner"] = "nobody"
    await aid.post("/consents", wanted, 400)


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        ([*TOLD, "no_effect_on_benefits"], set()),
        (TOLD, {("information_missing", "/information/told")}),
        (["withdrawal", "complaint"], {("information_missing", "/information/told")}),
        ([], {("information_missing", "/information/told")}),
    ],
)
async def test_towards_public_bodies_refusing_has_no_effect(
    flagged: Registry, told: list[str], refused: set[tuple[str, str]]
) -> None:
    """`notice`: towards every public body the client is told so for this purpose, also where none decides about
    benefits. For another purpose such a body asks for nothing more.
    """
    aid, text = await flag_office(flagged, "aid"), await publish(flagged, "flags", informs=list(REQUIRED))
    client = await aid.client()
    wanted = body_of(client, text, grant("aid", "jobcenter", "employment"), information={"told": told})
    if refused:
        assert await refusals(aid, wanted) == refused
    else:
        assert codes(await aid.post("/consents", wanted)) == set()
    if told == TOLD:
        await aid.post("/consents", body_of(client, text, grant("aid", "school", "school"), information={"told": told}))


async def test_obligations_that_come_with_the_data(flagged: Registry) -> None:
    """`proxy_for`, `high_harm`, `social_data`: a permit of such data carries the flag's obligation, others do not."""
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    wanted = grant("aid", "jobcenter", "subsistence", "identity", "contact", "finances")
    await aid.post("/consents", body_of(client, aid.text, wanted))

    async def obligations(*categories: str) -> set[str]:
        question: Body = {"client": client, "recipient": "jobcenter", "purpose": "subsistence"}
        answer = await aid.post("/decisions", question | {"categories": list(categories)}, 200)
        again = await aid.get(f"/decisions/{answer['decision_id']}")
        assert again == answer
        return {obligation["code"] for obligation in answer["obligations"]} - {
            "no_onward_transfer",
            "sender_responsible",
        }

    assert await obligations("identity") == {"purpose_binding"}
    assert await obligations("contact") == {"purpose_binding", "no_inference"}
    assert await obligations("finances", "contact") == {"purpose_binding", "no_inference", "social_secrecy"}
    assert await obligations("housing") == set()
    shown = (await aid.get("/data-categories/contact"))["flags"]
    assert shown == {"proxy_for": "origin"}
    assert (await aid.get("/purposes/residence-advice"))["flags"] == {"dpo_approval": True, "separate_sheet": True}


async def test_a_coordinating_post_sees_no_client(flagged: Registry) -> None:
    """`coordinating_post`: its credential can read the catalogue, and nothing about clients."""
    coordination = await flagged.partner("coordination", "flags")
    assert (await coordination.get("/me")).json()["scopes"] == []
    assert (await coordination.get("/partners/aid")).json()["coordinating_post"] is True
    question: Body = {"client": "x", "recipient": "youth", "purpose": "school", "categories": ["identity"]}
    answers = [
        await coordination.post("/clients", {"reference": "x"}),
        await coordination.post("/consents/search", {}),
        await coordination.post("/decisions", question),
        await coordination.post("/withdrawals", {"client": "x", "channel": "phone"}),
        await coordination.get("/decisions?transfer=missing"),
        await coordination.get("/consents/0190b9f0-0000-7000-8000-000000000000"),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)


@pytest.mark.parametrize(
    ("language", "interpreter", "refused"),
    [
        ("de", {"kind": "none"}, None),
        ("de", {"kind": "sworn", "language": "ti"}, None),
        ("ar", {"kind": "staff", "language": "ar"}, None),
        ("ar", {"kind": "none"}, ("interpreter_required", "/information/interpreter/kind")),
        ("ar", {"kind": "lay"}, ("interpreter_language", "/information/interpreter/language")),
    ],
)
async def test_wesel_wants_to_know_who_interpreted(
    five_networks: Registry, language: str, interpreter: Body, refused: tuple[str, str] | None
) -> None:
    """`interpreter_required`: in Wesel a consent on an Arabic text must name the interpreter; elsewhere it need not."""
    wesel = await office(five_networks, "stadt-xanten-case-management", "kreis-wesel")
    asked: Any = {"text": {"id": wesel.text, "language": language}, "information": {"interpreter": interpreter}}
    flow = grant("stadt-xanten-case-management", "stadt-moers-case-management", "appointment")
    body = body_of(await wesel.client(), wesel.text, flow, **asked)
    if refused is None:
        await wesel.post("/consents", body)
    else:
        assert await refusals(wesel, body) == {refused}
    if refused == ("interpreter_required", "/information/interpreter/kind"):
        awo = await office(five_networks, "awo-paderborn", "paderborn")
        flow = grant("awo-paderborn", "jobcenter-kreis-paderborn", "employment")
        asked["text"]["id"] = awo.text
        await awo.post("/consents", body_of(await awo.client(), awo.text, flow, **asked))


@pytest.mark.parametrize("language", ["de", "ar", "uk", "tr"])
async def test_wesel_wants_to_know_the_clients_language(five_networks: Registry, language: str) -> None:
    """Where nobody interpreted the client's language is on record, whatever the language of the text; elsewhere it need
    not be, and with an interpreter neither.
    """
    wesel = await office(five_networks, "stadt-xanten-case-management", "kreis-wesel")
    flow = grant("stadt-xanten-case-management", "stadt-moers-case-management", "appointment")
    body = body_of(await wesel.client(), wesel.text, flow, text={"language": language})
    del body["information"]["client_language"]
    place = ("client_language", "/information/client_language")
    assert place in await refusals(wesel, body)
    awo = await office(five_networks, "awo-paderborn", "paderborn")
    elsewhere = grant("awo-paderborn", "jobcenter-kreis-paderborn", "employment")
    theirs = body_of(await awo.client(), awo.text, elsewhere, text={"language": language})
    theirs["information"] |= {"client_language": None}
    assert place not in {(fault["rule"], fault["pointer"]) for fault in await faults_of(awo, theirs)}
    body["information"]["interpreter"] = {"kind": "staff", "language": language}
    event = await recorded(five_networks, await wesel.post("/consents", body))
    assert event["information"]["client_language"] is None


@pytest.mark.parametrize(
    ("language", "spoken", "interpreted", "remarked"),
    [
        ("de", None, "ti", True),
        ("de", "ti", "ti", False),
        ("ar", None, "ar", False),
        ("ar", "ku", "tr", True),
        ("ar", "ku", "ku-Latn", False),
        ("de", "ar", "de", False),
    ],
)
async def test_an_interpreter_of_another_language_is_remarked(
    five_networks: Registry, language: str, spoken: str | None, interpreted: str, remarked: bool
) -> None:
    """`interpreter_mismatch`: the interpreter's language is the text's or the client's, else it is remarked."""
    wesel = await office(five_networks, "stadt-xanten-case-management", "kreis-wesel")
    flow = grant("stadt-xanten-case-management", "stadt-moers-case-management", "appointment")
    information = {"interpreter": {"kind": "sworn", "language": interpreted}, "client_language": spoken}
    body = body_of(await wesel.client(), wesel.text, flow, text={"language": language}, information=information)
    assert codes(await wesel.post("/consents", body)) == ({"interpreter_mismatch"} if remarked else set())


async def faults_of(by: Office, body: Body) -> list[Body]:
    """The faults for which a consent is refused, if it is."""
    answer = await by.partner.post("/consents", body)
    found: list[Body] = answer.json().get("errors", [])
    return found


async def test_the_contracts_own_bodies_are_recorded(five_networks: Registry) -> None:
    """The example of the API's contract is recorded, and so is a body with the required members and what a secrecy
    holder must add.
    """
    awo = await office(five_networks, "awo-paderborn", "paderborn")
    flow = grant("awo-paderborn", "jobcenter-kreis-paderborn", "employment", "identity", "contact", "employment")
    client = await awo.client()
    example = body_of(client, awo.text, flow | {"explicit": False, "answer": "given"})
    example["text"]["language"] = "ar"
    example["giver"] |= {"insight_assessed_by": None, "mandate_until": None}
    assert (await awo.post("/consents", example))["remarks"] == []
    oral = {"method": "oral", "given_at": example["act"]["given_at"], "special_circumstances": "remote"}
    required = {name: example[name] for name in ("client", "text", "grants", "releases")} | {
        "giver": {"role": "self", "age_band": "adult"},
        "act": oral,
        "information": {"explained_by": "B-12", "interpreter": {"kind": "none"}},
    }
    assert codes(await awo.post("/consents", required)) == set()
    to_housing = await office(five_networks, "kreis-herford-kim", "kreis-herford")
    flow = grant("kreis-herford-kim", "jobcenter-herford", "subsistence", "identity", "family")
    wanted = required | {"client": await to_housing.client(), "grants": [flow], "releases": needed_releases([flow])}
    wanted["text"] = {"id": to_housing.text, "language": "de"}
    assert codes(await to_housing.post("/consents", wanted)) == {"third_parties_unstated"}
