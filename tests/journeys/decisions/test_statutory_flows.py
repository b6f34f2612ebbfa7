"""Flows that rest on a statute need no consent, and none may be recorded for them (§ 67b SGB X)."""

import pytest

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.small_network import NORM, consent_body

SENDER, RECIPIENT = "herne-soziales", "herne-jugendamt"


def _question(client: str, *categories: str, **members: object) -> dict[str, object]:
    return {"client": client, "recipient": "east", "purpose": "housing", "categories": list(categories), **members}


async def test_a_statutory_flow_needs_no_consent(registry: Registry) -> None:
    """A question about a statutory flow is answered `not_consent_based`, for known and unknown clients alike."""
    south = await office(registry, "south")
    for client in (await south.client(), "never heard of"):
        answer = await south.post("/decisions", _question(client, "debts", "identity"), 200)
        assert answer["outcome"] == "not_consent_based"
        assert answer["not_consent_based_categories"] == ["debts", "identity"]
        assert (answer["permitted_categories"], answer["denied_categories"], answer["obligations"]) == ([], [], [])
    beyond = await south.post("/decisions", _question("never heard of", "identity", "contact"), 200)
    assert (beyond["outcome"], beyond["denied_categories"]) == ("no_permission", ["contact"])
    await check_log(registry)


async def test_a_claimed_statute_is_logged_with_its_norm(registry: Registry) -> None:
    """A statute that the sender claims is logged with its norm and not judged, even if no agreement has it."""
    north = await office(registry, "north")
    claim = {"client": "x", "recipient": "east", "purpose": "support", "categories": ["health"]}
    answer = await north.post("/decisions", {**claim, "basis": "statute", "norm": "§ 8a SGB VIII"}, 200)
    assert answer["outcome"] == "not_consent_based"
    event = (await check_log(registry))[answer["log"]["index"]]
    assert (event["basis"], event["norm"], event["outcome"]) == ("statute", "§ 8a SGB VIII", "not_consent_based")
    for wrong in ({"basis": "statute"}, {"basis": "statute", "norm": "SGB X"}, {"norm": "§ 69 SGB X"}):
        await north.post("/decisions", {**claim, **wrong}, 400)


async def test_consent_is_not_asked_for_a_statutory_flow(registry: Registry) -> None:
    """A consent to a statutory flow is refused with the statute beside the rule's norm, at the category. No text may
    ask about it.
    """
    south = await office(registry, "south")
    body = consent_body(await south.client(), south.text)
    body["grants"] = [{"sender": "south", "recipient": "east", "purpose": "housing", "categories": ["identity"]}]
    refused = await south.post("/consents", body, 422)
    assert [(fault["pointer"], fault["rule"], fault["norm"]) for fault in refused["errors"]] == [
        ("/grants/0", "text_does_not_cover", "Art. 4 Nr. 11 DSGVO"),
        ("/grants/0/categories/0", "statutory_flow", f"Art. 5 Abs. 1 lit. a DSGVO; {NORM}"),
    ]
    await check_log(registry)


@pytest.mark.parametrize("agreed", [False, True])
async def test_a_mixed_question_is_partial(five_networks: Registry, *, agreed: bool) -> None:
    """If all categories but one rest on a statute, only that one is decided by consent: `partial`."""
    sender = await office(five_networks, SENDER, "herne")
    client = await sender.client()
    if agreed:
        body = consent_body(client, sender.text)
        flow = {"sender": SENDER, "recipient": RECIPIENT, "purpose": "school", "categories": ["schooling"]}
        body["grants"] = [flow]
        await sender.post("/consents", body)
    asked = ["schooling", "identity", "family"]
    question = {"client": client, "recipient": RECIPIENT, "purpose": "school", "categories": asked}
    answer = await sender.post("/decisions", question, 200)
    assert answer["not_consent_based_categories"] == ["identity", "family"]
    if agreed:
        assert (answer["outcome"], answer["permitted_categories"]) == ("partial", ["schooling"])
    else:
        assert (answer["outcome"], answer["denied_categories"]) == ("no_permission", ["schooling"])
    await check_log(five_networks, "herne")
