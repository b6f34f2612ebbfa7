"""Transfers reported after a decision: the log of decisions does not show what was sent (docs/design/cases.md, mistake
21).
"""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import question


async def _permit(north: Office) -> tuple[str, Body]:
    client = await north.client()
    await north.consent(client)
    return client, await north.post("/decisions", question(client), 200)


async def test_broader_than_permitted_is_recorded_and_marked(registry: Registry) -> None:
    """A report of more than was permitted is accepted, and its event names what was beyond the permit."""
    north = await office(registry, "north")
    _, permit = await _permit(north)
    path = f"/decisions/{permit['decision_id']}/transfers"
    report = await north.post(path, {"outcome": "sent", "categories": ["identity", "health", "debts"]})
    assert (report["outcome"], report["categories"]) == ("sent", ["identity", "health", "debts"])
    event = (await check_log(registry))[report["log"]["index"]]
    assert (event["decision"], event["beyond_permit"]) == (permit["decision_id"], ["health", "debts"])
    inside = await north.post(path, {"outcome": "sent", "categories": ["identity"]})
    assert (await check_log(registry))[inside["log"]["index"]]["beyond_permit"] == []


async def test_what_was_sent_cannot_be_unsent(registry: Registry) -> None:
    """`not_sent` after `sent` is refused as a conflict; `sent` after `failed` is accepted."""
    north = await office(registry, "north")
    _, permit = await _permit(north)
    path = f"/decisions/{permit['decision_id']}/transfers"
    await north.post(path, {"outcome": "failed", "categories": []})
    await north.post(path, {"outcome": "not_sent", "categories": []})
    await north.post(path, {"outcome": "sent", "categories": ["identity"]})
    await north.post(path, {"outcome": "not_sent", "categories": []}, 409)
    await check_log(registry)


async def test_sent_without_a_permit_is_recorded_too(registry: Registry) -> None:
    """A transfer after a denial is accepted, and its event names all of it as beyond the permit."""
    north = await office(registry, "north")
    refused = await north.post("/decisions", question("unknown"), 200)
    report = await north.post(
        f"/decisions/{refused['decision_id']}/transfers", {"outcome": "sent", "categories": ["identity"]}
    )
    assert (await check_log(registry))[report["log"]["index"]]["beyond_permit"] == ["identity"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"categories": []}, "/categories"),
        ({"categories": ["identity", "identity"]}, "/categories"),
        ({"categories": ["nothing"]}, "/categories/0"),
        ({"outcome": "lost"}, "/outcome"),
        ({"at": "2999-01-01T00:00:00.000000Z"}, "/at"),
    ],
)
async def test_wrong_reports_are_named(registry: Registry, wrong: Body, pointer: str) -> None:
    """An impossible report is refused with its pointer, and the decision stays unreported."""
    north = await office(registry, "north")
    _, permit = await _permit(north)
    body = {"outcome": "sent", "categories": ["identity"], **wrong}
    refused = await north.post(f"/decisions/{permit['decision_id']}/transfers", body, 400)
    assert pointer in {fault["pointer"] for fault in refused["errors"]}
    missing = await north.get("/decisions?transfer=missing&limit=1")
    assert missing["items"][0]["decision_id"] == permit["decision_id"]


async def test_the_list_of_what_is_missing(fresh_registry: Registry) -> None:
    """The list of unreported decisions holds permits, also partial ones, newest first and page by page; no denials."""
    north, south = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    client, first = await _permit(north)
    partial = await north.post("/decisions", question(client, categories=["contact", "health"]), 200)
    await north.post("/decisions", question("unknown"), 200)
    reported = await north.post("/decisions", question(client), 200)
    at = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = {"outcome": "sent", "categories": ["identity"], "at": at}
    assert (await north.post(f"/decisions/{reported['decision_id']}/transfers", body))["at"] == at
    page = await north.get("/decisions?transfer=missing&limit=1")
    assert [item["decision_id"] for item in page["items"]] == [partial["decision_id"]]
    assert (page["items"][0]["outcome"], page["items"][0]["permitted_categories"]) == ("partial", ["contact"])
    page = await north.get(f"/decisions?transfer=missing&limit=1&cursor={page['next']}")
    assert [item["decision_id"] for item in page["items"]] == [first["decision_id"]]
    assert page["next"] is None
    assert (await south.get("/decisions?transfer=missing"))["items"] == []
    await check_log(fresh_registry)
