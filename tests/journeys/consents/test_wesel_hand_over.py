"""Kreis Wesel: a client moves from Xanten to Moers. A consent that names Xanten permits Moers nothing."""

import uuid

from tests.support.flag_scene import body_of, grant, permitted, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office

XANTEN, MOERS, WESEL = [f"stadt-{town}-case-management" for town in ("xanten", "moers", "wesel")]
DISTRICT = "kreis-wesel-kim"
FLAT = ("identity", "contact", "housing")
STAFF = {"interpreter": {"kind": "staff", "language": "ar"}}


async def test_moers_is_a_new_recipient(five_networks: Registry) -> None:
    """A consent between Xanten and Wesel permits nothing to or from Moers. A new consent does, once it names the
    interpreter, and only for what it covers: the appointment and not the flat.
    """
    xanten, moers = [await office(five_networks, slug, "kreis-wesel") for slug in (XANTEN, MOERS)]
    client = await xanten.client()
    first = [grant(XANTEN, WESEL, "housing", *FLAT), grant(XANTEN, WESEL, "appointment")]
    old = await xanten.post("/consents", body_of(client, xanten.text, *first))
    assert await permitted(xanten, client, WESEL, "housing", *FLAT) == list(FLAT)
    for purpose, data in (("housing", FLAT), ("appointment", FLAT[:2])):
        assert await permitted(xanten, client, MOERS, purpose, *data) == []

    # The client brings a link code to Moers. Both references mean one client now, but Moers still has no consent.
    code = (await xanten.post("/link-codes", {"client": client, "partner": MOERS}))["link_code"]
    in_moers = f"M-{uuid.uuid4()}"
    await moers.post("/clients", {"reference": in_moers, "link_code": code})
    assert await permitted(moers, in_moers, XANTEN, "housing", *FLAT) == []
    assert (await moers.post("/consents/search", {"client": in_moers}, 200))["items"] == []
    await moers.get(f"/consents/{old['consent_id']}", 404)

    naming_moers = body_of(client, xanten.text, grant(XANTEN, MOERS, "appointment"), text={"language": "ar"})
    silent = {("interpreter_required", "/information/interpreter/kind")}
    assert await refusals(xanten, naming_moers) == silent
    assert await permitted(xanten, client, MOERS, "appointment", *FLAT[:2]) == []
    naming_moers["information"] |= STAFF
    new = await xanten.post("/consents", naming_moers)
    assert await permitted(xanten, client, MOERS, "appointment", *FLAT[:2]) == list(FLAT[:2])
    assert await permitted(xanten, client, MOERS, "housing", *FLAT) == []
    assert [
        item["consent_id"] for item in (await moers.post("/consents/search", {"client": in_moers}, 200))["items"]
    ] == [new["consent_id"]]

    # Moers may pass nothing on, neither to the district nor back to Xanten.
    assert await permitted(moers, in_moers, DISTRICT, "employment", *FLAT[:2]) == []
    assert await permitted(moers, in_moers, XANTEN, "appointment", *FLAT[:2]) == []
    # After the hand-over Xanten ends the consent towards Wesel, and the one towards Moers stays given.
    await xanten.post(f"/consents/{old['consent_id']}/endings", {"reason": "case_closed"})
    assert await permitted(xanten, client, WESEL, "housing", *FLAT) == []
    assert await permitted(xanten, client, MOERS, "appointment", *FLAT[:2]) == list(FLAT[:2])
    (event,) = [event for event in await check_log(five_networks, "kreis-wesel") if event["id"] == new["consent_id"]]
    assert event["information"]["interpreter"] == STAFF["interpreter"]
