"""A client loses the receipt code and gets a new one from the partner that recorded the consent."""

import asyncio
import uuid
from functools import partial

import pytest

from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.clients.code_attempts import CodeKind, count_failures
from consent_registry.storage.database.database import Connection
from tests.support.installation import Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import Office, office

BACK = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
AT_ONCE = 8


async def test_a_new_code_kills_the_old_one(registry: Registry) -> None:
    """Once a new code is issued only it can withdraw. Each issue is an event, and the log holds no code."""
    north, east = await office(registry, "north"), await office(registry, "east")
    client = await north.client()
    consent = await north.consent(client)
    path = f"/consents/{consent['consent_id']}/receipt-codes"
    codes = [consent["receipt_code"], *[(await north.post(path, {}))["receipt_code"] for _ in range(2)]]
    assert len(set(codes)) == 3
    for dead in codes[:2]:
        await east.post("/withdrawals", {"receipt_code": dead, "channel": "phone"}, 404)
    assert await north.outcome(client) == "permit"
    withdrawn = await east.post("/withdrawals", {"receipt_code": codes[2], "channel": "phone"})
    assert withdrawn["withdrawn"] == [consent["grants"][0]["grant_id"]]
    assert await north.outcome(client) == "no_permission"
    events = await check_log(registry)
    issues = [
        event for event in events if event["kind"] == "receipt_code" and event["consent"] == consent["consent_id"]
    ]
    assert [(event["actor"], event["issue"]) for event in issues] == [("north", 2), ("north", 3)]
    assert not any(code in str(events) for code in codes)


async def test_only_who_recorded_the_consent_gets_one(registry: Registry) -> None:
    """A recipient is refused by rule. A partner that may not see the consent gets a 404, as for an unknown consent."""
    north, south, east = [await office(registry, slug) for slug in ("north", "south", "east")]
    client = await north.client()
    given, refused = await north.consent(client), await north.consent(client, answer="refused")
    answer = await south.post(f"/consents/{given['consent_id']}/receipt-codes", {}, 422)
    assert answer["errors"][0]["rule"] == "who_may_reissue"
    for who, consent_id in ((east, given["consent_id"]), (south, refused["consent_id"]), (south, str(uuid.uuid4()))):
        await who.post(f"/consents/{consent_id}/receipt-codes", {}, 404)
    await east.post("/withdrawals", {"receipt_code": given["receipt_code"], "channel": "phone"})
    await check_log(registry)


async def test_the_same_code_comes_back_for_its_key(registry: Registry) -> None:
    """A request repeated with its Idempotency-Key gets the same code, and that code still works."""
    north = await office(registry, "north")
    consent = await north.consent(await north.client())
    path, key = f"/consents/{consent['consent_id']}/receipt-codes", uuid.uuid4().hex
    answers = [await north.partner.post(path, {}, Idempotency_Key=key) for _ in range(2)]
    assert answers[0].content == answers[1].content
    code = answers[1].json()["receipt_code"]
    await north.post("/withdrawals", {"receipt_code": code, "channel": "phone"})


async def test_whoever_has_no_part_is_told_only_what_it_did(registry: Registry) -> None:
    """East withdraws one of several consents by its code, alone or with its flow. East's answer names no grant of
    another consent. North takes part in all, and its answer names the other consents' grants.
    """
    north, east = await office(registry, "north"), await office(registry, "east")
    client = await north.client()
    first, second, third = [await north.consent(client) for _ in range(3)]
    grants = [consent["grants"][0]["grant_id"] for consent in (first, second, third)]
    alone = {"channel": "phone", "only_this_consent": True}
    answer = await east.post("/withdrawals", {"receipt_code": first["receipt_code"]} | alone)
    assert (answer["withdrawn"], answer["still_given"]) == (grants[:1], [])
    answer = await north.post("/withdrawals", {"receipt_code": second["receipt_code"]} | alone)
    assert (answer["withdrawn"], answer["still_given"]) == (grants[1:2], grants[2:])
    fourth = await north.consent(client)
    answer = await east.post("/withdrawals", {"receipt_code": third["receipt_code"], "channel": "phone"})
    assert (answer["withdrawn"], answer["still_given"]) == (grants[2:], [])
    assert (await north.get(f"/consents/{fourth['consent_id']}"))["status"] == "withdrawn"
    await check_log(registry)


async def guesses(at: Office, kind: str, number: int) -> list[int]:
    """Try this many wrong codes at once. Returns the statuses, sorted."""
    tried = [
        at.partner.post("/clients", {"reference": f"L-{uuid.uuid4()}", "link_code": "0000-0000-0000"})
        if kind == "link_code"
        else at.partner.post("/withdrawals", {"receipt_code": "0000-0000-0000", "channel": "phone"})
        for _ in range(number)
    ]
    return sorted(answer.status_code for answer in await asyncio.gather(*tried))


@pytest.mark.parametrize(("kind", "wrong", "limit"), [("link_code", 422, 5), ("receipt_code", 404, 20)])
async def test_guessing_at_once_is_no_way_around_the_count(
    fresh_registry: Registry, kind: str, wrong: int, limit: int
) -> None:
    """Wrong codes sent in parallel are limited like wrong codes sent one after the other."""
    south = await office(fresh_registry, "south")
    assert await guesses(south, kind, limit + AT_ONCE) == sorted([wrong] * limit + [429] * AT_ONCE)


async def test_counting_without_a_lock_is_seen(installation: Installation) -> None:
    """Control: if attempts do not wait for each other, parallel ones read the same count and exceed the limit."""

    async def no_lock(*_: object) -> None:
        """Take no lock."""

    async def slow_count(connection: Connection, network_id: int, partner_id: int, kind: CodeKind) -> int:
        """Count, then pause, so that parallel attempts read the same count."""
        number = await count_failures(connection, network_id, partner_id, kind)
        await asyncio.sleep(0.3)
        return number

    make_runtime = partial(Runtime, steps=Steps(lock_attempts=no_lock, count_failures=slow_count))
    async with fresh(installation, make_runtime=make_runtime) as registry:
        south = await office(registry, "south")
        assert (await guesses(south, "link_code", 5 + AT_ONCE)).count(422) > 5
