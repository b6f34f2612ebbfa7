"""A client of Caritas consents orally: until 1 March 2026 church law demands writing, from then on proof is enough.

The law of the other side applies as well: towards the Jobcenter an oral consent needs its special circumstances.
"""

import pytest
import pytest_asyncio

from tests.support.flag_scene import body_of, grant
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office

AWO, CARITAS, IN_VIA, JOBCENTER = "awo-paderborn", "caritas-paderborn", "in-via-paderborn", "jobcenter-kreis-paderborn"
NOVEMBER, APRIL = "2025-11-12T10:00:00.000000Z", "2026-04-15T10:00:00.000000Z"
# The last instant of February 2026 in Germany, and the first of March.
BEFORE, SINCE = "2026-02-28T22:59:59.999999Z", "2026-02-28T23:00:00.000000Z"
OLD_KDG, NEEDS_NOTE = "§ 8 Abs. 2 Satz 1 KDG", "§ 67b Abs. 2 Satz 1 SGB X"
HEALTH = "§ 67b Abs. 2 Satz 2 SGB X; Art. 9 Abs. 2 lit. a DSGVO"
OLD_KDG_HEALTH = f"{OLD_KDG}; § 8 Abs. 4 KDG; § 11 Abs. 2 lit. a KDG"
TOLD = ["no_effect_on_benefits"]


@pytest_asyncio.fixture
async def caritas(five_networks: Registry) -> Office:
    """Return the office under church law."""
    return await office(five_networks, CARITAS, "paderborn")


def oral(at: Office, client: str, given_at: str, flow: Body, circumstances: str | None = None) -> Body:
    """Return an oral consent."""
    act = {"method": "oral", "evidence": None, "given_at": given_at, "special_circumstances": circumstances}
    return body_of(client, at.text, flow, act=act, information={"told": TOLD})


async def faults(at: Office, body: Body) -> set[tuple[str, str, str]]:
    """Return rule, norm and pointer of each fault."""
    answer = await at.post("/consents", body, 422)
    found = await at.post("/consents/search", {"client": body["client"]}, 200)
    assert found["items"] == [], "a refused consent is on record"
    return {(fault["rule"], fault.get("norm", ""), fault["pointer"]) for fault in answer["errors"]}


def form(norm: str) -> tuple[str, str, str]:
    """Return the fault of a consent that does not keep the form of a norm."""
    return "form", norm, "/act/method"


TO_JOBCENTER = grant(CARITAS, JOBCENTER, "employment")


@pytest.mark.parametrize(
    ("given_at", "circumstances", "refused_by"),
    [
        (NOVEMBER, None, OLD_KDG),
        (BEFORE, None, OLD_KDG),
        (SINCE, None, NEEDS_NOTE),
        (APRIL, None, NEEDS_NOTE),
        (NOVEMBER, "cannot_write", None),
        (APRIL, "cannot_write", None),
    ],
)
async def test_towards_social_law(
    five_networks: Registry, caritas: Office, given_at: str, circumstances: str | None, refused_by: str | None
) -> None:
    """The stricter side is church law before 1 March 2026 and social law after it. With special circumstances both
    accept.
    """
    client = await caritas.client()
    body = oral(caritas, client, given_at, TO_JOBCENTER, circumstances)
    if refused_by is None:
        await caritas.post("/consents", body)
    else:
        assert await faults(caritas, body) == {form(refused_by)}
    expected = "permit" if refused_by is None else "no_permission"
    assert await caritas.outcome(client, recipient=JOBCENTER, purpose="employment") == expected
    await check_log(five_networks, "paderborn")


@pytest.mark.parametrize(
    ("given_at", "refused_by"), [(NOVEMBER, OLD_KDG), (BEFORE, OLD_KDG), (SINCE, None), (APRIL, None)]
)
async def test_between_church_law_and_the_gdpr(five_networks: Registry, given_at: str, refused_by: str | None) -> None:
    """Between AWO and IN VIA, the only flow between these two laws, proof is enough from March 2026 on."""
    awo = await office(five_networks, AWO, "paderborn")
    client = await awo.client()
    body = oral(awo, client, given_at, grant(AWO, IN_VIA, "employment"))
    if refused_by is None:
        await awo.post("/consents", body)
    else:
        assert await faults(awo, body) == {form(refused_by)}
    expected = "permit" if refused_by is None else "no_permission"
    assert await awo.outcome(client, recipient=IN_VIA, purpose="employment") == expected
    await check_log(five_networks, "paderborn")


async def test_from_caritas_to_awo(caritas: Office) -> None:
    """Without a flow in an agreement the consent is refused on either day; the fault of its form depends on the day."""
    client = await caritas.client()
    to_awo = grant(CARITAS, AWO, "employment")
    november = await faults(caritas, oral(caritas, client, NOVEMBER, to_awo))
    april = await faults(caritas, oral(caritas, client, APRIL, to_awo))
    assert {rule for rule, _, _ in april} == {"flow_in_agreement", "text_does_not_cover"}
    assert november - april == {form(OLD_KDG)}


async def test_health_is_never_agreed_by_word_of_mouth_alone(caritas: Office) -> None:
    """Towards social law special categories keep their stricter form, also after church law changed."""
    client = await caritas.client()
    health = grant(CARITAS, JOBCENTER, "health", "health", explicit=True)
    november = await faults(caritas, oral(caritas, client, NOVEMBER, health))
    april = await faults(caritas, oral(caritas, client, APRIL, health))
    assert (form(OLD_KDG_HEALTH) in november, form(HEALTH) in april) == (True, True)
    noted = await faults(caritas, oral(caritas, client, APRIL, health, "cannot_write"))
    assert april - noted == {form(HEALTH)}
    assert await faults(caritas, oral(caritas, client, APRIL, health, "other")) == april
