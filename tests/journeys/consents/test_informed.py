"""A client is informed by the text or by the person who explains it; a consent that neither proves is refused."""

import uuid
from typing import Any

import pytest

from tests.support import flag_network, small_network
from tests.support.flag_scene import body_of, flag_office, grant, recorded, refusals
from tests.support.installation import Registry
from tests.support.office import Body, Office, office
from tests.support.texts import REQUIRED

MISSING = ("information_missing", "/information/told")
BENEFITS = ("no_effect_on_benefits", "§ 67b Abs. 2 Satz 3 SGB X; Art. 7 Abs. 4 DSGVO")
BOTH = ["withdrawal", "consequences_of_refusal"]
ALL_TOLD = [
    *("purpose", "recipients", "voluntary", "withdrawal", "consequences_of_refusal", "no_effect_on_benefits"),
    *("no_effect_on_residence", "authority_may_use_otherwise", "statute_beside_consent", "complaint"),
    *("release_separate", "registry", "third_persons"),
]


async def publish(registry: Registry, network: str = "small", **members: Any) -> str:  # noqa: ANN401 - any member
    """Publish a version of a network's text; returns its id."""
    admin = await registry.partner("admin", network)
    body = {"small": small_network, "flags": flag_network}[network].published(uuid.uuid4().hex, **members)
    answer = await admin.post("/texts", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["text"]["id"])


async def missing(by: Office, body: Body) -> dict[str, str]:
    """The code and norm of everything that the client was not informed of; nothing else is refused."""
    answer = await by.post("/consents", body, 422)
    assert {(fault["rule"], fault["pointer"]) for fault in answer["errors"]} == {MISSING}
    return {fault["detail"].split()[6].rstrip(":"): fault["norm"] for fault in answer["errors"]}


@pytest.mark.parametrize(
    ("told", "lacking"),
    [
        ([], {"withdrawal", "consequences_of_refusal"}),
        (["complaint"], {"withdrawal", "consequences_of_refusal"}),
        (["withdrawal", "complaint"], {"consequences_of_refusal"}),
        (["consequences_of_refusal", "voluntary", "registry"], {"withdrawal"}),
    ],
)
async def test_nothing_told_and_half_an_answer_are_refused(
    registry: Registry, told: list[str], lacking: set[str]
) -> None:
    """On a text that does not say it, `[]` and half an answer are refused; the whole is recorded, by the text too."""
    north, text = await office(registry, "north"), await publish(registry, informs=list(REQUIRED))
    body = small_network.consent_body(await north.client(), text)
    body["information"]["told"] = told
    norms = {
        "withdrawal": "Art. 7 Abs. 3 Satz 3 DSGVO",
        "consequences_of_refusal": "Art. 4 Nr. 11 DSGVO; Art. 7 Abs. 4 DSGVO",
    }
    assert await missing(north, body) == {code: norms[code] for code in lacking}
    body["grants"][0]["answer"] = "refused"
    await north.post("/consents", body)
    del body["grants"][0]["answer"]
    body["information"]["told"] = [*lacking, *told]
    event = await recorded(registry, await north.post("/consents", body))
    assert event["information"]["told"] == body["information"]["told"]
    body["text"]["id"] = north.text
    body["information"]["told"] = []
    await north.post("/consents", body)


@pytest.mark.parametrize(
    ("flow", "code", "norm"),
    [
        (
            ("aid", "jobcenter", "appointment"),
            "no_effect_on_benefits",
            "§ 67b Abs. 2 Satz 3 SGB X; Art. 7 Abs. 4 DSGVO",
        ),
        (("aid", "youth", "health"), *BENEFITS),
        (
            ("jobcenter", "debts", "debt-advice"),
            "no_effect_on_benefits",
            "§ 67b Abs. 2 Satz 3 SGB X; Art. 7 Abs. 4 DSGVO",
        ),
        (("aid", "school", "school", "identity", "family"), "third_persons", "Art. 6 Abs. 1 lit. a DSGVO"),
    ],
)
async def test_what_is_asked_depends_on_who_takes_part(
    flagged: Registry, flow: tuple[str, ...], code: str, norm: str
) -> None:
    """With a partner under social law on either side, and with data about others, one more code is asked for."""
    by, text = await flag_office(flagged, flow[0]), await publish(flagged, "flags", informs=list(REQUIRED))
    wanted = grant(*flow, explicit=True)
    body = body_of(await by.client(), text, wanted, information={"told": BOTH})
    assert await missing(by, body) == {code: norm}
    body["information"]["told"] = [*BOTH, code]
    await by.post("/consents", body)


async def test_an_isolated_authority_may_use_what_it_knows(flagged: Registry) -> None:
    """Towards the foreigners' office the client is told so; from there nothing of the kind is asked."""
    aid, text = await flag_office(flagged, "aid"), await publish(flagged, "flags", informs=list(REQUIRED))
    to, back = grant("aid", "foreigners", "appointment"), grant("foreigners", "aid", "appointment")
    for flow, asked in ((to, {MISSING}), (back, set())):
        body = body_of(await aid.client(), text, flow, information={"told": BOTH})
        assert {fault for fault in await refusals(aid, body) if fault[0] == "information_missing"} == asked
    told = body_of(await aid.client(), text, to, information={"told": [*BOTH, "authority_may_use_otherwise"]})
    assert MISSING not in await refusals(aid, told)


async def test_the_codes_are_the_contracts(registry: Registry) -> None:
    """Every code is taken, in any order; another one, one of the text's own, and one twice are malformed."""
    north = await office(registry, "north")
    body = small_network.consent_body(await north.client(), north.text)
    body["information"]["told"] = ALL_TOLD[::-1]
    event = await recorded(registry, await north.post("/consents", body))
    assert event["information"]["told"] == ALL_TOLD[::-1]
    for wrong in ("benefits", "special_explicit", "after_withdrawal", "copy", "Withdrawal", ""):
        body["information"]["told"] = [*BOTH, wrong]
        answer = await north.post("/consents", body, 400)
        assert [fault["pointer"] for fault in answer["errors"]] == ["/information/told/2"]
    body["information"]["told"] = [*BOTH, "withdrawal"]
    await north.post("/consents", body, 400)
