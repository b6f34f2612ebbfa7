"""Kreis Herford: the units of one district are separate partners. A consent for "Soziale Dienste" does not cover
"Sicherheit und Ordnung".
"""

import uuid

from tests.support.flag_scene import body_of, grant, permitted
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office

KIM, SOCIAL, ORDER = "kreis-herford-kim", "kreis-herford-soziale-dienste", "kreis-herford-sicherheit-ordnung"
DATA = ("identity", "contact")
# Members that differ between any two answers.
OWN = {"decision_id", "decided_at", "expires_at", "log"}


async def _asked(by: Office, client: str, recipient: str) -> tuple[Body, set[str]]:
    question = {"client": client, "recipient": recipient, "purpose": "appointment", "categories": list(DATA)}
    answer = await by.partner.post("/decisions", question)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) > OWN
    return {name: value for name, value in body.items() if name not in OWN}, set(answer.headers)


async def test_another_unit_of_the_same_district_gets_the_uniform_no(five_networks: Registry) -> None:
    """As recipient, sender and reader another unit of the district gets the same answers about this client as about an
    unknown one, even if the client is linked there.
    """
    kim, order = [await office(five_networks, slug, "kreis-herford") for slug in (KIM, ORDER)]
    client = await kim.client()
    consent = await kim.post("/consents", body_of(client, kim.text, grant(KIM, SOCIAL, "appointment")))
    assert await permitted(kim, client, SOCIAL, "appointment", *DATA) == list(DATA)
    code = (await kim.post("/link-codes", {"client": client, "partner": ORDER}))["link_code"]
    known = f"S-{uuid.uuid4()}"
    await order.post("/clients", {"reference": known, "link_code": code})

    nobody = f"N-{uuid.uuid4()}"
    for by, reference, recipient in ((kim, client, ORDER), (order, known, SOCIAL), (order, known, KIM)):
        answer, headers = await _asked(by, reference, recipient)
        assert (answer, headers) == await _asked(by, nobody, recipient)
        assert (answer["outcome"], answer["permitted_categories"]) == ("no_permission", [])
    # Control: the unit that the consent names gets another answer than about an unknown client.
    assert await _asked(kim, client, SOCIAL) != await _asked(kim, nobody, SOCIAL)

    there = await order.get(f"/consents/{consent['consent_id']}", 404)
    nowhere = await order.get("/consents/0190b9f0-0000-7000-8000-000000000000", 404)
    assert there == nowhere
    for reference in (known, nobody):
        assert await order.post("/consents/search", {"client": reference}, 200) == {"items": [], "next": None}
    await check_log(five_networks, "kreis-herford")
