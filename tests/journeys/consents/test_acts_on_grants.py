"""Partners confirm, end, invalidate and restrict recorded consents, and what follows for status and decisions."""

import uuid
from typing import Any

import pytest

from tests.support.installation import Partner, Registry
from tests.support.small_network import consent_body, question


async def recorded(registry: Registry, by: str = "north", **grant: object) -> tuple[str, dict[str, Any]]:
    """Let a partner register a client and record a consent from north to south. Returns reference and consent."""
    partner = await registry.partner(by)
    text = (await partner.get("/texts")).json()["items"][0]["id"]
    client = f"{by}-{uuid.uuid4()}"
    assert (await partner.post("/clients", {"reference": client})).status_code == 201
    answer = await partner.post("/consents", consent_body(client, text, **grant))
    assert answer.status_code == 201, answer.text
    return client, answer.json()


async def outcome(partner: Partner, client: str) -> str:
    """The outcome of a question that this partner asks about the client."""
    return str((await partner.post("/decisions", question(client))).json()["outcome"])


async def status(partner: Partner, consent: dict[str, Any]) -> str:
    """The consent's status as this partner sees it."""
    return str((await partner.get(f"/consents/{consent['consent_id']}")).json()["status"])


async def test_a_recipients_record_waits_for_the_sender(registry: Registry) -> None:
    """A consent recorded by the recipient is requested until the sender confirms it; nobody else can confirm it."""
    north, south, east = [await registry.partner(slug) for slug in ("north", "south", "east")]
    _, consent = await recorded(registry, by="south")
    path = f"/consents/{consent['consent_id']}/confirmations"
    assert consent["status"] == "requested"
    assert await status(north, consent) == "requested"
    refused = await south.post(path, {})
    assert (refused.status_code, refused.json()["errors"][0]["rule"]) == (422, "who_may_confirmation")
    assert (await east.post(path, {})).status_code == 404
    confirmed = await north.post(path, {})
    assert (confirmed.status_code, len(confirmed.json()["grants"])) == (201, 1)
    assert await status(north, consent) == await status(south, consent) == "given"
    assert (await north.post(path, {})).status_code == 409


async def test_what_was_withdrawn_is_not_confirmed(registry: Registry) -> None:
    """A requested consent that the client withdrew can no longer be confirmed, and the sender cannot see it."""
    north, south = await registry.partner("north"), await registry.partner("south")
    _, consent = await recorded(registry, by="south")
    withdrawn = await south.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})
    assert withdrawn.status_code == 201
    assert (await north.post(f"/consents/{consent['consent_id']}/confirmations", {})).status_code == 404


@pytest.mark.parametrize("by", ["north", "south"])
async def test_an_ended_consent_permits_nothing(registry: Registry, by: str) -> None:
    """The sender or the recipient may end a consent. Its status is `ended` and no decision permits anything by it."""
    north, actor = await registry.partner("north"), await registry.partner(by)
    client, consent = await recorded(registry)
    assert await outcome(north, client) == "permit"
    ended = await actor.post(f"/consents/{consent['consent_id']}/endings", {"reason": "purpose_reached"})
    assert ended.status_code == 201
    assert await outcome(north, client) == "no_permission"
    assert await status(actor, consent) == "ended"


async def test_an_invalid_consent_was_void_from_the_start(registry: Registry) -> None:
    """An invalidation counts from when the consent was given, notifies the recipient, and only the sender may record
    it.
    """
    north, south = await registry.partner("north"), await registry.partner("south")
    client, consent = await recorded(registry)
    path = f"/consents/{consent['consent_id']}/invalidations"
    assert (await south.post(path, {"reason": "form"})).status_code == 422
    assert (await north.post(path, {"reason": "pressure"})).status_code == 201
    assert await outcome(north, client) == "no_permission"
    assert await status(south, consent) == "invalidated"
    async with registry.sql() as connection:
        rows = await connection.fetch(
            "select p.slug, c.kind, c.effective_from, c.acknowledge_by from registry.changes c"
            " join registry.partners p using (network_id, partner_id)"
            " where c.consent_id = $1 and c.kind = 'consent_invalidated'",
            consent["consent_id"],
        )
    notified = {row["slug"]: row for row in rows}
    assert set(notified) == {"north", "south"}
    assert notified["south"]["acknowledge_by"] is not None
    assert notified["south"]["effective_from"].isoformat()[:26] + "Z" == consent["given_at"]


async def test_a_restriction_holds_until_it_is_lifted(registry: Registry) -> None:
    """A restricted consent permits nothing and keeps its status; after the restriction is lifted it permits again."""
    north = await registry.partner("north")
    client, consent = await recorded(registry)
    path = f"/consents/{consent['consent_id']}"
    assert (await north.post(f"{path}/restriction-liftings", {})).status_code == 409
    assert (await north.post(f"{path}/restrictions", {})).status_code == 201
    assert (await north.post(f"{path}/restrictions", {})).status_code == 409
    assert await outcome(north, client) == "no_permission"
    assert await status(north, consent) == "given"
    assert (await north.post(f"{path}/restriction-liftings", {})).status_code == 201
    assert await outcome(north, client) == "permit"


async def test_a_refused_grant_is_its_recorders_alone(registry: Registry) -> None:
    """Only the recorder sees a refused grant. The recipient does not find it, and no decision permits it."""
    north, south = await registry.partner("north"), await registry.partner("south")
    client, consent = await recorded(registry, answer="refused")
    assert consent["status"] == await status(north, consent) == "refused"
    assert (await south.get(f"/consents/{consent['consent_id']}")).status_code == 404
    assert await outcome(north, client) == "no_permission"


async def test_both_time_axes_are_told_apart(registry: Registry) -> None:
    """A withdrawal received before it was recorded shows on both time axes: given as known then, withdrawn as known
    now.
    """
    north = await registry.partner("north")
    text = (await north.get("/texts")).json()["items"][0]["id"]
    client = f"north-{uuid.uuid4()}"
    await north.post("/clients", {"reference": client})
    body = consent_body(client, text)
    body["act"]["given_at"] = "2026-01-10T09:00:00.000000Z"
    consent = (await north.post("/consents", body)).json()
    known_at = consent["recorded_at"]
    received = {"channel": "letter", "received_at": "2026-03-01T09:00:00.000000Z"}
    withdrawal = {"consent_id": consent["consent_id"], **received}
    assert (await north.post("/withdrawals", withdrawal)).status_code == 201
    path = f"/consents/{consent['consent_id']}"
    before, after = "2026-02-01T09:00:00.000000Z", "2026-04-01T09:00:00.000000Z"
    for query, expected in (
        ("", "withdrawn"),
        (f"?as_of={before}", "given"),
        (f"?as_of={after}", "withdrawn"),
        (f"?as_of={after}&as_known_at={known_at}", "given"),
    ):
        assert (await north.get(path + query)).json()["status"] == expected, query
    assert (await north.get(f"{path}?as_known_at={before}")).status_code == 404
    refused = await north.get(f"{path}?as_of=yesterday")
    assert refused.status_code == 400
