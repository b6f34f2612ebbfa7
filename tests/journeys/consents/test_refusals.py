"""A client refuses a consent, in whole or one grant of it: the refusal is recorded with no more than it needs."""

from tests.support.installation import Registry
from tests.support.office import Office, office
from tests.support.small_network import consent_body


async def test_a_whole_no_needs_no_proof(registry: Registry, north: Office) -> None:
    """A refusal needs no evidence and no explicit yes, whatever the category, and only its recorder sees it."""
    client, south = await north.client(), await office(registry, "south")
    body = consent_body(client, north.text, categories=["identity", "health"], answer="refused")
    body["act"]["evidence"] = None
    refused = await north.post("/consents", body)
    assert (refused["status"], refused["grants"][0]["status"]) == ("refused", "refused")
    assert await north.outcome(client) == "no_permission"
    await south.get(f"/consents/{refused['consent_id']}", 404)
    assert (await south.post("/consents/search", {}, 200))["items"] == []


async def test_one_no_among_yeses(registry: Registry, north: Office) -> None:
    """A refused grant denies its own flow only. The given grant needs evidence. The recipient sees the given grant
    only.
    """
    client, south = await north.client(), await office(registry, "south")
    no = {
        "sender": "north",
        "recipient": "south",
        "purpose": "housing",
        "categories": ["identity"],
        "answer": "refused",
    }
    consent = await north.consent(client, no)
    assert (consent["status"], [grant["status"] for grant in consent["grants"]]) == ("given", ["given", "refused"])
    assert await north.outcome(client) == "permit"
    assert await north.outcome(client, purpose="housing", categories=["identity"]) == "no_permission"
    seen = await south.get(f"/consents/{consent['consent_id']}")
    assert [grant["purpose"] for grant in seen["grants"]] == ["support"]
    body = consent_body(client, north.text)
    body["grants"].append(no)
    body["act"]["evidence"] = None
    assert (await north.post("/consents", body, 422))["errors"][0]["rule"] == "evidence"
