"""The registry inside the test process, which most tests build on, does a partner's day."""

import uuid

from tests.support.installation import Registry
from tests.support.small_network import consent_body, question


async def test_a_partners_day_inside_the_process(registry: Registry) -> None:
    """A client is registered, agrees, is asked about and withdraws; the last question is not permitted."""
    north = await registry.partner("north")
    text = (await north.get("/texts")).json()["items"][0]["id"]
    client = f"N-{uuid.uuid4()}"
    assert (await north.post("/clients", {"reference": client})).status_code == 201
    recorded = await north.post("/consents", consent_body(client, text))
    assert recorded.status_code == 201, recorded.text
    assert (await north.post("/decisions", question(client))).json()["outcome"] == "permit"
    withdrawal = {"consent_id": recorded.json()["consent_id"], "channel": "phone"}
    assert (await north.post("/withdrawals", withdrawal)).status_code == 201
    assert (await north.post("/decisions", question(client))).json()["outcome"] == "no_permission"


async def test_the_demonstrations_network_is_there(registry: Registry) -> None:
    """Paderborn's example is permitted in the copied database."""
    example = registry.installation.networks["paderborn"]["permit_example"]
    partner = await registry.partner(example["partner"], "paderborn")
    assert (await partner.post("/decisions", example["request"])).json()["outcome"] == "permit"
