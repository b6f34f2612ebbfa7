"""What an act does under another client number is in an entry of that number: it outlives the act's own erasure."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from consent_registry.domain.events.event import LARGEST_GROUP
from consent_registry.operations.erasure.erasures import ByReference, Eraser
from tests.journeys.clients.test_links import BACK, code_of, redeem
from tests.journeys.consents.test_renewal import renewing
from tests.operations.erasure.test_retention import in_years, retain
from tests.operations.oversight.test_table_check import findings, tampering
from tests.support.erasing import erasing, north, search_everywhere
from tests.support.installation import Registry
from tests.support.log_check import Facts, check_log
from tests.support.office import Body, Office, office
from tests.support.persons_with_history import clients_of, erase
from tests.support.small_network import consent_body
from tests.support.table_check_runs import require_equal


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers that were one client: north's consents, and south's reference by which they were changed."""

    first: Office
    second: Office
    client: str
    linked: str
    consent: Body
    renewed: Body
    later: Body


@pytest_asyncio.fixture(loop_scope="session")
async def eraser(fresh_registry: Registry, tmp_path: Path) -> AsyncIterator[Eraser]:
    """The eraser's door."""
    async with erasing(fresh_registry, tmp_path / "ledger") as door:
        yield door


async def a_pair(registry: Registry) -> Pair:
    """Link two references, renew by the second what the first agreed to, withdraw a part of it, and unlink them."""
    first, second = await office(registry, "north"), await office(registry, "south")
    client = await first.client()
    consent, renewed = await first.consent(client), await first.consent(client)
    linked = await redeem(second, await code_of(first, client))
    later = await renewing(second, linked, renewed)
    await first.post(f"/consents/{later['consent_id']}/confirmations", {})
    part = {"grants": [consent["grants"][0]["grant_id"]], "categories": ["contact"]}
    await second.post("/withdrawals", {"client": linked, "channel": "letter"} | part)
    await second.post("/unlinkings", {"client": linked})
    await require_equal(registry)
    return Pair(first, second, client, linked, consent, renewed, later)


async def about_others(registry: Registry, client: str) -> list[Facts]:
    """Read the entries of this client number that are part of an act by another."""
    return [
        event for event in await check_log(registry, padding=True) if event["client"] == client and event.get("act")
    ]


async def test_an_erasure_writes_one_entry_and_leaves_what_was_told_of_others(
    fresh_registry: Registry, eraser: Eraser
) -> None:
    """What south withdrew and renewed of north's consents is told by entries of north's number, before and after;
    nobody is their actor, and padding goes with the act.
    """
    pair = await a_pair(fresh_registry)
    (client,) = await clients_of(fresh_registry, pair.consent)
    (linked,) = await clients_of(fresh_registry, pair.later)
    before = await about_others(fresh_registry, client)
    assert sorted(event["kind"] for event in before if event["kind"] != "padding") == [
        "confirmation",
        "link",
        "withdrawal",
    ]
    assert all(event["actor"] is None for event in before)
    padding = [event for event in await about_others(fresh_registry, linked) if event["kind"] == "padding"]
    # Of the link, the consent that renews, and the withdrawal; the confirmation is an act by north's number.
    assert len(padding) == 14 + 1 + 14
    size = await leaves(fresh_registry)
    await erase(eraser, _south(pair))
    assert await leaves(fresh_registry) == size + 1
    assert await about_others(fresh_registry, client) == before
    assert await about_others(fresh_registry, linked) == []
    await require_equal(fresh_registry)


async def leaves(registry: Registry) -> int:
    """How many entries all logs have."""
    async with registry.sql() as connection:
        return int(await connection.fetchval("select count(*) from registry.leaves"))


@pytest.mark.parametrize(
    ("forgery", "code"),
    [
        (
            (
                "insert into registry.grant_changes select (jsonb_populate_record(x, jsonb_build_object("
                "'act_id', gen_random_uuid(), 'change_id', gen_random_uuid()))).* from registry.grant_changes x"
                " where kind = 'renewed'"
            ),
            "row_added",
        ),
        ("delete from registry.grant_changes where kind = 'withdrawn'", "row_missing"),
        ("update registry.grant_changes set valid_until = now() where kind = 'renewed'", "column_differs"),
        ("update registry.grant_changes set category_ids = null where kind = 'withdrawn'", "column_differs"),
    ],
    ids=["a renewal in the erased span", "a withdrawal gone", "a longer renewal", "a broader withdrawal"],
)
async def test_what_is_forged_beside_it_is_named(
    fresh_registry: Registry, eraser: Eraser, forgery: str, code: str
) -> None:
    """With an act of its own, at a time whose events were erased, or by removing or changing the rest."""
    pair = await a_pair(fresh_registry)
    await erase(eraser, _south(pair))
    async with tampering(fresh_registry) as connection:
        await connection.execute(forgery)
        seen = await findings(connection, "small")
    assert seen
    assert all(found.startswith(f"{code} grant_changes grant_id=") for found in seen)


async def test_it_goes_with_whom_it_is_about(fresh_registry: Registry, eraser: Eraser) -> None:
    """When the other is erased as well nothing of the two is left, and the log holds together."""
    pair = await a_pair(fresh_registry)
    ids = {pair.consent["consent_id"].encode(), pair.renewed["consent_id"].encode()}
    grants = {consent["grants"][0]["grant_id"].encode() for consent in (pair.consent, pair.renewed)}
    async with fresh_registry.sql() as connection:
        await erase(eraser, _south(pair))
        assert await search_everywhere(connection, ids | grants)
        await erase(eraser, north(pair.client))
        assert await search_everywhere(connection, ids | grants) == []
    await require_equal(fresh_registry)


async def test_a_withdrawal_outlives_the_consents_it_changed(fresh_registry: Registry, eraser: Eraser) -> None:
    """It goes with its client: when the consent that it took back goes, row and entries stay, the tables agree with the
    log, and a paper from before that comes after all is withdrawn.
    """
    first = await office(fresh_registry, "north")
    client = await first.client()
    body = consent_body(client, first.text, purpose="housing")
    body["valid_until"] = (datetime.now(UTC) + timedelta(days=700)).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept, gone = await first.post("/consents", body), await first.consent(client)
    withdrawal = await first.post("/withdrawals", {"consent_id": gone["consent_id"], "channel": "letter"})
    await in_years(fresh_registry, 4)
    assert "consents" in [step.step for step in await retain(eraser)]
    await first.get(f"/consents/{gone['consent_id']}", 404)
    await first.get(f"/consents/{kept['consent_id']}")
    events = await check_log(fresh_registry, padding=True)
    assert [event["id"] for event in events if event["kind"] == "withdrawal"] == [withdrawal["withdrawal_id"]]
    assert len([event for event in events if event.get("act") == withdrawal["withdrawal_id"]]) == LARGEST_GROUP - 1
    late = consent_body(client, first.text)
    late["act"]["given_at"] = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (await first.post("/consents", late))["status"] == "withdrawn"
    await require_equal(fresh_registry)


async def test_a_withdrawals_entries_go_with_their_clients(fresh_registry: Registry, eraser: Eraser) -> None:
    """Retention lets a withdrawal's entry and its padding go with the client they are about, and those of other numbers
    with theirs.
    """
    first, second = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    client = await first.client()
    kept = await first.consent(client)
    linked = await redeem(second, await code_of(first, client))
    ended = await second.consent(linked)
    grant_ids = [kept["grants"][0]["grant_id"], ended["grants"][0]["grant_id"]]
    part = {"grants": grant_ids, "categories": ["contact"]}
    await second.post("/withdrawals", {"client": linked, "channel": "letter"} | part)
    await second.post(f"/consents/{ended['consent_id']}/endings", {"reason": "case_closed"})
    await second.post("/unlinkings", {"client": linked})
    await in_years(fresh_registry, 4)
    assert "consents" in [run.step for run in await retain(eraser)]
    (home,) = await clients_of(fresh_registry, kept)
    left = await about_others(fresh_registry, home)
    assert [
        grant["grant"] for event in left if event["kind"] == "withdrawal" for grant in event["grants"]
    ] == grant_ids[:1]
    withdrawn = {event["act"] for event in left if event["kind"] == "withdrawal"}
    events = await check_log(fresh_registry)
    assert not [
        event
        for event in events
        if event["id"] in withdrawn or (event["kind"] == "padding" and event["act"] in withdrawn)
    ]
    await require_equal(fresh_registry)
    await in_years(fresh_registry, 20)
    await retain(eraser)
    assert [
        event for event in await check_log(fresh_registry, padding=True) if event["kind"] in {"withdrawal", "padding"}
    ] == []
    await require_equal(fresh_registry)


@pytest.mark.parametrize("by", ["client", "consent_id", "receipt_code", "everything"])
async def test_erasing_one_reference_un_withdraws_nothing(fresh_registry: Registry, eraser: Eraser, by: str) -> None:
    """The withdrawal was taken under north's reference, which is erased: a late paper under south's is withdrawn still,
    by the row and the entry of south's own number.
    """
    first, second = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    client = await first.client()
    theirs = await redeem(second, await code_of(first, client))
    consent = await first.consent(client, **BACK)
    target = {"consent_id": consent["consent_id"], "receipt_code": consent["receipt_code"]}.get(by, client)
    everything = {"client": client, "scope": "everything"}
    chosen = everything if by == "everything" else {by: target}
    await first.post("/withdrawals", chosen | {"channel": "phone"})
    await second.post("/unlinkings", {"client": theirs})
    await erase(eraser, north(client))
    late = consent_body(theirs, second.text, **BACK)
    late["act"]["given_at"] = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    recorded = await second.post("/consents", late)
    codes = {found["code"] for found in recorded["remarks"]} - {"text_published_later"}
    assert (recorded["status"], codes) == ("withdrawn", {"withdrawn_since"})
    await check_log(fresh_registry)


def _south(pair: Pair) -> ByReference:
    return ByReference("south", pair.linked)
