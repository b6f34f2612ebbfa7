"""A network that exchanges no data: membership alone permits nothing."""

import itertools

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.small_network import consent_body


async def test_no_question_is_permitted(registry: Registry) -> None:
    """Between its members every purpose with all its categories is denied."""
    members = [partner["slug"] for partner in registry.installation.networks["widunetz"]["partners"]]
    first = await office(registry, members[0], "widunetz")
    purposes = (await first.get("/purposes"))["items"]
    client = await first.client()
    questions = [
        {"client": client, "recipient": recipient, "purpose": purpose["slug"], "categories": purpose["categories"]}
        for recipient, purpose in itertools.product(["projektgruppe-widunetz", *members[1:]], purposes)
    ]
    assert len(questions) > 200
    answers = (await first.post("/decisions/batch", {"decisions": questions}, 200))["decisions"]
    assert {answer["outcome"] for answer in answers} == {"no_permission"}
    assert not any(answer["permitted_categories"] + answer["not_consent_based_categories"] for answer in answers)
    await check_log(registry, "widunetz")


async def test_nothing_can_be_recorded(registry: Registry) -> None:
    """No consent can be recorded: the network has no text and no flow, and another network's text is unknown to it."""
    member = await office(registry, "awo-migration", "widunetz")
    assert (member.text, (await member.get("/texts"))["items"]) == ("", [])
    stranger = await office(registry, "awo-paderborn", "paderborn")
    body = consent_body(await member.client(), stranger.text)
    grant = {"sender": "awo-migration", "recipient": "jobcenter-herford", "purpose": "employment"}
    body["grants"] = [{**grant, "categories": ["identity"]}]
    refused = await member.post("/consents", body, 422)
    assert {"flow_in_agreement"} < {fault["rule"] for fault in refused["errors"]}
    assert {event["kind"] for event in await check_log(registry, "widunetz")} <= {
        "catalogue",
        "credential",
        "client",
        "decision",
        "read",
    }
