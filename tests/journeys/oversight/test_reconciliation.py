"""The findings of a data-protection officer, kind by kind, each beside a correct history without findings."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from consent_registry.domain.findings import KINDS
from consent_registry.operations.runtime.commands import new_id
from consent_registry.storage.database.database import begin_sql
from consent_registry.storage.oversight.findings import sent_before, sent_in
from tests.support.erasing import erasing
from tests.support.erasing import north as by_north
from tests.support.installation import Installation, Partner, Registry, serving
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.persons_with_history import erase
from tests.support.rewritten_setup import let_evidence_follow
from tests.support.small_network import NUMBER, PARTNERS, consent_body, question

SENT = {"outcome": "sent", "categories": ["identity", "contact"]}
AWO, DIAKONIE = "awo-paderborn", "diakonie-paderborn-hoexter"


def instant(at: datetime) -> str:
    """An instant in wire format."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(text: str) -> datetime:
    """The instant of a text in wire format."""
    return datetime.fromisoformat(text)


async def look(dpo: Partner, **query: object) -> Body:
    """Ask for findings; `begin` is sent as `from`."""
    words = {name.replace("begin", "from"): value for name, value in query.items()}
    answer = await dpo.get(f"/findings?{urlencode(words)}")
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


async def about(registry: Registry, client: str, partner: str = "north", **query: object) -> dict[str, Body]:
    """The findings of a partner's DPO about one of its clients, by kind."""
    found = await look(await registry.dpo(partner), limit=200, **query)
    return {finding["kind"]: finding for finding in found["items"] if finding["client"] == client}


async def permit(north: Office, client: str | None = None, **members: object) -> tuple[str, Body]:
    """Record a client's consent for north and ask for a decision, which permits."""
    if client is None:
        client = await north.client()
        await north.consent(client)
    asked = await north.post("/decisions", question(client, **members), 200)
    assert asked["permitted_categories"], asked
    return client, asked


async def report(north: Office, asked: Body, **members: object) -> Body:
    """Report a transfer."""
    return await north.post(f"/decisions/{asked['decision_id']}/transfers", SENT | members)


async def test_an_orderly_history_has_no_finding(fresh_registry: Registry) -> None:
    """Transfers sent in time and reported, in parts, after a failure, or not at all, with a withdrawal afterwards, give
    no finding of any kind, with any limits.
    """
    north = await office(fresh_registry, "north")
    client, asked = await permit(north)
    await report(north, asked)
    _, partly = await permit(north, client, categories=["identity", "health"])
    await report(north, partly, categories=["identity"])
    _, unused = await permit(north, client)
    await report(north, unused, outcome="not_sent", categories=[])
    _, failed = await permit(north, client)
    await report(north, failed, outcome="failed", categories=[])
    await north.outcome("unknown")
    await north.post("/withdrawals", {"client": client, "channel": "in_person"})
    assert await north.outcome(client) == "no_permission"
    found = await look(await fresh_registry.dpo("north"), report_days=0, evidence_days=0)
    assert (found["items"], found["next"]) == ([], None)
    assert found["checked"]["checks"] == [{"kind": kind, "count": 0} for kind in KINDS]
    assert found["checked"]["partner"] == "north"
    await check_log(fresh_registry)


async def test_sent_without_a_permit(registry: Registry) -> None:
    """A transfer without a permit is a finding, with all its categories as surplus."""
    north = await office(registry, "north")
    client = await north.client()
    asked = await north.post("/decisions", question(client), 200)
    assert asked["outcome"] == "no_permission"
    sent = await report(north, asked, categories=["identity"])
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["severity"]) == ("transfer_without_permit", "urgent")
    assert found["norm"] == "Art. 6 Abs. 1 lit. a DSGVO; Art. 5 Abs. 2 DSGVO"
    assert (found["decision_id"], found["log_index"]) == (asked["decision_id"], asked["log"]["index"])
    assert (found["recipient"], found["purpose"]) == ("south", "support")
    assert (found["categories"], found["surplus"]) == (["identity"], ["identity"])
    assert found["known_at"] == found["times"]["reported_at"] == sent["recorded_at"]
    assert found["times"]["decided_at"] == asked["decided_at"]
    # About a reference that is not registered: a finding without a client.
    nobody = await north.post("/decisions", question("unheard of"), 200)
    await report(north, nobody)
    unnamed = await look(await registry.dpo("north"), kind="transfer_without_permit")
    finding = next(item for item in unnamed["items"] if item["decision_id"] == nobody["decision_id"])
    assert finding["client"] is None


async def test_sent_more_than_permitted(registry: Registry) -> None:
    """A transfer broader than its permit is a finding that names only the surplus categories."""
    north = await office(registry, "north")
    client, asked = await permit(north)
    await report(north, asked, categories=["identity", "debts", "health"])
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["severity"]) == ("transfer_broader", "urgent")
    assert (found["categories"], found["surplus"]) == (["identity", "debts", "health"], ["debts", "health"])


async def test_sent_after_the_permit_had_ended(registry: Registry) -> None:
    """A transfer after the end of its permit is a finding, one before it is not."""
    north = await office(registry, "north")
    client = await north.client()
    ends = datetime.now(UTC) + timedelta(seconds=3)
    await north.consent(client, valid_until=instant(ends))
    _, asked = await permit(north, client)
    assert asked["expires_at"] == instant(ends)
    await asyncio.sleep((ends - datetime.now(UTC)).total_seconds() + 0.1)
    await report(north, asked, at=instant(ends - timedelta(microseconds=1)))
    assert await about(registry, client) == {}
    await report(north, asked, at=instant(ends))
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["severity"]) == ("transfer_after_expiry", "to_clarify")
    assert found["times"]["transferred_at"] == found["times"]["expires_at"] == instant(ends)


async def test_sent_before_it_was_asked(registry: Registry) -> None:
    """A later permit does not make an earlier transfer lawful: it is a finding if sent over a minute earlier."""
    north = await office(registry, "north")
    client, asked = await permit(north)
    minute = read(asked["decided_at"]) - timedelta(seconds=60)
    await report(north, asked, at=instant(minute))
    assert await about(registry, client) == {}
    await report(north, asked, at=instant(minute - timedelta(microseconds=1)))
    assert set(await about(registry, client)) == {"transfer_before_permit"}


async def test_sent_after_a_withdrawal(registry: Registry) -> None:
    """A transfer on a permit is a finding if the client withdrew between permit and transfer."""
    north = await office(registry, "north")
    client, asked = await permit(north)
    withdrawn = await north.post("/withdrawals", {"client": client, "channel": "phone"})
    await report(north, asked)
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["severity"]) == ("transfer_after_withdrawal", "urgent")
    assert found["times"]["received_at"] == found["times"]["recorded_at"] == withdrawn["recorded_at"]
    assert (found["categories"], found["surplus"]) == (["identity", "contact"], [])


async def test_sent_between_receipt_and_recording(registry: Registry) -> None:
    """A transfer between the receipt of a withdrawal at another partner and its later recording is a finding, in the
    period of the recording. A transfer before the receipt is not.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    consent = await north.consent(client)
    _, first = await permit(north, client)
    await report(north, first)
    received = datetime.now(UTC)
    _, second = await permit(north, client)
    sent = await report(north, second)
    assert await about(registry, client) == {}
    times = {"declared_at": instant(received), "received_at": instant(received)}
    by_code = {"receipt_code": consent["receipt_code"], "channel": "phone", **times}
    withdrawn = await south.post("/withdrawals", by_code)
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["decision_id"]) == ("transfer_after_withdrawal", second["decision_id"])
    assert found["times"]["received_at"] == instant(received)
    assert found["times"]["recorded_at"] == found["known_at"] == withdrawn["recorded_at"]
    assert found["times"]["transferred_at"] == sent["at"]
    # The report is before this period and the withdrawal is recorded in it; and the other way round.
    later = instant(read(sent["recorded_at"]) + timedelta(microseconds=1))
    assert set(await about(registry, client, begin=later)) == {"transfer_after_withdrawal"}
    assert await about(registry, client, until=later) == {}


@pytest.mark.parametrize("by", ["consent_id", "receipt_code", "grants", "releases"])
async def test_a_withdrawal_from_before_the_consent(fresh_registry: Registry, by: str) -> None:
    """A withdrawal that names a consent takes it back whenever that was given. If it was received before, transfers
    until it was recorded rested on a later yes: they are no finding, what was sent after the recording is.
    """
    awo, diakonie = [await office(fresh_registry, slug, "paderborn") for slug in (AWO, DIAKONIE)]
    client = await awo.client()
    flow = {"recipient": DIAKONIE, "purpose": "psychosocial", "categories": ["identity", "mental-health"]}
    release = {"holder": AWO, "towards": DIAKONIE, "function": "social-counselling"}
    body = consent_body(client, awo.text, sender=AWO, explicit=True, **flow) | {"releases": [release]}
    received = instant(datetime.now(UTC) - timedelta(days=2))
    consent = await awo.post("/consents", body)
    asked = await awo.post("/decisions", flow | {"client": client}, 200)
    await report(awo, asked, categories=flow["categories"])
    target: Body = {"consent_id": consent["consent_id"]}
    if by == "receipt_code":
        target = {"receipt_code": consent["receipt_code"]}
    elif by != "consent_id":
        noun = by.removesuffix("s")
        target |= {by: [consent[by][0][f"{noun}_id"]]}
    await diakonie.post("/withdrawals", target | {"channel": "letter", "received_at": received})
    assert (await awo.post("/decisions", flow | {"client": client}, 200))["permitted_categories"] != flow["categories"]
    dpo = await fresh_registry.dpo(AWO, "paderborn")

    async def found() -> list[str]:
        items = (await look(dpo, kind="transfer_after_withdrawal", limit=200))["items"]
        return [finding["client"] for finding in items if finding["client"] == client]

    assert await found() == []
    await report(awo, asked, categories=flow["categories"])
    assert await found() == [client]


async def test_a_paper_with_a_day_is_judged_by_its_day(registry: Registry) -> None:
    """What was sent on a paper that bears the day of the receipt and no hour was sent after the withdrawal."""
    north = await office(registry, "north")
    noon = (datetime.now(UTC) - timedelta(days=3)).replace(hour=12)
    for precision, kinds in (("day", {"transfer_after_withdrawal"}), ("instant", set())):
        client = await north.client()
        body = consent_body(client, north.text)
        body["act"] |= {"given_at": instant(noon + timedelta(hours=1)), "given_at_precision": precision}
        consent = await north.post("/consents", body)
        _, asked = await permit(north, client)
        await report(north, asked)
        named = {"consent_id": consent["consent_id"], "channel": "phone", "received_at": instant(noon)}
        await north.post("/withdrawals", named)
        assert set(await about(registry, client)) == kinds


async def test_a_release_withdrawn_alone(registry: Registry) -> None:
    """After a secrecy holder's release was withdrawn, a transfer of any category is a finding, the name too. It is in
    the period of the withdrawal, although the report is older.
    """
    awo, diakonie = [await office(registry, slug, "paderborn") for slug in (AWO, DIAKONIE)]
    dpo = await registry.dpo(AWO, "paderborn")
    client = await awo.client()
    flow = {"recipient": DIAKONIE, "purpose": "psychosocial", "categories": ["identity", "mental-health"]}
    release = {"holder": AWO, "towards": DIAKONIE, "function": "social-counselling"}
    consent = consent_body(client, awo.text, sender=AWO, explicit=True, **flow) | {"releases": [release]}
    recorded = await awo.post("/consents", consent)
    received = datetime.now(UTC)
    asked = await awo.post("/decisions", flow | {"client": client}, 200)
    sent = await report(awo, asked, categories=flow["categories"])
    assert (await look(dpo, kind="transfer_after_withdrawal"))["items"] == []
    withdrawal = {"consent_id": recorded["consent_id"], "releases": [recorded["releases"][0]["release_id"]]}
    await diakonie.post("/withdrawals", withdrawal | {"channel": "phone", "received_at": instant(received)})
    begin = instant(read(sent["recorded_at"]) + timedelta(microseconds=1))
    (found,) = (await look(dpo, kind="transfer_after_withdrawal", begin=begin))["items"]
    assert (found["client"], found["categories"]) == (client, ["identity", "mental-health"])
    assert found["times"]["received_at"] == instant(received)


async def test_sent_after_a_grant_was_ended(registry: Registry) -> None:
    """When the recipient closed its case between permit and transfer, a transfer after the ending is a finding, one
    before it is not.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    consent = await north.consent(client)
    _, first = await permit(north, client)
    await report(north, first)
    _, second = await permit(north, client)
    ended = await south.post(f"/consents/{consent['consent_id']}/endings", {"reason": "case_closed"})
    assert await about(registry, client) == {}
    sent = await report(north, second)
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["severity"]) == ("transfer_after_ending", "to_clarify")
    assert (found["decision_id"], found["categories"]) == (second["decision_id"], ["identity", "contact"])
    assert found["times"]["effective_at"] == found["times"]["recorded_at"] == ended["recorded_at"]
    assert found["known_at"] == sent["recorded_at"]
    # A transfer sent before the ending and reported after it is in order.
    await report(north, second, at=second["decided_at"])
    assert len((await look(await registry.dpo("north"), kind="transfer_after_ending", limit=200))["items"]) == 1


async def test_sent_while_a_grant_was_restricted(registry: Registry) -> None:
    """A transfer of restricted categories during a restriction (Art. 18 DSGVO) is a finding; before it, after its
    lifting and of other categories it is not.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    path = f"/consents/{(await north.consent(client))['consent_id']}"
    _, asked = await permit(north, client)
    restricted = await south.post(f"{path}/restrictions", {"categories": ["contact"]})
    await report(north, asked, categories=["identity"])
    await report(north, asked, at=asked["decided_at"])
    assert await about(registry, client) == {}
    await report(north, asked)
    (found,) = (await about(registry, client)).values()
    assert (found["kind"], found["severity"]) == ("transfer_under_restriction", "urgent")
    assert found["categories"] == ["contact"]
    assert found["times"]["effective_at"] == restricted["recorded_at"]
    lifted = await south.post(f"{path}/restriction-liftings", {})
    _, again = await permit(north, client)
    await report(north, again)
    await report(north, asked, at=lifted["recorded_at"])
    found = await look(await registry.dpo("north"), kind="transfer_under_restriction", limit=200)
    assert [finding["decision_id"] for finding in found["items"] if finding["client"] == client] == [
        asked["decision_id"]
    ]


async def test_sent_on_what_was_void(registry: Registry) -> None:
    """When a grant is recorded as void, each earlier transfer on it becomes a finding of that moment, for its sender's
    DPO only, even if a withdrawal had made it a finding before. A transfer that rests on another consent does not.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client, other_client = await north.client(), await north.client()
    consent = await north.consent(client)
    beside = await north.consent(other_client)
    await north.consent(other_client, categories=["identity"])
    _, asked = await permit(north, client)
    sent = await report(north, asked)
    _, twice = await permit(north, other_client)
    await report(north, twice)
    await north.post("/withdrawals", {"client": client, "channel": "phone"})
    late = await report(north, asked)
    assert set(await about(registry, client)) == {"transfer_after_withdrawal"}
    assert await about(registry, other_client) == {}
    void = await north.post(f"/consents/{consent['consent_id']}/invalidations", {"reason": "capacity"})
    half = await north.post(f"/consents/{beside['consent_id']}/invalidations", {"reason": "form"})
    dpo = await registry.dpo("north")
    found = (await look(dpo, kind="transfer_on_void_grant", limit=200))["items"]
    mine = [finding for finding in found if finding["client"] == client]
    assert {finding["finding_id"] for finding in mine} == {
        f"transfer_on_void_grant:{transfer['transfer_id']}" for transfer in (sent, late)
    }
    for finding in mine:
        assert (finding["severity"], finding["categories"]) == ("urgent", ["identity", "contact"])
        assert finding["known_at"] == finding["times"]["recorded_at"] == void["recorded_at"]
        assert finding["times"]["effective_at"] == consent["given_at"]
    (carried,) = [finding for finding in found if finding["client"] == other_client]
    assert (carried["categories"], carried["known_at"]) == (["contact"], half["recorded_at"])
    assert set(await about(registry, client)) == {"transfer_after_withdrawal", "transfer_on_void_grant"}
    # The reports are before this period and the invalidation is recorded in it; and the other way round.
    later = instant(read(late["recorded_at"]) + timedelta(microseconds=1))
    assert set(await about(registry, client, begin=later)) == {"transfer_on_void_grant"}
    assert set(await about(registry, client, until=later)) == {"transfer_after_withdrawal"}
    for partner in ("south", "east"):
        foreign = await look(await registry.dpo(partner), kind="transfer_on_void_grant", limit=200)
        assert foreign["items"] == []
    assert (await south.get(f"/consents/{consent['consent_id']}"))["grants"][0]["use_ban"] is True


async def test_voidings_that_nobody_reads_are_missed(registry: Registry) -> None:
    """Control: only by the invalidations of a period are transfers sent before it read; among its own they are not."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    _, asked = await permit(north, client)
    sent = await report(north, asked)
    await north.post(f"/consents/{consent['consent_id']}/invalidations", {"reason": "form"})
    later = instant(read(sent["recorded_at"]) + timedelta(microseconds=1))
    assert set(await about(registry, client, begin=later)) == {"transfer_on_void_grant"}
    period = (NUMBER, PARTNERS["north"], read(later), datetime.now(UTC))
    async with registry.sql() as sql:
        own, before = [{row.transfer_id for row in await rows(sql, period)} for rows in (sent_in, sent_before)]
    assert sent["transfer_id"] in before - own


async def test_a_withdrawal_of_something_else_is_no_finding(registry: Registry) -> None:
    """Control: a withdrawal of another category or another consent gives no finding."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    housing = await north.consent(client, purpose="housing")
    _, asked = await permit(north, client, categories=["identity"])
    await north.post(
        "/withdrawals", {"consent_id": consent["consent_id"], "categories": ["contact"], "channel": "phone"}
    )
    await north.post("/withdrawals", {"consent_id": housing["consent_id"], "channel": "phone"})
    await report(north, asked, categories=["identity"])
    assert await about(registry, client) == {}
    await north.post(
        "/withdrawals", {"consent_id": consent["consent_id"], "categories": ["identity"], "channel": "phone"}
    )
    await report(north, asked, categories=["identity"])
    assert set(await about(registry, client)) == {"transfer_after_withdrawal"}


async def test_what_rests_on_a_statute_is_not_judged(registry: Registry) -> None:
    """A transfer that rests on a statute, of the agreement or of the sender, is not a finding."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await north.client(), await south.client()
    claimed = await north.post("/decisions", question(client, basis="statute", norm="§ 69 SGB X"), 200)
    listed = await south.post(
        "/decisions", question(theirs, recipient="east", purpose="housing", categories=["identity", "debts"]), 200
    )
    assert claimed["outcome"] == listed["outcome"] == "not_consent_based"
    await report(north, claimed, categories=["identity", "health"])
    await report(south, listed, categories=["identity"])
    assert await about(registry, client) == {}
    assert await about(registry, theirs, "south") == {}


async def test_permits_never_reported(registry: Registry) -> None:
    """A permit without a report is a finding after the days allowed, also a partial one, but never a refusal."""
    north = await office(registry, "north")
    client, asked = await permit(north, categories=["identity", "health"])
    await north.outcome(client, purpose="housing")
    assert await about(registry, client) == {}
    assert await about(registry, client, report_days=1) == {}
    found = (await about(registry, client, report_days=0))["permit_unreported"]
    assert (found["decision_id"], found["severity"]) == (asked["decision_id"], "overdue")
    assert found["categories"] == ["identity"]
    assert found["times"] == {"decided_at": asked["decided_at"], "due_at": asked["decided_at"]}
    await report(north, asked, outcome="failed", categories=[])
    assert await about(registry, client, report_days=0) == {}


async def test_permits_on_a_link_that_was_undone(registry: Registry) -> None:
    """A permit for south on north's consent, from before an undone link, is a finding for south's DPO only."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await north.client(), await south.client()
    code = (await north.post("/link-codes", {"client": client}))["link_code"]
    await south.post("/clients", {"reference": theirs, "link_code": code}, 200)
    back = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
    consent = await north.consent(client, back)
    await south.post(f"/consents/{consent['consent_id']}/confirmations", {})
    to_north = {"client": theirs, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    asked = await south.post("/decisions", to_north, 200)
    await report(south, asked, categories=["identity"])
    assert await about(registry, theirs, "south") == {}
    undone = await south.post("/unlinkings", {"client": theirs})
    (found,) = (await about(registry, theirs, "south")).values()
    assert (found["kind"], found["decision_id"]) == ("permit_on_undone_link", asked["decision_id"])
    assert (found["known_at"], found["times"]["unlinked_at"]) == (undone["recorded_at"], undone["recorded_at"])
    assert await about(registry, client) == {}


async def test_a_permit_on_two_links_is_found_for_each(registry: Registry) -> None:
    """A permit on two links that were both undone gives two findings. Their ids are the same in every call, and the
    first keeps its id when the second is added.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    first, client, second = await south.client(), await north.client(), await south.client()
    for giver, given, taker, taken in ((south, first, north, client), (north, client, south, second)):
        code = (await giver.post("/link-codes", {"client": given}))["link_code"]
        await taker.post("/clients", {"reference": taken, "link_code": code}, 200)
    for theirs, category in ((first, "identity"), (second, "contact")):
        consent = await south.consent(theirs, categories=[category])
        await north.post(f"/consents/{consent['consent_id']}/confirmations", {})
    _, asked = await permit(north, client)
    assert asked["outcome"] == "permit"
    ids: list[str] = []
    for theirs in (first, second):
        await south.post("/unlinkings", {"client": theirs})
        found = (await look(await registry.dpo("north"), kind="permit_on_undone_link", limit=200))["items"]
        told = [finding["finding_id"] for finding in reversed(found) if finding["decision_id"] == asked["decision_id"]]
        assert told[:-1] == ids
        ids = told
    assert len(set(ids)) == 2


async def test_a_withdrawal_under_another_name_is_found(registry: Registry) -> None:
    """North records, under its own reference, a withdrawal received before south's transfer about the linked client:
    south's DPO finds the transfer, even if the link was undone meanwhile.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await north.client(), await south.client()
    code = (await north.post("/link-codes", {"client": client}))["link_code"]
    await south.post("/clients", {"reference": theirs, "link_code": code}, 200)
    back = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
    consent = await north.consent(client, back)
    await south.post(f"/consents/{consent['consent_id']}/confirmations", {})
    received = datetime.now(UTC)
    to_north = {"client": theirs, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    sent = await report(south, await south.post("/decisions", to_north, 200), categories=["identity"])
    await south.post("/unlinkings", {"client": theirs})
    body = {"consent_id": consent["consent_id"], "channel": "letter", "received_at": instant(received)}
    await north.post("/withdrawals", body)
    begin = instant(read(sent["recorded_at"]) + timedelta(microseconds=1))
    assert "transfer_after_withdrawal" in await about(registry, theirs, "south", begin=begin)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lenient(installation: Installation) -> AsyncIterator[Registry]:
    """A registry whose small network allows evidence to follow later."""
    async with installation.copy() as database:
        await let_evidence_follow(installation.dsn(database, "postgres"))
        async with serving(installation, database) as registry:
            yield registry


async def test_evidence_that_has_not_followed(lenient: Registry) -> None:
    """A consent without evidence after the days allowed is a finding for its recorder's DPO, until it has evidence."""
    north = await office(lenient, "north")
    client = await north.client()
    body = consent_body(client, north.text)
    body["act"]["evidence"] = None
    consent = await north.post("/consents", body)
    assert await about(lenient, client) == {}
    (found,) = (await about(lenient, client, evidence_days=0)).values()
    assert (found["kind"], found["consent_id"]) == ("evidence_missing", consent["consent_id"])
    assert (found["decision_id"], found["log_index"], found["severity"]) == (None, None, "overdue")
    assert (await look(await lenient.dpo("south"), evidence_days=0))["items"] == []
    evidence = {"sha256": "cd" * 32, "media_type": "application/pdf", "kept_at": "File 2"}
    await north.post(f"/consents/{consent['consent_id']}/evidence", evidence)
    assert await about(lenient, client, evidence_days=0) == {}


async def test_somebody_goes_through_a_list(fresh_registry: Registry) -> None:
    """Refusals for many persons within an hour, known and unknown, are a finding with the numbers; repeated questions
    about one person count once.
    """
    north = await office(fresh_registry, "north")
    dpo = await fresh_registry.dpo("north")
    known = await north.client()
    for _ in range(5):
        await north.outcome(known)
    for number in range(3):
        await north.outcome(f"made-up-{number}")
    assert (await look(dpo, kind="lookups_refused", refused_references=5))["items"] == []
    (found,) = (await look(dpo, kind="lookups_refused", refused_references=4))["items"]
    assert found["numbers"] == {"references": 4, "unregistered": 3, "limit": 4, "minutes": 60}
    assert (found["client"], found["severity"], found["categories"]) == (None, "to_clarify", [])
    assert (await look(dpo, kind="lookups_refused"))["items"] == []


async def test_asked_often_and_nothing_sent(fresh_registry: Registry) -> None:
    """Many questions about one client within a day without a transfer are a finding; one transfer prevents it."""
    north = await office(fresh_registry, "north")
    client, first = await permit(north)
    for _ in range(3):
        _, last = await permit(north, client)
    await report(north, first, outcome="not_sent", categories=[])
    kind = "lookups_without_transfer"
    (found,) = (await about(fresh_registry, client, kind=kind, questions_without_transfer=4)).values()
    assert found["numbers"] == {"questions": 4, "limit": 4, "minutes": 24 * 60}
    assert found["times"] == {"begun_at": first["decided_at"], "ended_at": last["decided_at"]}
    assert found["decision_id"] == last["decision_id"]
    assert await about(fresh_registry, client, kind=kind, questions_without_transfer=5) == {}
    await report(north, last)
    assert await about(fresh_registry, client, kind=kind, questions_without_transfer=4) == {}


async def test_guessing_at_codes(fresh_registry: Registry) -> None:
    """As many wrong codes within an hour as make a partner wait are a finding; one fewer is not."""
    north, dpo = await office(fresh_registry, "north"), await fresh_registry.dpo("north")
    for number in range(5):
        assert (await look(dpo, kind="link_codes_guessed"))["items"] == []
        await north.post("/clients", {"reference": f"N-{number}", "link_code": "0000-0000-0000"}, 422)
    (found,) = (await look(dpo, kind="link_codes_guessed"))["items"]
    assert found["numbers"] == {"failures": 5, "limit": 5, "minutes": 60}
    assert (found["decision_id"], found["log_index"]) == (None, None)
    for _ in range(20):
        assert (await look(dpo, kind="receipt_codes_guessed"))["items"] == []
        await north.post("/withdrawals", {"receipt_code": "0000-0000-0000", "channel": "phone"}, 404)
    assert len((await look(dpo, kind="receipt_codes_guessed"))["items"]) == 1


async def test_each_dpo_has_her_own_slice(fresh_registry: Registry) -> None:
    """North's findings are shown to north's DPO only, not to the recipient's, a third partner's or another network's
    DPO, nor to the administration.
    """
    north = await office(fresh_registry, "north")
    client, asked = await permit(north)
    await permit(north, client)
    await north.post("/withdrawals", {"client": client, "channel": "phone"})
    await report(north, asked, categories=["identity", "health"])
    limits = {"report_days": 0, "refused_references": 1, "questions_without_transfer": 1}
    kinds = {finding["kind"] for finding in (await look(await fresh_registry.dpo("north"), **limits))["items"]}
    assert kinds == {"transfer_after_withdrawal", "transfer_broader", "permit_unreported"}
    admin = await fresh_registry.partner("admin")
    others = [await fresh_registry.dpo(slug) for slug in ("south", "east")]
    others.append(await fresh_registry.dpo("awo-paderborn", "paderborn"))
    for caller in (*others, admin):
        found = await look(caller, **limits)
        assert [finding for finding in found["items"] if finding["kind"] in kinds] == []
    assert (await look(admin, **limits))["checked"]["partner"] is None
    assert (await north.partner.get("/findings")).status_code == 403


async def test_an_erased_client_leaves_no_finding(fresh_registry: Registry, tmp_path: Path) -> None:
    """An erasure removes all findings about the client; those about other clients stay."""
    north, dpo = await office(fresh_registry, "north"), await fresh_registry.dpo("north")
    client, asked = await permit(north)
    other_client, kept = await permit(north)
    for decision in (asked, kept):
        await report(north, decision, categories=["identity", "debts"])
    limits = {"report_days": 0, "questions_without_transfer": 1, "refused_references": 1, "limit": 200}
    await permit(north, client)
    before = (await look(dpo, **limits))["items"]
    assert {finding["client"] for finding in before} == {client, other_client}
    async with erasing(fresh_registry, tmp_path / "ledger") as eraser:
        await erase(eraser, by_north(client))
    after = (await look(dpo, **limits))["items"]
    assert [finding["finding_id"] for finding in after] == [
        finding["finding_id"] for finding in before if finding["client"] == other_client
    ]
    assert after


async def test_pages_hold_together(fresh_registry: Registry) -> None:
    """The most severe findings come first, then the newest. Pages continue without gaps in the same period, whatever is
    recorded meanwhile, and a cursor is valid for its own filter only.
    """
    north, dpo = await office(fresh_registry, "north"), await fresh_registry.dpo("north")
    client, asked = await permit(north)
    for _ in range(3):
        await report(north, asked, categories=["identity", "debts"])
        await permit(north, client)
        await report(north, asked, at=instant(read(asked["decided_at"]) - timedelta(minutes=3)))
    everything = await look(dpo, report_days=0)
    kinds = [finding["kind"] for finding in everything["items"]]
    assert kinds == ["transfer_broader"] * 3 + ["permit_unreported"] * 3 + ["transfer_before_permit"] * 3
    for kind in set(kinds):
        times = [finding["known_at"] for finding in everything["items"] if finding["kind"] == kind]
        assert times == sorted(times, reverse=True)
    shown, cursor = [], None
    while True:
        page = await look(dpo, report_days=0, limit=2, **({} if cursor is None else {"cursor": cursor}))
        shown += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
        if len(shown) == 2:
            first = page
        await report(north, asked, categories=["identity", "debts"])
    assert shown == everything["items"]
    assert page["checked"]["from"] == first["checked"]["from"]
    assert page["checked"]["until"] == first["checked"]["until"]
    for changed in ({}, {"report_days": 1}, {"report_days": 0, "kind": "transfer_broader"}):
        refused = await dpo.get(f"/findings?{urlencode({**changed, 'cursor': first['next']})}")
        assert refused.status_code == 400, refused.text
    south = await fresh_registry.dpo("south")
    assert (await south.get(f"/findings?report_days=0&cursor={first['next']}")).status_code == 400


async def test_one_kind_is_asked_for(registry: Registry) -> None:
    """Only the kind asked for is checked, and the answer lists it alone."""
    found = await look(await registry.dpo("north"), kind="transfer_broader")
    assert [check["kind"] for check in found["checked"]["checks"]] == ["transfer_broader"]
    assert {finding["kind"] for finding in found["items"]} <= {"transfer_broader"}
    assert found["checked"]["checks"][0]["count"] == len(found["items"])


async def test_the_period_is_what_was_asked_and_no_more(registry: Registry) -> None:
    """The period is thirty days by default; an end in the future counts as now."""
    dpo = await registry.dpo("north")
    checked = (await look(dpo))["checked"]
    assert read(checked["until"]) - read(checked["from"]) == timedelta(days=30)
    assert checked["until"] <= checked["at"]
    begin = instant(datetime.now(UTC) - timedelta(days=365))
    checked = (await look(dpo, begin=begin, until="2999-01-01T00:00:00.000000Z"))["checked"]
    assert checked["from"] == begin
    assert checked["until"] <= checked["at"]
    old = await look(dpo, begin="1950-01-01T00:00:00.000000Z", until="1950-12-31T00:00:00.000000Z")
    assert old["items"] == []


async def test_what_is_recorded_meanwhile_lies_in_the_next_period(fresh_registry: Registry) -> None:
    """While a command runs, no period ends after its beginning. So what it records is found in the next period, and in
    no period twice.
    """
    north, dpo = await office(fresh_registry, "north"), await fresh_registry.dpo("north")
    _, asked = await permit(north)
    sent = await report(north, asked, categories=["identity", "debts"])
    fresh_registry.planted.add("small")
    async with fresh_registry.sql("app") as connection:
        await connection.execute(begin_sql(NUMBER, [PARTNERS["north"]], hold_catalogue=True))
        began = await connection.fetchval("select now()")
        # Moved into the running act: recorded in it, and seen by nobody yet.
        row = await connection.fetchrow("select * from registry.transfers where transfer_id = $1", sent["transfer_id"])
        assert row is not None
        at = await connection.fetchval("select statement_timestamp()")
        values = [*row.values()][:-1]
        values[1] = new_id(at)
        await connection.execute(
            "insert into registry.transfers values ($1, $2, $3, $4, $5, $6, $7, $8, $9)", *values, at
        )
        await asyncio.sleep(0.05)
        first = await look(dpo, kind="transfer_broader")
        assert read(first["checked"]["until"]) == began
        await connection.execute("commit")
    later = await look(dpo, kind="transfer_broader", begin=first["checked"]["until"])
    ids = [finding["finding_id"] for finding in (*later["items"], *first["items"])]
    assert ids == [f"transfer_broader:{values[1]}", f"transfer_broader:{sent['transfer_id']}"]


async def test_looking_holds_nobody_up(fresh_registry: Registry) -> None:
    """While findings are judged, which may take long, the catalogue lock is not held: the administration can suspend a
    partner, and decisions go on.
    """
    dpo = await fresh_registry.dpo("north")
    async with fresh_registry.sql() as sql:
        await sql.execute("begin; lock table registry.transfers in access exclusive mode")
        looking = asyncio.create_task(dpo.get("/findings"))
        waiting = None
        while waiting is None:
            await asyncio.sleep(0.01)
            waiting = await sql.fetchval("select pid from pg_locks where not granted and locktype = 'relation'")
        held = await sql.fetchval("select count(*) from pg_locks where pid = $1 and locktype = 'advisory'", waiting)
        await sql.execute("rollback")
    assert held == 0
    assert (await looking).status_code == 200


BAD = {
    "kind": ["", "nothing", "transfer", "TRANSFER_BROADER"],
    "from": ["", "yesterday", "2999-01-01T00:00:00.000000Z", "2026-02-30T00:00:00.000000Z"],
    "until": ["", "2026-11-20", "0001-01-01T00:00:00.000000Z"],
    "report_days": ["", "-1", "366", "1.5", "14 ", "x"],
    "evidence_days": ["-1", "366", "99999"],
    "refused_references": ["0", "10000", "ten"],
    "questions_without_transfer": ["0", "10000", ""],
    "limit": ["0", "201", "", "x"],
    "cursor": ["", "x", "AAAA", "%"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
async def test_bad_parameters_are_named(registry: Registry, name: str, value: str) -> None:
    """400 that names the parameter, and nothing was logged as shown."""
    dpo = await registry.dpo("north")
    answer = await dpo.get(f"/findings?{urlencode({name: value})}")
    assert answer.status_code == 400, answer.text
    (fault,) = answer.json()["errors"]
    assert name.partition("_")[0] in fault["detail"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("form=2026-11-20T09:30:00.000000Z", "form"),
        ("begin=2026-11-20T09:30:00.000000Z", "begin"),
        ("Kind=transfer_broader", "Kind"),
        ("kind=transfer_broader&kind=permit_unreported", "kind"),
        ("from=2026-11-20T09:30:00.000000Z&from=2026-11-20T09:30:00.000000Z", "from"),
        ("limit=5&limit=5", "limit"),
        ("cursor", "cursor"),
        ("%00=1", "\\x00"),
    ],
)
async def test_what_was_meant_and_not_said(registry: Registry, query: str, name: str) -> None:
    """An unknown or repeated parameter is refused by name: after a mistyped period, or two kinds, an empty list would
    mislead.
    """
    answer = await (await registry.dpo("north")).get(f"/findings?{query}")
    assert answer.status_code == 400, answer.text
    (fault,) = answer.json()["errors"]
    assert name in fault["detail"]


@pytest.mark.parametrize(
    "text", ["2026-1-2T3:4:5.1Z", "2026-11-20T09:30:00.1234567Z", "\u0662026-11-20T09:30:00.000000Z"]
)
async def test_an_instant_has_all_its_digits(registry: Registry, text: str) -> None:
    """As everywhere on the wire: four and two digits, at most six decimals, and no other digits than 0 to 9."""
    answer = await (await registry.dpo("north")).get(f"/findings?{urlencode({'from': text})}")
    assert (answer.status_code, answer.json()["errors"][0]["detail"][:4]) == (400, "from")


async def test_periods_that_are_none(registry: Registry) -> None:
    """An end before its begin, and more than 366 days at once, are refused."""
    dpo = await registry.dpo("north")
    at = datetime.now(UTC) - timedelta(days=500)
    for begin, until in ((at, at), (at, at - timedelta(microseconds=1)), (at, at + timedelta(days=366, seconds=1))):
        answer = await dpo.get(f"/findings?{urlencode({'from': instant(begin), 'until': instant(until)})}")
        assert answer.status_code == 400, answer.text


async def test_each_look_is_on_record(fresh_registry: Registry) -> None:
    """One `read` event a call, with count and digest of what was shown, by the DPO's own partner, about nobody."""
    north, dpo = await office(fresh_registry, "north"), await fresh_registry.dpo("north")
    _, asked = await permit(north)
    sent = await report(north, asked, categories=["debts"])
    found = await look(dpo)
    *_, event = await check_log(fresh_registry)
    assert (event["kind"], event["what"], event["count"]) == ("read", "findings", len(found["items"]))
    assert (event["actor"], event["client"]) == ("north", None)
    shown = hashlib.sha256(f"transfer_broader:{sent['transfer_id']}\n".encode()).hexdigest()
    assert ([finding["kind"] for finding in found["items"]], event["digest"]) == (["transfer_broader"], shown)
