"""A client takes a link code to another office: the offices' references mean one client, until one is unlinked."""

import uuid
from typing import Any

import pytest

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Office, office, told
from tests.support.small_network import question

BACK = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
TO_NORTH = {"recipient": "north", "categories": ["identity"]}


async def code_of(at: Office, client: str, **members: str) -> str:
    """Let an office issue a link code for its client."""
    return str((await at.post("/link-codes", {"client": client} | members))["link_code"])


async def redeem(at: Office, code: str, reference: str | None = None, status: int = 201) -> str:
    """Redeem a link code for a reference, by default a new one."""
    reference = reference or f"L-{uuid.uuid4()}"
    said = await at.post("/clients", {"reference": reference, "link_code": code}, status)
    assert (said["reference"], said["linked"]) == (reference, True)
    return reference


async def is_linked(at: Office, client: str) -> bool:
    """Ask whether this office redeemed a code with this reference and has not unlinked it since."""
    return bool((await at.post("/clients", {"reference": client}, 200))["linked"])


async def consents_of(at: Office, client: str) -> list[tuple[str, str]]:
    """Return the consents that an office finds by its reference, each with the reference under which it is shown."""
    found = await at.post("/consents/search", {"client": client}, 200)
    return [(item["consent_id"], item["client"]) for item in found["items"]]


async def test_a_code_carries_a_consent_to_another_office_and_unlinking_takes_it_back(registry: Registry) -> None:
    """North records that south may answer. South may, under its own new reference, once it redeems the client's code,
    and no longer after it unlinks. North's other records stay.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    consent = await north.consent(client, BACK)
    await south.post(f"/consents/{consent['consent_id']}/confirmations", {})
    assert not await is_linked(north, client)
    code = await code_of(north, client)
    its_own = await redeem(south, code)
    assert not await is_linked(north, client)
    assert await is_linked(south, its_own)
    assert await south.outcome(its_own, **TO_NORTH) == "permit"
    assert await consents_of(south, its_own) == [(consent["consent_id"], its_own)]
    assert await consents_of(north, client) == [(consent["consent_id"], client)]
    unlinked = await south.post("/unlinkings", {"client": its_own})
    assert (unlinked["client"], set(unlinked)) == (its_own, {"unlinking_id", "client", "recorded_at", "log"})
    assert not await is_linked(north, client)
    assert not await is_linked(south, its_own)
    assert await south.outcome(its_own, **TO_NORTH) == "no_permission"
    assert await consents_of(south, its_own) == []
    assert (await south.get(f"/consents/{consent['consent_id']}"))["client"] is None
    assert await north.outcome(client) == "permit"
    await south.post("/unlinkings", {"client": its_own})
    await north.post("/unlinkings", {"client": await north.client()})
    await check_log(registry)


async def test_a_link_gives_nobody_sight_of_what_it_has_no_part_in(registry: Registry) -> None:
    """East is linked to north's client and still sees nothing of north's consent with south, and may send nothing by
    it.
    """
    north, east = await office(registry, "north"), await office(registry, "east")
    client = await north.client()
    consent = await north.consent(client)
    its_own = await redeem(east, await code_of(north, client))
    assert await consents_of(east, its_own) == []
    await east.get(f"/consents/{consent['consent_id']}", 404)
    asked = question(its_own, recipient="north", categories=["identity"])
    assert (await east.post("/decisions", asked, 200))["outcome"] == "no_permission"
    withdrawn = await east.post("/withdrawals", {"client": its_own, "channel": "phone"})
    assert (withdrawn["withdrawn"], withdrawn["still_given"]) == ([], [])
    assert await north.outcome(client) == "permit"
    await check_log(registry)


async def test_two_clients_become_one_and_both_consents_hold(registry: Registry) -> None:
    """After two registered clients are linked, either reference permits what either consent gives, a withdrawal by
    client covers both, and each consent keeps its recorder's reference.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await north.client(), await south.client()
    at_north = await north.consent(client)
    at_south = await south.consent(theirs, **BACK)
    to_north = {"client": theirs, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    batch = {"decisions": [to_north, to_north]}
    decisions = (await south.post("/decisions/batch", batch, 200))["decisions"]
    assert [decision["outcome"] for decision in decisions] == ["permit", "permit"]
    await redeem(south, await code_of(north, client, partner="south"), theirs, 200)
    both = [at_south["consent_id"], at_north["consent_id"]]
    assert await consents_of(north, client) == [(consent_id, client) for consent_id in both]
    assert await consents_of(south, theirs) == [(consent_id, theirs) for consent_id in both]
    assert (await north.get(f"/consents/{at_south['consent_id']}"))["client"] == client
    withdrawn = await south.post("/withdrawals", {"client": theirs, "channel": "in_person"})
    assert sorted(withdrawn["withdrawn"]) == sorted(
        consent["grants"][0]["grant_id"] for consent in (at_north, at_south)
    )
    assert await north.outcome(client) == "no_permission"
    assert await south.outcome(theirs, **TO_NORTH) == "no_permission"
    async with registry.sql() as connection:
        for consent in (at_north, at_south):
            homes = await connection.fetch(
                """
                select c.client_id, g.client_id as of_change, x.client_id as of_feed
                from registry.consents c join registry.grants using (network_id, consent_id)
                join registry.grant_changes g using (network_id, grant_id)
                join registry.changes x using (network_id, consent_id) where consent_id = $1
                """,
                consent["consent_id"],
            )
            assert homes
            assert all(row["client_id"] == row["of_change"] == row["of_feed"] for row in homes)
    await check_log(registry)


async def test_what_was_recorded_under_a_reference_follows_it_out(registry: Registry) -> None:
    """After unlinking, south's consent stays with south's reference and north's with north's; later records are
    separate.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await north.client(), await south.client()
    at_north = await north.consent(client)
    await redeem(south, await code_of(north, client), theirs, 200)
    at_south = await south.consent(theirs, **BACK)
    assert len(await consents_of(north, client)) == 2
    await south.post("/unlinkings", {"client": theirs})
    assert await consents_of(north, client) == [(at_north["consent_id"], client)]
    assert await consents_of(south, theirs) == [(at_south["consent_id"], theirs)]
    assert await north.outcome(client) == "permit"
    assert await south.outcome(theirs, **TO_NORTH) == "permit"
    assert (await north.get(f"/consents/{at_south['consent_id']}"))["client"] is None
    await check_log(registry)


async def test_in_a_chain_the_middle_may_leave(registry: Registry) -> None:
    """North is linked with south, and south with east. South unlinks, and north and east still mean one client."""
    north, south, east = [await office(registry, slug) for slug in ("north", "south", "east")]
    client = await north.client()
    consent = await east.consent(at_east := await east.client(), **TO_NORTH, sender="east")
    at_south = await redeem(south, await code_of(north, client))
    await redeem(east, await code_of(south, at_south), at_east, 200)
    assert await consents_of(north, client) == [(consent["consent_id"], client)]
    assert await consents_of(south, at_south) == []
    await south.post("/unlinkings", {"client": at_south})
    linked = [await is_linked(*by) for by in ((north, client), (south, at_south), (east, at_east))]
    assert linked == [False, False, True]
    assert await consents_of(north, client) == [(consent["consent_id"], client)]
    # A partner that unlinked can link again, by a code of any partner in the group.
    await redeem(south, await code_of(east, at_east), at_south, 200)
    assert await is_linked(south, at_south)
    await north.post("/unlinkings", {"client": client})
    linked = [await is_linked(*by) for by in ((north, client), (south, at_south), (east, at_east))]
    assert linked == [False, True, True]
    await check_log(registry)


async def test_one_office_may_have_two_references_of_one_client(registry: Registry) -> None:
    """Two references of one office can mean one client; each consent is shown under the reference it belongs to."""
    north, south = await office(registry, "north"), await office(registry, "south")
    first, second = await north.client(), await north.client()
    in_first, in_second = await north.consent(first), await north.consent(second, purpose="housing")
    its_own = await redeem(south, await code_of(north, first))
    await redeem(north, await code_of(south, its_own), second, 200)
    named = [(in_second["consent_id"], second), (in_first["consent_id"], first)]
    assert await consents_of(north, first) == await consents_of(north, second) == named
    assert await north.outcome(second) == await north.outcome(first, purpose="housing") == "permit"
    await south.post("/unlinkings", {"client": its_own})
    assert not await is_linked(north, first)
    assert await is_linked(north, second)
    await check_log(registry)


async def test_a_code_that_links_what_is_linked_changes_nothing(registry: Registry) -> None:
    """Redeeming a code between references that are linked already succeeds and uses the code up."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    its_own = await redeem(south, await code_of(north, client))
    again = await code_of(north, client)
    await redeem(south, again, its_own, 200)
    await south.post("/clients", {"reference": its_own, "link_code": again}, 422)
    assert await is_linked(south, its_own)
    await check_log(registry)


async def test_answers_are_given_again_for_their_key(registry: Registry) -> None:
    """A repeated Idempotency-Key gets the same code, link and unlinking, and nothing is recorded twice."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client, its_own = await north.client(), f"L-{uuid.uuid4()}"
    key = {"Idempotency_Key": uuid.uuid4().hex}
    codes = [await north.partner.post("/link-codes", {"client": client}, **key) for _ in range(2)]
    assert codes[0].content == codes[1].content
    assert codes[1].headers["idempotency-replayed"] == "true"
    body = {"reference": its_own, "link_code": codes[0].json()["link_code"]}
    links = [await south.partner.post("/clients", body, **key) for _ in range(2)]
    assert [answer.status_code for answer in links] == [201, 201]
    unlinkings = [await south.partner.post("/unlinkings", {"client": its_own}, **key) for _ in range(2)]
    assert unlinkings[0].content == unlinkings[1].content
    events = await check_log(registry)
    about = [event for event in events if event["kind"] in {"link_code", "link", "unlinking"}][-4:]
    assert [event["kind"] for event in about] == ["link_code", "link", "link", "unlinking"]
    assert codes[0].json()["link_code"] not in str(events)


async def wrong_codes(registry: Registry, north: Office, south: Office) -> dict[str, str]:
    """Return one code for every reason why south cannot redeem it."""
    client = await north.client()
    good = await code_of(north, client)
    used = await code_of(north, client)
    await redeem(south, used)
    expired = await code_of(north, client)
    registry.planted.add("small")
    async with registry.sql() as connection:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(
            "update registry.link_codes set recorded_at = recorded_at - interval '7 days',"
            " expires_at = expires_at - interval '7 days'"
            " where link_code_id = (select max(link_code_id::text)::uuid from registry.link_codes)"
        )
    return {
        "nobody's": "0000-0000-0000",
        "mistyped": good[:-1] + ("2" if good[-1] == "1" else "1"),
        "no code": "U",
        "used": used,
        "expired": expired,
        "its own": await code_of(south, await south.client()),
        "another partner's": await code_of(north, client, partner="east"),
    }


async def test_every_wrong_code_is_answered_alike_and_does_nothing(fresh_registry: Registry) -> None:
    """Unknown, mistyped, used, expired, own and foreign codes get the same 422, byte for byte, and register nothing.
    After five within an hour a right code must wait too, at the guessing partner only.
    """
    north, south, east = [await office(fresh_registry, slug) for slug in ("north", "south", "east")]
    codes = await wrong_codes(fresh_registry, north, south)
    seen = set()
    for number, code in enumerate(codes.values()):
        if number == 5:
            async with fresh_registry.sql() as connection:
                await connection.execute("set session_replication_role = replica")
                await connection.execute("delete from registry.code_failures")
        reference = f"L-{uuid.uuid4()}"
        answer = await south.partner.post("/clients", {"reference": reference, "link_code": code})
        seen.add((answer.status_code, answer.text))
        await south.post("/link-codes", {"client": reference}, 404)
    assert len(seen) == 1
    assert next(iter(seen))[0] == 422
    good = await code_of(north, await north.client())
    for _ in range(3):
        await south.post("/clients", {"reference": "L-guess", "link_code": "0000-0000-0000"}, 422)
    late = await south.partner.post("/clients", {"reference": "L-late", "link_code": good})
    assert (late.status_code, late.headers["retry-after"]) == (429, "3600")
    await south.post("/link-codes", {"client": "L-late"}, 404)
    # South may still register without a code and use receipt codes, and east may redeem.
    await south.post("/clients", {"reference": "L-late"})
    await south.post("/withdrawals", {"receipt_code": "0000-0000-0000", "channel": "phone"}, 404)
    await redeem(east, good.lower().replace("-", " "))


async def test_a_suspended_partners_codes_do_not_work(fresh_registry: Registry) -> None:
    """While its issuer is suspended a code is answered like a wrong one; after the reinstatement it works again."""
    north, south = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    code = await code_of(north, await north.client())
    admin = await fresh_registry.partner("admin")
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    wrong = await south.partner.post("/clients", {"reference": "L-1", "link_code": "0000-0000-0000"})
    suspended = await south.partner.post("/clients", {"reference": "L-1", "link_code": code})
    assert (wrong.status_code, wrong.content) == (suspended.status_code, suspended.content)
    assert (await admin.post("/reinstatements", {"partner": "north"})).status_code == 201
    await redeem(south, code, "L-1")
    await check_log(fresh_registry)


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"partner": "nobody"}, 400, "/partner"),
        ({"partner": "north"}, 400, "/partner"),
        ({"partner": "closed"}, 422, "/partner"),
    ],
)
async def test_a_code_for_somebody_who_cannot_redeem_it_is_refused(
    registry: Registry, body: dict[str, Any], status: int, pointer: str
) -> None:
    """A code for an unknown partner, for the caller itself or for one that cannot be chosen is refused as such."""
    north = await office(registry, "north")
    answer = await north.post("/link-codes", {"client": await north.client()} | body, status)
    assert [fault["pointer"] for fault in answer["errors"]] == [pointer]


async def test_a_code_is_kept_as_a_digest_only(registry: Registry) -> None:
    """The database holds neither the code nor its characters."""
    north = await office(registry, "north")
    code = (await code_of(north, await north.client())).replace("-", "")
    async with registry.sql() as connection:
        rows = await connection.fetch("select * from registry.link_codes")
    assert all(len(row["digest"]) == 32 for row in rows)
    assert code not in str(rows)
    assert code.encode() not in b"".join(row["digest"] for row in rows)


async def test_unlinking_somebody_unknown_is_404(registry: Registry) -> None:
    """An unregistered reference can neither be unlinked nor get a code: 404, as for another partner's reference."""
    north, south = await office(registry, "north"), await office(registry, "south")
    theirs = await south.client()
    told_of = {
        (path, (await north.partner.post(path, {"client": client})).text)
        for path in ("/unlinkings", "/link-codes")
        for client in (theirs, f"L-{uuid.uuid4()}")
    }
    assert len(told_of) == 2
    assert told(await north.partner.post("/unlinkings", {"client": theirs}))["status"] == 404
