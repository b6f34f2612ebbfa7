"""A network's administration suspends a partner: nobody may send to it, and its own requests are refused."""

from tests.support.installation import Partner, Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.small_network import consent_body, question


async def _set(admin: Partner, what: str, partner: str, status: int = 201) -> None:
    answer = await admin.post(f"/{what}", {"partner": partner})
    assert answer.status_code == status, answer.text


async def test_suspended_and_reinstated(registry: Registry) -> None:
    """A suspended partner is permitted nothing as recipient, and its tokens get 401. Its reinstatement ends both."""
    north, south = await office(registry, "north"), await office(registry, "south")
    admin = await registry.partner("admin")
    client = await north.client()
    consent = await north.consent(client)
    assert await north.outcome(client) == "permit"
    await _set(admin, "suspensions", "south")
    await _set(admin, "suspensions", "south", 409)
    assert await north.outcome(client) == "no_permission"
    for answer in (
        await south.partner.get(f"/consents/{consent['consent_id']}"),
        await south.partner.get("/me"),
        await south.partner.post("/decisions", question("x", recipient="north")),
        await south.partner.post("/clients", {"reference": "x"}),
    ):
        assert (answer.status_code, "www-authenticate" in answer.headers) == (401, True), answer.text
    assert (await registry.stranger("south").sign_in()).json()["error"] == "invalid_client"
    # The consent itself stays given, and the client may withdraw it at any other partner.
    assert (await north.get(f"/consents/{consent['consent_id']}"))["status"] == "given"
    await _set(admin, "reinstatements", "south")
    await _set(admin, "reinstatements", "south", 409)
    assert await north.outcome(client) == "permit"
    assert (await south.get(f"/consents/{consent['consent_id']}"))["status"] == "given"
    kinds = [event["kind"] for event in await check_log(registry)]
    assert (kinds.count("suspension"), kinds.count("reinstatement")) == (1, 1)


async def test_nothing_is_recorded_towards_a_suspended_partner(registry: Registry) -> None:
    """A consent that names a suspended partner is refused until it is reinstated."""
    north, admin = await office(registry, "north"), await registry.partner("admin")
    client = await north.client()
    await _set(admin, "suspensions", "south")
    try:
        refused = await north.partner.post("/consents", consent_body(client, north.text))
        assert [fault["rule"] for fault in refused.json()["errors"]] == ["partner_selectable"]
    finally:
        await _set(admin, "reinstatements", "south")
    await north.consent(client)
    await check_log(registry)


async def test_a_partner_may_not_suspend(registry: Registry) -> None:
    """A partner's token lacks the scope to suspend, and an unknown partner is a fault."""
    north, admin = await registry.partner("north"), await registry.partner("admin")
    await _set(north, "suspensions", "south", 403)
    await _set(admin, "suspensions", "nobody", 400)


async def test_a_revoked_secret_ends_its_tokens(fresh_registry: Registry) -> None:
    """After a revocation the tokens of the secret are refused, and no new one is issued."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    assert (await north.get("/me")).status_code == 200
    answer = await admin.post("/credential-revocations", {"client_id": north.client_id})
    assert answer.status_code == 201, answer.text
    assert (await north.get("/me")).status_code == 401
    assert (await north.post("/clients", {"reference": "x"})).status_code == 401
    assert (await fresh_registry.stranger("north").sign_in()).status_code == 401
    again = await admin.post("/credential-revocations", {"client_id": north.client_id})
    assert again.status_code == 409
    await check_log(fresh_registry)
