"""A client withdraws part of a consent: some categories, or one of two grants. The rest stays given."""

from typing import Any

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.small_network import NUMBER

HOUSING = {"sender": "north", "recipient": "south", "purpose": "housing", "categories": ["identity", "contact"]}


async def _feed_entries(registry: Registry, consent_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return the change feed's entries about a consent, by partner."""
    async with registry.sql() as connection:
        rows = await connection.fetch(
            """
            select p.slug, c.kind, c.grant_ids, c.acknowledge_by is not null as to_acknowledge
            from registry.changes c join registry.partners p using (network_id, partner_id)
            where c.network_id = $1 and c.consent_id = $2 order by c.change_id
            """,
            NUMBER,
            consent_id,
        )
    feeds: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        entry = {"kind": row["kind"], "grants": sorted(map(str, row["grant_ids"])), "ack": row["to_acknowledge"]}
        feeds.setdefault(row["slug"], []).append(entry)
    return feeds


async def test_categories_go_one_by_one(registry: Registry) -> None:
    """A withdrawn category is denied and the others stay permitted, until the last one is withdrawn."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    grant_id = consent["grants"][0]["grant_id"]
    take = {"consent_id": consent["consent_id"], "channel": "in_person"}
    first = await north.post("/withdrawals", {**take, "categories": ["contact"]})
    assert (first["withdrawn"], first["still_given"]) == ([grant_id], [])
    asked = {"client": client, "recipient": "south", "purpose": "support", "categories": ["contact", "identity"]}
    answer = await north.post("/decisions", asked, 200)
    assert (answer["outcome"], answer["permitted_categories"]) == ("partial", ["identity"])
    assert answer["denied_categories"] == ["contact"]
    (grant,) = (await north.get(f"/consents/{consent['consent_id']}"))["grants"]
    assert (grant["status"], grant["withdrawn_categories"]) == ("given", ["contact"])
    await north.post("/withdrawals", {**take, "categories": ["contact"]}, 409)
    await north.post("/withdrawals", {**take, "categories": ["identity", "contact"]})
    assert await north.outcome(client) == "no_permission"
    (grant,) = (await north.get(f"/consents/{consent['consent_id']}"))["grants"]
    assert (grant["status"], grant["withdrawn_categories"]) == ("withdrawn", ["identity", "contact"])
    await check_log(registry)


async def test_one_grant_goes_and_the_other_stays(registry: Registry) -> None:
    """Named grants are withdrawn and the consent stays given; each partner concerned is notified of its grants only."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    consent = await north.consent(client, HOUSING)
    support, housing = (grant["grant_id"] for grant in consent["grants"])
    body = {"client": client, "grants": [housing], "channel": "phone"}
    assert (await north.post("/withdrawals", body))["withdrawn"] == [housing]
    assert await north.outcome(client, purpose="housing") == "no_permission"
    assert await north.outcome(client, purpose="support") == "permit"
    for partner in (north, south):
        seen = await partner.get(f"/consents/{consent['consent_id']}")
        assert seen["status"] == "given"
        statuses = {grant["grant_id"]: grant["status"] for grant in seen["grants"]}
        assert statuses == {support: "given", housing: "withdrawn"}
    entries = await _feed_entries(registry, consent["consent_id"])
    withdrawn = {"kind": "consent_withdrawn", "grants": [housing]}
    assert entries == {
        "north": [{**withdrawn, "ack": False}],
        "south": [
            {"kind": "consent_given", "grants": sorted([support, housing]), "ack": False},
            {**withdrawn, "ack": True},  # Art. 19 DSGVO: the recipient says what became of the data
        ],
    }
    await check_log(registry)


async def test_what_goes_on_elsewhere_is_named(registry: Registry) -> None:
    """A second consent for the same flow still permits it if the client withdraws the first alone, and the answer to
    the withdrawal names it. A withdrawal by client ends both.
    """
    north = await office(registry, "north")
    client = await north.client()
    first, second = await north.consent(client), await north.consent(client)
    answer = await north.post(
        "/withdrawals", {"consent_id": first["consent_id"], "channel": "email", "only_this_consent": True}
    )
    assert answer["still_given"] == [second["grants"][0]["grant_id"]]
    assert await north.outcome(client) == "permit"
    everything = await north.post("/withdrawals", {"client": client, "channel": "email"})
    assert (everything["withdrawn"], everything["still_given"]) == ([second["grants"][0]["grant_id"]], [])
    assert await north.outcome(client) == "no_permission"
    await check_log(registry)


async def test_foreign_and_empty_choices_withdraw_nothing(registry: Registry) -> None:
    """A grant of another consent is not found, an empty list is refused, and all grants stay given."""
    north = await office(registry, "north")
    client = await north.client()
    first, second = await north.consent(client), await north.consent(await north.client())
    body = {"consent_id": first["consent_id"], "channel": "phone"}
    await north.post("/withdrawals", {**body, "grants": [second["grants"][0]["grant_id"]]}, 404)
    await north.post("/withdrawals", {**body, "grants": []}, 400)
    await north.post("/withdrawals", {**body, "categories": []}, 400)
    await north.post("/withdrawals", {**body, "categories": ["health"]}, 409)
    assert await north.outcome(client) == "permit"
    assert set(await _feed_entries(registry, first["consent_id"])) == {"south"}
    await check_log(registry)
