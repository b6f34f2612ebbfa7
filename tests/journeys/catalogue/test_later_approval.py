"""A later permit does not make an earlier transfer lawful, and the registry shows what it knew and when."""

from tests.support.installation import Registry
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body, question


async def asked(at: Office, client: str) -> Body:
    """Ask, and return the whole answer."""
    return await at.post("/decisions", question(client), 200)


async def test_a_confirmation_heals_no_transfer_before_it(registry: Registry, north: Office) -> None:
    """After a confirmation the earlier answer reads back byte for byte, and as of then the consent was requested."""
    south = await office(registry, "south")
    requested = await south.consent(await south.client())
    path = f"/consents/{requested['consent_id']}"
    moment = requested["recorded_at"]
    assert (await north.get(path))["status"] == "requested"
    await north.post(f"{path}/confirmations", {})
    for query, expected in (
        ("", "given"),
        (f"?as_of={moment}", "requested"),
        (f"?as_known_at={moment}", "requested"),
        (f"?as_of={moment}&as_known_at={moment}", "requested"),
    ):
        assert (await south.get(path + query))["status"] == expected, query


async def test_a_consent_recorded_later_heals_no_transfer_before_it(north: Office) -> None:
    """A consent signed before a question and recorded after it leaves the answer a denial: the registry knew of none
    then.
    """
    client = await north.client()
    body = consent_body(client, north.text)
    denied = await asked(north, client)
    assert denied["outcome"] == "no_permission"
    report = {"outcome": "sent", "categories": ["contact"]}
    sent = await north.post(f"/decisions/{denied['decision_id']}/transfers", report)
    consent = await north.post("/consents", body)
    assert consent["given_at"] < denied["decided_at"] < consent["recorded_at"]
    assert (await north.get(f"/decisions/{denied['decision_id']}")) == denied
    path = f"/consents/{consent['consent_id']}"
    assert (await north.get(f"{path}?as_of={denied['decided_at']}"))["status"] == "given"
    await north.get(f"{path}?as_known_at={denied['decided_at']}", 404)
    await north.get(f"{path}?as_of=2020-01-01T00:00:00.000000Z", 404)
    assert sent["log"]["index"] < consent["log"]["index"]


async def test_what_was_void_was_never_a_ground(north: Office) -> None:
    """After an invalidation the earlier permit reads back unchanged. As of then the consent was void, as known then
    given.
    """
    client = await north.client()
    consent = await north.consent(client)
    permit = await asked(north, client)
    assert permit["outcome"] == "permit"
    await north.post(f"/consents/{consent['consent_id']}/invalidations", {"reason": "capacity"})
    path, moment = f"/consents/{consent['consent_id']}", permit["decided_at"]
    assert (await north.get(f"{path}?as_of={moment}"))["status"] == "invalidated"
    assert (await north.get(f"{path}?as_of={moment}&as_known_at={moment}"))["status"] == "given"
    assert (await north.get(f"/decisions/{permit['decision_id']}")) == permit
    assert (await asked(north, client))["outcome"] == "no_permission"


async def test_a_restriction_of_one_category(north: Office) -> None:
    """A restricted category is denied alone, and the status stays. Lifting the restriction of another category is a
    conflict.
    """
    client = await north.client()
    consent = await north.consent(client)
    path = f"/consents/{consent['consent_id']}"
    await north.post(f"{path}/restrictions", {"categories": ["contact"]})
    assert (await asked(north, client))["permitted_categories"] == ["identity"]
    (grant,) = (await north.get(path))["grants"]
    assert (grant["status"], grant["restricted_categories"]) == ("given", ["contact"])
    await north.post(f"{path}/restriction-liftings", {"categories": ["identity"]}, 409)
    await north.post(f"{path}/restrictions", {"categories": ["debts"]}, 409)
    for wrong in (["shoe-size"], ["contact", "contact"], []):
        await north.post(f"{path}/restrictions", {"categories": wrong}, 400)
    await north.post(f"{path}/restriction-liftings", {"categories": ["contact"]})
    (grant,) = (await north.get(path))["grants"]
    assert "restricted_categories" not in grant
    assert (await asked(north, client))["outcome"] == "permit"
