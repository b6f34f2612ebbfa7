"""Who is suspended or had its secret revoked is nobody from its next request on, whatever token it holds."""

from tests.installation import Registry
from tests.small_network import question


async def test_suspension_counts_at_the_next_request(fresh_registry: Registry) -> None:
    """A suspended partner is nobody, with its old token and at the token endpoint; reinstated, both work again."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    calls = (
        "/me",
        "/network",
        "/partners",
        "/consents/019ae000-0000-7000-8000-000000000000",
        "/decisions?transfer=missing",
    )
    assert (await north.post("/decisions", question("N-1"))).status_code == 200
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    for path in calls:
        assert (await north.get(path)).status_code == 401, path
    for path, body in (
        ("/decisions", question("N-1")),
        ("/decisions/batch", {"decisions": [question("N-1")]}),
        ("/clients", {"reference": "N-1"}),
        ("/consents/search", {}),
        ("/withdrawals", {"client": "N-1", "channel": "phone"}),
    ):
        answer = await north.post(path, body)
        assert answer.status_code == 401, (path, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    again = await fresh_registry.stranger("north").sign_in()
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    south = await fresh_registry.partner("south")
    assert next(one for one in (await south.get("/partners")).json()["items"] if one["slug"] == "north")["suspended"]
    assert (await admin.post("/reinstatements", {"partner": "north"})).status_code == 201
    assert (await north.get("/me")).status_code == 200
    assert (await north.post("/decisions", question("N-1"))).status_code == 200
    assert (await fresh_registry.stranger("north").sign_in()).status_code == 200


async def test_revocation_is_for_good(fresh_registry: Registry) -> None:
    """A revoked secret opens nothing any more, nor does a token issued for it before; a second revocation is 409."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    revocation = {"client_id": north.client_id}
    assert (await admin.post("/credential-revocations", revocation)).status_code == 201
    assert (await north.get("/me")).status_code == 401
    assert (await north.post("/decisions", question("N-1"))).status_code == 401
    assert (await fresh_registry.stranger("north").sign_in()).status_code == 401
    assert (await admin.post("/credential-revocations", revocation)).status_code == 409
    assert (await admin.post("/credential-revocations", {"client_id": "small.north.00000000"})).status_code == 404
    assert (await (await fresh_registry.partner("south")).get("/me")).status_code == 200
