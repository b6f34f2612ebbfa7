"""Who may record a consent: a recipient's record needs the sender's confirmation, and nobody records for others."""

import pytest

from tests.journeys.clients.test_links import code_of, redeem
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, office
from tests.support.small_network import consent_body


async def test_what_the_recipient_records_is_only_asked_for(registry: Registry) -> None:
    """A grant recorded by its recipient is requested. Its sender is notified, and no other partner sees it."""
    north, south, east = [await office(registry, slug) for slug in ("north", "south", "east")]
    client = await south.client()
    consent = await south.consent(client)
    assert (consent["status"], consent["grants"][0]["status"]) == ("requested", "requested")
    path = f"/consents/{consent['consent_id']}"
    seen = await north.get(path)
    # The sender can confirm it, although it has no reference for the client.
    assert (seen["status"], seen["client"], seen["recorded_by"]) == ("requested", None, "south")
    await east.get(path, 404)
    async with registry.sql() as connection:
        feed = "select partner_id, kind from registry.changes where consent_id = $1"
        notified = await connection.fetch(feed, consent["consent_id"])
    assert [(row["partner_id"], row["kind"]) for row in notified] == [(1, "consent_requested")]
    (event,) = [event for event in await check_log(registry) if event["id"] == consent["consent_id"]]
    assert [grant["answer"] for grant in event["grants"]] == ["requested"]


async def test_a_request_never_permits(registry: Registry) -> None:
    """A requested grant permits nothing, even if the sender knows the client."""
    north = await office(registry, "north")
    client = await north.client()
    back = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
    consent = await north.consent(client, back)
    statuses = {grant["sender"]: grant["status"] for grant in consent["grants"]}
    assert statuses == {"north": "given", "south": "requested"}
    south = await office(registry, "south")
    reference = await redeem(south, await code_of(north, client))
    asked = {"client": reference, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    assert (await south.post("/decisions", asked, 200))["outcome"] == "no_permission"
    # Control: once the sender has confirmed it, the same question is permitted.
    async with registry.sql() as connection:
        await connection.execute(
            """
            insert into registry.grant_changes
            select network_id, grant_id, gen_random_uuid(), gen_random_uuid(), client_id, '{1,2}', 'confirmed', null,
                null, now(), now() from registry.grants where consent_id = $1 and answer = 'requested'
            """,
            consent["consent_id"],
        )
        assert (await south.post("/decisions", asked, 200))["outcome"] == "permit"
        await connection.execute("set session_replication_role = replica")
        await connection.execute("delete from registry.grant_changes where kind = 'confirmed'")


def _body(client: str, text: str, **changes: object) -> Body:
    body = consent_body(client, text)
    for pointer, value in changes.items():
        *path, member = pointer.split("__")
        place = body
        for step in path:
            place = place[step]
        place[member] = value
    return body


FLOW = {"sender": "north", "recipient": "south", "purpose": "support", "categories": ["identity"]}


@pytest.mark.parametrize(
    ("who", "changes", "rule"),
    [
        ("east", {}, "caller_takes_part"),
        ("north", {"grants": [FLOW, {**FLOW, "sender": "south", "recipient": "east"}]}, "caller_takes_part"),
        ("north", {"grants": [{**FLOW, "recipient": "closed"}]}, "partner_selectable"),
        ("north", {"grants": [{**FLOW, "recipient": "east"}]}, "flow_in_agreement"),
        ("north", {"grants": [{**FLOW, "categories": ["debts"]}]}, "flow_in_agreement"),
        ("north", {"act__given_at": "2999-01-01T00:00:00.000000Z"}, "given_at"),
        # Mistake 10 of docs/design/cases.md: a consent does not count before it was given.
        ("north", {"valid_from": "2024-01-01T00:00:00.000000Z"}, "valid_from"),
        ("north", {"text__language": "ar"}, "text_language"),
    ],
)
async def test_refusals_name_their_rule(registry: Registry, who: str, changes: Body, rule: str) -> None:
    """Each rule that refuses a consent is named with its norm and pointer, and nothing is recorded. A rule of the
    network has no norm.
    """
    recorder = await office(registry, who)
    client = await recorder.client()
    refused = await recorder.post("/consents", _body(client, recorder.text, **changes), 422)
    named = {fault["rule"]: fault for fault in refused["errors"]}
    assert rule in named
    assert bool(named[rule].get("norm")) is (rule != "flow_in_agreement")
    assert named[rule]["pointer"].startswith("/")
    assert (await recorder.post("/consents/search", {"client": client}, 200))["items"] == []
    await check_log(registry)


async def test_a_consent_is_read_back_in_its_own_order(registry: Registry) -> None:
    """Every answer and the log list the grants in the order in which they were recorded."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client, *({**FLOW, "purpose": purpose} for purpose in ("housing", "support") * 5))
    order = [grant["grant_id"] for grant in consent["grants"]]
    assert [grant["purpose"] for grant in consent["grants"]] == ["support", *("housing", "support") * 5]
    read = await north.get(f"/consents/{consent['consent_id']}")
    assert [grant["grant_id"] for grant in read["grants"]] == order
    event = (await check_log(registry, padding=True))[consent["log"]["index"]]
    assert [grant["grant"] for grant in event["grants"]] == order


async def test_an_unregistered_client_is_not_recorded_about(registry: Registry) -> None:
    """Another partner's reference is no client of the caller: 422. Registering the same text does not link the two."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    refused = await south.post("/consents", consent_body(client, south.text), 422)
    assert [fault["rule"] for fault in refused["errors"]] == ["client_registered"]
    await south.post("/clients", {"reference": client})
    await north.consent(client)
    assert (await south.post("/consents/search", {"client": client}, 200))["items"] == []
    await check_log(registry)
