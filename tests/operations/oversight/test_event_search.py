"""A DPO's search shows exactly her own slice, filters as a brute-force search does, and has stable pages."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from consent_registry.domain.erasures import GROUNDS
from consent_registry.domain.events.all_kinds import EVENTS
from consent_registry.operations.erasure.erasures import perform_erasure, preview_erasure
from consent_registry.operations.oversight.event_filter import EventFilter
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import ReadingLimits
from tests.support.dpo_searches import SEARCH, Record, expected, records, search, search_all
from tests.support.erasing import erasing, hold, north, small
from tests.support.installation import Installation, Registry, fresh, serving
from tests.support.office import office
from tests.support.small_network import question
from tests.support.table_check_runs import found, replayed, require_equal

CANARY = "CANARY-4711-ßé"
PARTNERS = ("north", "south", "east")
# The kinds a partner may search for; events of other kinds have no partner as actor.
OWN_KINDS = [kind for kind, event in EVENTS.items() if event.is_searchable]


class Log:
    """A registry with events of every kind, its events until now, and the clients that north can name."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.events: list[Record] = []
        # The client ids and references that each of north's references means.
        self.clients: dict[str, tuple[set[str], set[str]]] = {}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def log(installation: Installation) -> AsyncIterator[Log]:
    """A log with a few days' events of the small network."""
    async with fresh(installation) as registry:
        made = Log(registry)
        await _live(made)
        yield made


async def _live(log: Log) -> None:
    registry = log.registry
    ours, theirs, third = [await office(registry, slug) for slug in PARTNERS]
    before = ["N-early", "N-early", "N-never", "N-other"]
    for reference in before:
        await ours.post("/decisions", question(reference), 200)
    for reference in ("N-early", "N-plain", "N-other"):
        await ours.post("/clients", {"reference": reference})
    await theirs.post("/clients", {"reference": "S-1"})
    await third.post("/clients", {"reference": "E-1"})
    consent = await ours.consent("N-early")
    await ours.consent("N-plain", purpose="housing", categories=["identity"])
    await third.consent("E-1", sender="east", recipient="north", categories=["identity"])
    await theirs.consent("S-1", sender="south", recipient="north", categories=["identity"])
    for client in ("N-early", "N-plain", "N-other"):
        for purpose in ("support", "housing"):
            for categories in (["identity"], ["identity", "health"]):
                await ours.post("/decisions", question(client, purpose=purpose, categories=categories), 200)
    to_north = {"recipient": "north", "categories": ["identity"]}
    for client in ("S-1", "S-nobody"):
        await theirs.post("/decisions", question(client, **to_north), 200)
        await third.post("/decisions", question("E-1", **to_north), 200)
        await third.post("/decisions", question("E-1", recipient="north", categories=["identity", "contact"]), 200)
    await theirs.post("/decisions", question("S-1", recipient="east", purpose="housing", categories=["debts"]), 200)
    decision = await ours.post("/decisions", question("N-early", categories=["identity"]), 200)
    sent = {"outcome": "sent", "categories": ["identity"]}
    await ours.post(f"/decisions/{decision['decision_id']}/transfers", sent)
    code = await ours.post("/link-codes", {"client": "N-other"})
    await theirs.post("/clients", {"reference": "S-2", "link_code": code["link_code"]})
    await theirs.consent("S-2", sender="north", recipient="south")
    await ours.post("/withdrawals", {"client": "N-plain", "channel": "phone"})
    await hold(registry, north("N-plain"))
    await ours.post("/consents/search", {"client": "N-early"}, 200)
    await ours.get(f"/consents/{consent['consent_id']}")
    log.events = await records(registry)
    async with registry.sql() as sql:
        rows = await sql.fetch("select client_id, partner_id from registry.client_references where network_id = 99")
    assert len(rows) == 6
    for reference in ("N-early", "N-plain", "N-other"):
        log.clients[reference] = await _meant(registry, reference)
    log.clients["N-never"] = set(), set()


async def _meant(registry: Registry, reference: str) -> tuple[set[str], set[str]]:
    """The client ids and references that a reference of north's means, read from the rows."""
    north_office = await office(registry, "north")
    async with registry.sql() as sql:
        before = await sql.fetchval("select max(log_index) from registry.events where network_id = 99")
        await north_office.post("/link-codes", {"client": reference})
        own = await sql.fetchval(
            "select client_id::text from registry.events where network_id = 99 and log_index > $1 and kind = 22", before
        )
        others = await sql.fetch(
            "select m.client_id::text from registry.current_memberships o join registry.current_memberships m"
            " using (network_id, group_id) where o.network_id = 99 and o.client_id = $1",
            own,
        )
    return {own, *(row[0] for row in others)}, {reference}


def until_now(log: Log, items: list[dict[str, Any]]) -> list[int]:
    """The places of found items, without those recorded after the brute-force search."""
    last = log.events[-1].index
    return [item["log"]["index"] for item in items if item["log"]["index"] <= last]


async def forget_looks(log: Log) -> None:
    """Remove the events written since, most of them reads by the searches themselves: with pages of one, every search
    would double them.
    """
    async with log.registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        for table in ("events", "leaves"):
            statement = f"delete from registry.{table} where network_id = 99 and log_index > $1"  # noqa: S608
            await sql.execute(statement, log.events[-1].index)


INSTANTS = st.integers(0, 200)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "partner": st.sampled_from([*PARTNERS, "closed"]),
        "recipient": st.sampled_from([*PARTNERS, "closed"]),
        "purpose": st.sampled_from(["support", "housing"]),
        "outcome": st.sampled_from(["permit", "partial", "no_permission", "not_consent_based"]),
        "kind": st.sampled_from(["decision", "consent", "client", "read"])
        | st.lists(st.sampled_from(OWN_KINDS), min_size=1, max_size=4, unique=True),
        "person": st.sampled_from(["B-12", "DPO-1", "B-99"]),
        "client": st.sampled_from(["N-early", "N-plain", "N-other", "N-never"]),
        "from": INSTANTS,
        "until": INSTANTS,
    },
)


def _asked(log: Log, drawn: dict[str, Any]) -> dict[str, Any]:
    """A drawn filter, with its instants replaced by times of events."""
    times = sorted(str(record.facts["at"]) for record in log.events)
    asked = dict(drawn)
    for name in {"from", "until"} & set(asked):
        asked[name] = times[asked[name] % len(times)]
    if "from" in asked and "until" in asked and asked["from"] >= asked["until"]:
        del asked["until"]
    return asked


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(drawn=FILTERS, partner=st.sampled_from(PARTNERS), limit=st.sampled_from([1, 3, 7, 200]))
async def test_filters_find_what_brute_force_finds(log: Log, drawn: dict[str, Any], partner: str, limit: int) -> None:
    """Any filter of any partner's DPO, in pages of any length, finds the same places as a brute-force search."""
    asked = _asked(log, drawn)
    dpo = await log.registry.dpo(partner)
    clients = log.clients[asked["client"]] if "client" in asked and partner == "north" else (set(), set())
    if asked.get("client") == "N-never":
        clients = (set(), set())
    await forget_looks(log)
    places = until_now(log, await search_all(dpo, limit=limit, **asked))
    assert places == expected(log.events, partner, asked, clients), asked


async def test_every_single_filter(log: Log) -> None:
    """Each member of the filter with each value finds the places of a brute-force search, and not all are empty."""
    total = 0
    singles: list[dict[str, Any]] = [{}]
    singles += [{name: slug} for name in ("partner", "recipient") for slug in PARTNERS]
    singles += [{"purpose": "support"}, {"purpose": "housing"}, {"person": "B-12"}]
    singles += [{"outcome": outcome} for outcome in ("permit", "partial", "no_permission", "not_consent_based")]
    singles += [{"kind": kind} for kind in OWN_KINDS]
    for partner in PARTNERS:
        dpo = await log.registry.dpo(partner)
        for asked in singles:
            places = until_now(log, await search_all(dpo, limit=200, **asked))
            assert places == expected(log.events, partner, asked), (partner, asked)
            total += len(places)
    assert total > 200


async def test_pages_across_the_last_weeks(log: Log) -> None:
    """A page searches the log's last weeks first; with a twentieth of a second instead, it finds the same places."""
    async with log.registry.sql() as owner:
        source = await owner.fetchval("select pg_get_functiondef('registry.last_weeks'::regproc)")
        assert "35 days" in source
        await owner.execute(source.replace("35 days", "50 milliseconds").replace("3 days", "20 milliseconds"))
        try:
            for partner in PARTNERS:
                dpo = await log.registry.dpo(partner)
                for asked in ({"kind": "decision"}, {"purpose": "support"}, {"outcome": "permit"}, {"kind": "consent"}):
                    for limit in (1, 4):
                        places = until_now(log, await search_all(dpo, limit=limit, **asked))
                        assert places == expected(log.events, partner, asked), (partner, asked)
        finally:
            await owner.execute(source)


async def test_a_slice_holds_nothing_foreign(log: Log) -> None:
    """A slice has the own events whole, and others' permits to this partner without bytes, client or staff; no more."""
    for partner in PARTNERS:
        dpo = await log.registry.dpo(partner)
        items = await search_all(dpo, limit=200)
        by_index = {record.index: record for record in log.events}
        kinds = set()
        for item in items:
            record = by_index.get(item["log"]["index"])
            if record is None:
                assert item["actor"] == partner  # younger: the searches themselves
                continue
            if item["actor"] == partner:
                assert item["event"] == record.facts
                kinds.add("own")
            else:
                assert "event" not in item
                assert (item["kind"], item["recipient"], item["client"], item["person"]) == (
                    "decision",
                    partner,
                    None,
                    None,
                )
                assert item["outcome"] in {"permit", "partial"}
                assert record.facts["client"] not in json.dumps(item)
                assert record.facts.get("reference_commitment", "-") not in json.dumps(item)
                kinds.add("received")
        assert kinds == {"own", "received"} - ({"received"} if partner == "east" else set()), partner


async def test_own_references_are_shown_and_no_others(log: Log) -> None:
    """Each DPO sees the references of her own partner only."""
    shown = {partner: json.dumps(await search_all(await log.registry.dpo(partner), limit=200)) for partner in PARTNERS}
    assert '"N-early"' in shown["north"]
    assert '"S-1"' in shown["south"]
    for partner, text in shown.items():
        for owner, beginning in {"north": "N-", "south": "S-", "east": "E-"}.items():
            assert (f'"{beginning}' in text) is (owner == partner), (partner, owner)


async def test_the_administration_sees_what_it_did_itself(log: Log) -> None:
    """The administration finds its own events, such as credentials, catalogue and holds, and none of a partner."""
    admin = await log.registry.partner("admin")
    items = await search_all(admin, limit=200)
    assert {item["actor"] for item in items} == {"administration"}
    assert {"catalogue", "credential", "hold"} <= {item["kind"] for item in items}
    assert all(item["client"] is None for item in items)
    assert [item["person"] for item in await search_all(admin, person="DPO-1")] == ["DPO-1"]
    assert (await search(admin, client="N-early"))["items"] == []


@pytest.mark.parametrize("partners", ["", "{}", "{1}", "{2}", "{3}", "{0}"])
async def test_row_security_holds_the_slice(log: Log, partners: str) -> None:
    """Direct SQL with the application's login returns only rows of the partners in the transaction's setting, and none
    without a network.
    """
    numbers = [int(number) for number in partners.strip("{}").split(",") if number]
    everything = "-infinity", "infinity"
    async with log.registry.sql("app") as app:
        for network in ("99", "1", ""):
            async with app.transaction():
                await app.execute(f"set local registry.network = '{network}'")
                await app.execute(f"set local registry.partners = '{partners}'")
                own = await app.fetch("select actor_id from registry.events where network_id = 99")
                received = await app.fetch(
                    "select * from registry.permits_received(99, 0, 1000000, $1::text::timestamptz,"
                    " $2::text::timestamptz, 1000, null, null, null)",
                    *everything,
                )
            allowed = numbers if network == "99" else []
            assert {row["actor_id"] for row in own} <= set(allowed)
            assert {row["recipient_id"] for row in received} <= set(allowed)
            assert {row["outcome"] for row in received} <= {1, 2}
            assert not {"event", "nonce", "client_id"} & set(received[0].keys() if received else [])
            if allowed in ([1], [2], [3]):
                assert own


async def test_the_function_cannot_be_talked_into_more(log: Log) -> None:
    """A call for another network than the transaction's setting finds nothing."""
    async with log.registry.sql("app") as app, app.transaction():
        await app.execute("set local registry.network = '1'")
        await app.execute("set local registry.partners = '{1}'")
        rows = await app.fetch(
            "select * from registry.permits_received(99, 0, 1000000, $1::text::timestamptz, $2::text::timestamptz,"
            " 1000, null, null, null)",
            "-infinity",
            "infinity",
        )
        low = await app.fetchrow("select * from registry.places_between(99, now() - interval '1 day', now())")
    assert rows == []
    assert low is not None
    assert tuple(low) == (None, None)


async def test_a_policy_less_function_is_found(fresh_registry: Registry) -> None:
    """Control: without the partners' condition in the function, rows of other partners are returned, and the check of
    the slice test finds them.
    """
    theirs = await office(fresh_registry, "south")
    client = await theirs.client()
    await theirs.consent(client, sender="south", recipient="north", categories=["identity"])
    asked = question(client, recipient="north", categories=["identity"])
    assert (await theirs.post("/decisions", asked, 200))["outcome"] == "permit"
    assert await search_all(await fresh_registry.dpo("east"), partner="south") == []
    async with fresh_registry.sql() as owner:
        source = await owner.fetchval("select pg_get_functiondef('registry.permits_received'::regproc)")
        rule = "g.recipient_id = any ((select registry.current_partners())::integer[])"
        assert rule in source
        await owner.execute(source.replace(rule, "true"))
    assert len(await search_all(await fresh_registry.dpo("east"), partner="south")) == 1


async def test_pages_stay_what_they_were_while_decisions_arrive(log: Log) -> None:
    """While north adds decisions, pages skip no item and repeat none."""
    dpo, ours = await log.registry.dpo("north"), await office(log.registry, "north")
    whole = [item["id"] for item in await search_all(dpo, limit=200, kind="decision", partner="north")]
    page = await search(dpo, limit=3, kind="decision", partner="north")
    seen = [item["id"] for item in page["items"]]
    while page["next"]:
        await asyncio.gather(*(ours.post("/decisions", question("N-early"), 200) for _ in range(5)))
        again = await search(dpo, limit=3, kind="decision", partner="north", cursor=page["next"])
        page = await search(dpo, limit=3, kind="decision", partner="north", cursor=page["next"])
        assert again["items"] == page["items"]
        seen += [item["id"] for item in page["items"]]
    assert seen == whole
    log.events = await records(log.registry)


async def test_a_cursor_belongs_to_its_filter_and_its_caller(log: Log) -> None:
    """A cursor of another filter, DPO or list, or an altered one, is refused with its pointer; `limit` may change."""
    north_dpo, south_dpo = await log.registry.dpo("north"), await log.registry.dpo("south")
    cursor = (await search(north_dpo, limit=1))["next"]
    assert cursor
    assert (await search(north_dpo, limit=7, cursor=cursor))["items"]
    ours = await log.registry.partner("north")
    consents = (await ours.post("/consents/search", {"limit": 1})).json()["next"]
    hostile = ["x", cursor[:-2], cursor + "A", "A" * 400, cursor.swapcase(), consents, "0", "-1", "' or 1=1 --"]
    tried = [(north_dpo, {"cursor": cursor}) for cursor in hostile if cursor]
    tried += [(north_dpo, {"cursor": cursor, "kind": "decision"}), (south_dpo, {"cursor": cursor})]
    tried += [(north_dpo, {"cursor": cursor, "client": "N-early"})]
    for dpo, asked in tried:
        answer = await dpo.post(SEARCH, asked)
        assert answer.status_code == 400, (asked, answer.text)
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/cursor"]


async def test_questions_from_before_the_reference_was_registered_are_found(log: Log) -> None:
    """Questions from before a registration name no client in the log; a search by the reference finds them."""
    items = await search_all(await log.registry.dpo("north"), client="N-early", kind="decision")
    nobody = [item for item in items if item["event"]["client"] is None]
    assert [item["client"] for item in nobody] == ["N-early", "N-early"]
    assert all(item["client"] == "N-early" for item in items)
    only = await search_all(await log.registry.dpo("north"), client="N-early", purpose="housing")
    assert only
    assert all(item["purpose"] == "housing" for item in only)


async def test_many_questions_about_nobody_are_opened_page_by_page(log: Log) -> None:
    """However few questions a page compares, all pages together have the same items; a page may be short."""
    dpo = await log.registry.dpo("north")
    whole = [item["id"] for item in await search_all(dpo, client="N-early", limit=200)]
    for opened in (1, 2, 3):
        make_runtime = partial(Runtime, limits=ReadingLimits(opened_questions=opened))
        async with serving(log.registry.installation, log.registry.database, make_runtime=make_runtime) as short:
            for limit in (200, 1):
                found = await search_all(await short.dpo("north"), client="N-early", limit=limit)
                assert [item["id"] for item in found if item["id"] in whole] == whole


async def test_a_client_nobody_registered_is_an_empty_list(log: Log) -> None:
    """An unknown reference, another partner's and one only asked about look the same: no items and no more pages."""
    dpo = await log.registry.dpo("north")
    for reference in ("N-never", "S-1", "E-1", "nobody at all"):
        assert await search(dpo, client=reference) == {"items": [], "next": None}


async def test_unknown_things_are_named(log: Log) -> None:
    """A wrong filter is refused with every fault and its pointer, and nothing is logged."""
    dpo = await log.registry.dpo("north")
    before = len(await records(log.registry))
    bad: list[tuple[dict[str, Any], list[str]]] = [
        ({"partner": "nobody"}, ["/partner"]),
        ({"recipient": "nobody", "purpose": "nothing"}, ["/purpose", "/recipient"]),
        ({"kind": "thing"}, ["/kind"]),
        ({"kind": ["decision", "thing"]}, ["/kind/1"]),
        ({"kind": []}, ["/kind"]),
        ({"kind": ["read", "read"]}, ["/kind"]),
        ({"outcome": "maybe"}, ["/outcome"]),
        ({"person": "Frau Müller"}, ["/person"]),
        ({"client": " N-1"}, ["/client"]),
        ({"from": "2026-02-30T00:00:00.000000Z"}, ["/from"]),
        ({"until": "yesterday"}, ["/until"]),
        ({"from": "2026-02-03T00:00:00.000000Z", "until": "2026-02-03T00:00:00.000000Z"}, ["/until"]),
        ({"limit": 0}, ["/limit"]),
        ({"limit": 201}, ["/limit"]),
        ({"name": "x"}, ["/name"]),
    ]
    for asked, pointers in bad:
        answer = await dpo.post(SEARCH, asked)
        assert answer.status_code == 400, (asked, answer.text)
        assert sorted(fault["pointer"] for fault in answer.json()["errors"]) == pointers, (asked, answer.text)
    assert len(await records(log.registry)) == before


async def test_each_look_is_on_record(log: Log) -> None:
    """Each page is logged as one read event of the partner, with count and digest, and the client if one was named."""
    dpo = await log.registry.dpo("north")
    page = await search(dpo, limit=5)
    last = (await records(log.registry))[-1].facts
    assert (last["kind"], last["actor"], last["what"], last["count"]) == ("read", "north", "events", 5)
    assert last["client"] is None
    page = await search(dpo, client="N-early", limit=2)
    last = (await records(log.registry))[-1].facts
    assert (last["count"], len(page["items"])) == (2, 2)
    assert last["client"] in log.clients["N-early"][0]


def test_filters_are_all_tried() -> None:
    """Control: the drawn filters cover every member of the request."""
    members = {member.encode_name for member in msgspec.structs.fields(EventFilter)}
    drawn = {"client", "partner", "recipient", "purpose", "outcome", "kind", "person", "from", "until"}
    assert members == drawn


async def test_an_unlinked_client_is_not_found(fresh_registry: Registry) -> None:
    """While two references are linked, a search by either finds the events of both; afterwards only its own."""
    ours, theirs = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    first, second = await ours.client(), await ours.client()
    code = await ours.post("/link-codes", {"client": first})
    await theirs.post("/clients", {"reference": "S-1", "link_code": code["link_code"]})
    code = await theirs.post("/link-codes", {"client": "S-1"})
    await ours.post("/clients", {"reference": second, "link_code": code["link_code"]}, 200)
    await ours.consent(first)
    await ours.outcome(second)
    dpo = await fresh_registry.dpo("north")
    linked = {item["id"] for item in await search_all(dpo, client=first)}
    assert {item["id"] for item in await search_all(dpo, client=second)} >= linked
    assert {"consent", "decision"} <= {item["kind"] for item in await search_all(dpo, client=second)}
    await ours.post("/unlinkings", {"client": first})
    assert "consent" not in {item["kind"] for item in await search_all(dpo, client=second)}
    assert "decision" not in {item["kind"] for item in await search_all(dpo, client=first)}


async def test_an_erased_client_is_gone(fresh_registry: Registry, tmp_path: Path) -> None:
    """After an erasure no filter finds the client's events or the questions from before its registration."""
    ours = await office(fresh_registry, "north")
    await ours.post("/decisions", question("N-gone"), 200)
    await ours.post("/clients", {"reference": "N-gone"})
    await ours.consent("N-gone")
    await ours.post("/decisions", question("N-gone"), 200)
    dpo = await fresh_registry.dpo("north")
    gone = {item["id"] for item in await search_all(dpo, client="N-gone")}
    assert len(gone) >= 4
    async with erasing(fresh_registry, tmp_path / "ledger") as eraser:
        network = await small(eraser)
        preview = await preview_erasure(eraser, network, north("N-gone"))
        ground = next(iter(GROUNDS))
        await perform_erasure(eraser, network, north("N-gone"), ground=ground, confirmed=preview.digest)
    assert await search(dpo, client="N-gone") == {"items": [], "next": None}
    for asked in ({}, {"kind": "consent"}, {"purpose": "support"}, {"person": "B-12"}):
        assert not gone & {item["id"] for item in await search_all(dpo, **asked)}
    async with fresh_registry.sql() as sql:
        assert await sql.fetchval("select count(*) from registry.events where person = 'B-12' and network_id = 99") == 0


async def test_a_searched_reference_reaches_no_log_and_no_address(
    fresh_registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the server's output nor any row holds the reference that was searched for."""
    ours, dpo = await office(fresh_registry, "north"), await fresh_registry.dpo("north")
    await ours.post("/clients", {"reference": CANARY})
    assert await search_all(dpo, client=CANARY)
    assert (await dpo.post(SEARCH, {"client": CANARY, "cursor": CANARY})).status_code == 400
    assert (await dpo.post(SEARCH, {"client": CANARY, "partner": CANARY.lower()})).status_code == 400
    said = capfd.readouterr()
    assert "CANARY" not in said.out + said.err
    async with fresh_registry.sql() as sql:
        for event in await sql.fetch("select event from registry.events"):
            assert b"CANARY" not in event["event"]


async def test_a_changed_person_is_found_by_replay(fresh_registry: Registry) -> None:
    """The table check finds a changed `person` column of an event."""
    ours = await office(fresh_registry, "north")
    await ours.consent(await ours.client())
    await require_equal(fresh_registry)
    async with fresh_registry.sql() as sql:
        await sql.execute("update registry.events set person = 'B-13' where kind = 3 and network_id = 99")
    assert found((await replayed(fresh_registry)).report) == ["column_differs events person"]
