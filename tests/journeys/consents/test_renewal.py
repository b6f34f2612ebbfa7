"""A client renews a consent by a new one: what is renewed, what is not, and that withdrawing either withdraws both."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from consent_registry.domain.instants import format_instant
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body


@pytest_asyncio.fixture
async def south(registry: Registry) -> Office:
    """Return the recipient."""
    return await office(registry, "south")


def in_days(days: float) -> str:
    """Return the instant this many days from now."""
    return format_instant(datetime.now(UTC) + timedelta(days=days))


async def renewing(at: Office, client: str, earlier: Body, status: int = 201, **grant: object) -> Body:
    """Record a consent that renews an earlier one."""
    body = consent_body(client, at.text, **grant) | {"renews": earlier["consent_id"], "valid_until": in_days(700)}
    return await at.post("/consents", body, status)


async def grant_of(at: Office, consent: Body, query: str = "") -> Body:
    """Return the only grant of a consent as this office sees it."""
    (grant,) = (await at.get(f"/consents/{consent['consent_id']}{query}"))["grants"]
    return dict(grant)


async def renewed_pair(at: Office) -> tuple[str, Body, Body]:
    """Record a consent for a year and another one that renews it. Returns client, earlier and later consent."""
    client = await at.client()
    earlier = await at.consent(client, valid_until=in_days(365))
    return client, earlier, await renewing(at, client, earlier)


async def test_a_renewal_shows_on_the_earlier_consent(registry: Registry, north: Office, south: Office) -> None:
    """Both partners see the earlier consent as `renewed` with the new end, and the later one as given with `renews`. A
    decision rests on the later consent. The recipient is notified.
    """
    client, earlier, later = await renewed_pair(north)
    for by in (north, south):
        shown = await grant_of(by, earlier)
        assert (shown["status"], shown["valid_until"]) == ("renewed", later["valid_until"])
    assert (later["status"], later["renews"]) == ("given", earlier["consent_id"])
    assert "renews" not in earlier
    assert (await grant_of(north, earlier, f"?as_known_at={earlier['recorded_at']}"))["status"] == "given"
    assert await north.outcome(client) == "permit"
    async with registry.sql() as sql:
        kinds = await sql.fetch(
            "select kind, consent_id::text from registry.changes"
            " where partner_id = 2 and consent_id = any ($1::uuid[])",
            [earlier["consent_id"], later["consent_id"]],
        )
    notified = {(row["kind"], row["consent_id"]) for row in kinds}
    assert {("consent_renewed", earlier["consent_id"]), ("consent_given", later["consent_id"])} < notified


@pytest.mark.parametrize("by", ["consent_id", "receipt_code"])
@pytest.mark.parametrize("which", [0, 1], ids=["the earlier", "the later"])
async def test_either_paper_takes_it_back(north: Office, south: Office, which: int, by: str) -> None:
    """Withdrawing either consent stops the flow; the answer lists both as withdrawn and none as still given."""
    client, *papers = await renewed_pair(north)
    withdrawn = await south.post("/withdrawals", {by: papers[which][by], "channel": "phone"})
    assert set(withdrawn["withdrawn"]) == {paper["grants"][0]["grant_id"] for paper in papers}
    assert withdrawn["still_given"] == []
    assert await north.outcome(client) == "no_permission"
    for paper in papers:
        assert (await grant_of(south, paper))["status"] == "withdrawn"


async def test_a_live_consent_of_its_own_is_named(north: Office) -> None:
    """Control: a second consent that renews nothing stays given if the first alone is withdrawn, and the answer names
    it.
    """
    client = await north.client()
    first, second = await north.consent(client), await north.consent(client)
    withdrawn = await north.post(
        "/withdrawals", {"consent_id": first["consent_id"], "channel": "phone", "only_this_consent": True}
    )
    assert withdrawn["still_given"] == [second["grants"][0]["grant_id"]]
    assert await north.outcome(client) == "permit"


async def test_a_category_is_taken_back_on_both_papers(north: Office) -> None:
    """A category withdrawn from one of the two consents is withdrawn from both."""
    client, earlier, later = await renewed_pair(north)
    part = {"consent_id": earlier["consent_id"], "channel": "letter", "categories": ["contact"]}
    assert len((await north.post("/withdrawals", part))["withdrawn"]) == 2
    assert await north.outcome(client, categories=["contact"]) == "no_permission"
    assert await north.outcome(client, categories=["identity"]) == "permit"
    assert (await grant_of(north, later))["withdrawn_categories"] == ["contact"]


@pytest.mark.parametrize("which", [0, 1], ids=["the earlier", "the later"])
async def test_ending_and_restricting_reach_both_papers(north: Office, south: Office, which: int) -> None:
    """Restricting, lifting and ending either consent affects both."""
    client, *papers = await renewed_pair(north)
    path = f"/consents/{papers[which]['consent_id']}"
    assert len((await south.post(f"{path}/restrictions", {}))["grants"]) == 2
    assert await north.outcome(client) == "no_permission"
    assert len((await south.post(f"{path}/restriction-liftings", {}))["grants"]) == 2
    assert await north.outcome(client) == "permit"
    assert len((await south.post(f"{path}/endings", {"reason": "case_closed"}))["grants"]) == 2
    assert await north.outcome(client) == "no_permission"


async def test_a_void_renewal_leaves_the_earlier_yes(north: Office) -> None:
    """If the later consent is void, the earlier one is given again until its own end."""
    client, earlier, later = await renewed_pair(north)
    await north.post(f"/consents/{later['consent_id']}/invalidations", {"reason": "form"})
    shown = await grant_of(north, earlier)
    assert (shown["status"], shown["valid_until"]) == ("given", earlier["valid_until"])
    assert (await grant_of(north, later))["use_ban"] is True
    assert await north.outcome(client) == "permit"
    anew = await renewing(north, client, earlier)
    assert (anew["status"], (await grant_of(north, earlier))["status"]) == ("given", "renewed")


async def test_a_recipients_renewal_waits_for_the_sender(north: Office, south: Office) -> None:
    """A renewal recorded by the recipient changes nothing until the sender confirms it. Withdrawn before that, it
    cannot be confirmed.
    """
    client, own = await south.client(), None
    asked = await south.consent(client)
    await north.post(f"/consents/{asked['consent_id']}/confirmations", {})
    own = await renewing(south, client, asked)
    assert (own["status"], (await grant_of(north, asked))["status"]) == ("requested", "given")
    await north.post(f"/consents/{own['consent_id']}/confirmations", {})
    assert (await grant_of(south, asked))["status"] == "renewed"
    pending = await renewing(south, client, own)
    await north.post("/withdrawals", {"consent_id": asked["consent_id"], "channel": "phone"})
    await north.post(f"/consents/{pending['consent_id']}/confirmations", {}, 404)
    assert (await grant_of(south, pending))["status"] == "withdrawn"


REFUSED: dict[str, tuple[Body, str, str]] = {
    "another purpose": ({"purpose": "housing"}, "renewal_widens", "/grants/0"),
    "a category more": (
        {"categories": ["identity", "health"], "explicit": True},
        "renewal_widens",
        "/grants/0/categories/1",
    ),
    "a gap": ({"valid_from": in_days(400)}, "renewal_gap", "/grants/0/valid_from"),
    "a no": ({"answer": "refused"}, "renewal_refused", "/grants/0/answer"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_renewal_never_widens(north: Office, name: str) -> None:
    """A renewal of more than the earlier consent gives is refused with rule and pointer, and so is a refused grant."""
    grant, rule, pointer = REFUSED[name]
    client = await north.client()
    earlier = await north.consent(client, valid_until=in_days(365))
    said = await renewing(north, client, earlier, 422, **grant)
    assert (rule, pointer) in {(fault["rule"], fault["pointer"]) for fault in said["errors"]}
    assert (await grant_of(north, earlier))["status"] == "given"


@pytest.mark.parametrize("act", ["withdrawn", "ended", "invalidated", "renewed"])
async def test_a_renewal_revives_nothing(north: Office, act: str) -> None:
    """A withdrawn, ended or void grant cannot be renewed. A renewed grant is renewed through its newest consent."""
    client = await north.client()
    earlier = await north.consent(client)
    path = f"/consents/{earlier['consent_id']}"
    if act == "withdrawn":
        await north.post("/withdrawals", {"consent_id": earlier["consent_id"], "channel": "phone"})
    elif act == "ended":
        await north.post(f"{path}/endings", {"reason": "case_closed"})
    elif act == "invalidated":
        await north.post(f"{path}/invalidations", {"reason": "form"})
    else:
        await renewing(north, client, earlier)
    said = await renewing(north, client, earlier, 422)
    rules = {fault["rule"] for fault in said["errors"]}
    assert rules == {"renewal_of_newest" if act == "renewed" else "renewal_revives"}


async def test_what_is_not_ones_own_is_not_there(registry: Registry, north: Office) -> None:
    """Renewing an unknown consent, another client's or another partner's gives one 404, and nothing is recorded."""
    client, another = await north.client(), await north.client()
    earlier = await north.consent(another)
    east = await office(registry, "east")
    foreign = await east.client()
    of_east = await east.post(
        "/consents", consent_body(foreign, east.text, sender="east", recipient="north", categories=["identity"])
    )
    unknown = {"consent_id": str(uuid.uuid4())}
    said: list[Any] = [
        {name: value for name, value in (await renewing(north, client, consent, 404)).items() if name != "instance"}
        for consent in (unknown, earlier, of_east)
    ]
    assert said[0] == said[1] == said[2]
    found = await north.post("/consents/search", {"client": client}, 200)
    assert found["items"] == []


async def test_the_log_says_all_of_it(registry: Registry) -> None:
    """After all these tests the log accounts for every renewal, and for every renewal that was void."""
    events = await check_log(registry)
    assert {"renewed", "unrenewed"} <= {word for event in events for word in event if event[word]}


async def test_a_renewal_is_judged_by_the_rules_of_its_day(north: Office) -> None:
    """The rules of form, capacity and text apply to the renewal itself: without its own evidence it is refused."""
    client = await north.client()
    earlier = await north.consent(client)
    body = consent_body(client, north.text) | {"renews": earlier["consent_id"]}
    body["act"]["evidence"] = None
    said = await north.post("/consents", body, 422)
    assert [fault["rule"] for fault in said["errors"]] == ["evidence"]
