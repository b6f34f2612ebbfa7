"""A network's administration suspends a partner: nobody may send to it, and its own requests are refused."""

import pytest

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


@pytest.mark.parametrize("reason", ["agreement", "other"])
async def test_clients_can_still_withdraw_at_a_partner_suspended_for_other_reasons(
    registry: Registry, reason: str
) -> None:
    """Unless it is for security, a suspended partner gets tokens and records withdrawals: their refusals are those of
    the call. Whatever else it asks is 401.
    """
    north, south, admin = (
        await office(registry, "north"),
        await office(registry, "south"),
        await registry.partner("admin"),
    )
    client = await north.client()
    consent, second = await north.consent(client), await north.consent(client)
    answer = await admin.post("/suspensions", {"partner": "south", "reason": reason})
    assert answer.status_code == 201, answer.text
    try:
        assert await north.outcome(client) == "no_permission"
        assert (await registry.stranger("south").sign_in()).status_code == 200
        said = await south.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})
        grants = [found["grants"][0]["grant_id"] for found in (consent, second)]
        assert sorted(said["withdrawn"]) == sorted(grants)
        await south.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"}, 409)
        await south.post("/withdrawals", {"client": "nobody", "channel": "phone"}, 404)
        await south.post("/withdrawals", {"channel": "phone"}, 400)
        for refused in (
            await south.partner.get(f"/consents/{consent['consent_id']}"),
            await south.partner.get("/me"),
            await south.partner.get("/partners"),
            await south.partner.post("/decisions", question("x", recipient="north")),
            await south.partner.post("/decisions/batch", {"decisions": [question("x", recipient="north")]}),
            await south.partner.post("/clients", {"reference": "x"}),
            await south.partner.post("/clients", {"nothing": "x"}),
            await south.partner.post("/consents/search", {}),
            await south.partner.post("/consents", consent_body("x", south.text)),
            await south.partner.post(f"/consents/{consent['consent_id']}/endings", {"reason": "case_closed"}),
        ):
            assert (refused.status_code, "www-authenticate" in refused.headers) == (401, True), refused.text
    finally:
        await _set(admin, "reinstatements", "south")
    assert (await south.get(f"/consents/{consent['consent_id']}"))["status"] == "withdrawn"
    await check_log(registry)


async def test_a_partner_suspended_for_security_withdraws_nothing(registry: Registry) -> None:
    """It gets no token, and with the one it has it is 401 at the withdrawal too; an unknown reason is 400."""
    north, south, admin = (
        await office(registry, "north"),
        await office(registry, "south"),
        await registry.partner("admin"),
    )
    client = await north.client()
    consent = await north.consent(client)
    assert (await admin.post("/suspensions", {"partner": "south", "reason": "whim"})).status_code == 400
    answer = await admin.post("/suspensions", {"partner": "south", "reason": "security"})
    assert answer.status_code == 201, answer.text
    try:
        assert (await registry.stranger("south").sign_in()).status_code == 401
        withdrawal = {"consent_id": consent["consent_id"], "channel": "phone"}
        assert (await south.partner.post("/withdrawals", withdrawal)).status_code == 401
        assert (await south.partner.post("/withdrawals", {})).status_code == 401
    finally:
        await _set(admin, "reinstatements", "south")
    assert (await north.get(f"/consents/{consent['consent_id']}"))["status"] == "given"
    await check_log(registry)
