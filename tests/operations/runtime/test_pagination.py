"""Lists in pages are complete, ordered and stable, and a cursor is valid for its own list only."""

import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from consent_registry.operations.catalogue.network_setup import establish_network, issue_credential
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from tests.support.installation import ISSUER, Installation, Partner, Registry, serving
from tests.support.small_network import consent_body, question, small_network

JSON = dict[str, Any]
COUNT = 7
LISTS = ("/partners", "/purposes", "/data-categories", "/agreements", "/texts")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def north(registry: Registry) -> Partner:
    """A partner with seven consents of one client."""
    partner = await registry.partner("north")
    await partner.post("/clients", {"reference": "P-1"})
    for _ in range(COUNT):
        await record(partner, "P-1")
    return partner


async def record(partner: Partner, client: str) -> JSON:
    """Record one more consent."""
    text = (await partner.get("/texts")).json()["items"][0]["id"]
    answer = await partner.post("/consents", consent_body(client, text))
    assert answer.status_code == 201, answer.text
    recorded: JSON = answer.json()
    return recorded


async def search(partner: Partner, **members: object) -> JSON:
    """Search consents."""
    answer = await partner.post("/consents/search", members)
    assert answer.status_code == 200, answer.text
    page: JSON = answer.json()
    return page


@pytest.mark.parametrize("network", ["small", "paderborn"])
@pytest.mark.parametrize("path", LISTS)
async def test_a_list_is_the_same_in_pages_of_any_size(registry: Registry, network: str, path: str) -> None:
    """Pages of any length have the same items in the same order, and `next` is null at the end."""
    partner = await registry.partner("north" if network == "small" else "awo-paderborn", network)
    whole = (await partner.get(f"{path}?limit=200")).json()
    assert whole["next"] is None
    for limit in (1, 2, 3):
        found, cursor = [], ""
        while cursor is not None:
            query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            page = (await partner.get(path + query)).json()
            assert 1 <= len(page["items"]) <= limit
            found += page["items"]
            cursor = page["next"]
        assert found == whole["items"]


async def test_consents_come_newest_first_and_whole(north: Partner) -> None:
    """Seven consents come in pages of three, three and one, the newest first."""
    found, sizes, cursor = [], [], None
    while True:
        page = await search(north, client="P-1", limit=3, **({} if cursor is None else {"cursor": cursor}))
        found += page["items"]
        sizes.append(len(page["items"]))
        cursor = page["next"]
        if cursor is None:
            break
    assert sizes == [3, 3, 1]
    times = [item["recorded_at"] for item in found]
    assert times == sorted(times, reverse=True)
    assert len({item["consent_id"] for item in found}) == COUNT


async def test_what_is_recorded_meanwhile_shakes_no_page(north: Partner) -> None:
    """A consent recorded between two pages is on neither; no item is repeated or skipped."""
    await north.post("/clients", {"reference": "P-2"})
    recorded = [(await record(north, "P-2"))["consent_id"] for _ in range(4)]
    first = await search(north, client="P-2", limit=2)
    later = (await record(north, "P-2"))["consent_id"]
    second = await search(north, client="P-2", limit=2, cursor=first["next"])
    shown = [item["consent_id"] for item in first["items"] + second["items"]]
    assert shown == recorded[::-1]
    assert later not in shown
    again = await search(north, client="P-2", limit=2, cursor=first["next"])
    assert again["items"] == second["items"]


async def test_a_filter_by_status_fills_its_pages(north: Partner) -> None:
    """With every second consent withdrawn, the pages of each status are full and together complete."""
    await north.post("/clients", {"reference": "P-3"})
    recorded = [(await record(north, "P-3"))["consent_id"] for _ in range(6)]
    for consent_id in recorded[::2]:
        alone = {"consent_id": consent_id, "channel": "phone", "only_this_consent": True}
        assert (await north.post("/withdrawals", alone)).status_code == 201
    for status, expected in (("given", recorded[1::2]), ("withdrawn", recorded[::2])):
        first = await search(north, client="P-3", status=status, limit=2)
        rest = await search(north, client="P-3", status=status, limit=2, cursor=first["next"])
        assert [item["consent_id"] for item in first["items"] + rest["items"]] == expected[::-1]
        assert rest["next"] is None


async def test_unreported_permits_come_in_pages_until_reported(registry: Registry, north: Partner) -> None:
    """Unreported decisions are listed newest first; a reported one is gone; another partner's cursor is refused."""
    asked = [(await north.post("/decisions", question("P-1"))).json()["decision_id"] for _ in range(3)]
    page = (await north.get("/decisions?transfer=missing&limit=2")).json()
    assert [item["decision_id"] for item in page["items"]] == asked[:0:-1]
    rest = (await north.get(f"/decisions?transfer=missing&limit=2&cursor={page['next']}")).json()
    assert rest["items"][0]["decision_id"] == asked[0]
    report = {"outcome": "sent", "categories": ["identity", "contact"]}
    assert (await north.post(f"/decisions/{asked[1]}/transfers", report)).status_code == 201
    left = (await north.get("/decisions?transfer=missing")).json()["items"]
    assert asked[1] not in {item["decision_id"] for item in left}
    south = await registry.partner("south")
    assert (await south.get(f"/decisions?transfer=missing&cursor={page['next']}")).status_code == 400


async def test_a_cursor_belongs_to_its_list_and_filter(registry: Registry, north: Partner) -> None:
    """A cursor of another client, status, list, partner or network is refused with 400 and its pointer."""
    cursor = (await search(north, client="P-1", limit=1))["next"]
    await north.post("/clients", {"reference": "P-9"})
    for changed in ({"client": "P-9"}, {"client": "P-1", "status": "given"}, {"status": "given"}, {}):
        answer = await north.post("/consents/search", {**changed, "cursor": cursor})
        assert answer.status_code == 400, changed
        assert answer.json()["errors"][0]["pointer"] == "/cursor"
    south = await registry.partner("south")
    assert (await south.post("/consents/search", {"client": "P-1", "cursor": cursor})).status_code == 400
    partners = (await north.get("/partners?limit=1")).json()["next"]
    foreign = await registry.partner("awo-paderborn", "paderborn")
    for partner, path in ((north, "/purposes"), (north, "/texts"), (foreign, "/partners")):
        assert (await partner.get(f"{path}?cursor={partners}")).status_code == 400
    assert (await north.get(f"/partners?cursor={cursor}")).status_code == 400
    assert (await north.get(f"/decisions?transfer=missing&cursor={partners}")).status_code == 400


async def test_a_cursor_tells_nothing_and_cannot_be_altered(north: Partner) -> None:
    """A cursor shows no id, differs each time, and is refused with any letter changed."""
    page = await search(north, client="P-1", limit=1)
    cursor = page["next"]
    assert cursor != (await search(north, client="P-1", limit=1))["next"]
    assert uuid.UUID(page["items"][0]["consent_id"]).hex not in cursor
    altered = [
        cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        for place in range(len(cursor) - 1)
    ]
    for bad in [*altered, cursor[:-4], cursor + "AAAA", cursor[4:], "AAAA", "x", "=", "é", "\u2028"]:
        answer = await north.post("/consents/search", {"client": "P-1", "limit": 1, "cursor": bad})
        assert answer.status_code == 400, bad
        assert answer.json()["errors"] == [{"pointer": "/cursor", "detail": "is no cursor of this list"}]


@pytest.mark.parametrize(
    "limit",
    ["0", "201", "-1", "x", "", "1.0", "1e2", "+5", " 5", "\u0665", "9" * 5000, "000000150000", "5\n", "null", "0x10"],
)
async def test_limits_are_from_1_to_200(north: Partner, limit: str) -> None:
    """A limit that is not valid is refused with 400."""
    for path in (*LISTS, "/decisions?transfer=missing"):
        http = north.http
        query = {"limit": limit} | ({"transfer": "missing"} if "?" in path else {})
        headers = {"Authorization": f"Bearer {north.token}"}
        answer = await http.get(f"/api/v1{path.partition('?')[0]}", params=query, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed"), path


@pytest.mark.parametrize("limit", [0, 201, -1, 1.5, "10", None, True, [], 10**30])
async def test_a_searchs_limit_is_a_number_from_1_to_200(north: Partner, limit: object) -> None:
    """In a body the limit must be a JSON number; the fault has its pointer."""
    answer = await north.post("/consents/search", {"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


async def test_fifty_unless_said_otherwise(fresh_registry: Registry) -> None:
    """Of 51 consents fifty are on the first page and one on the second; with a limit of 200 all are on one page."""
    partner = await fresh_registry.partner("north")
    await partner.post("/clients", {"reference": "P-1"})
    for _ in range(51):
        await record(partner, "P-1")
    first = await search(partner)
    assert (len(first["items"]), first["next"] is None) == (50, False)
    assert len((await search(partner, cursor=first["next"]))["items"]) == 1
    everything = await search(partner, limit=200)
    assert (len(everything["items"]), everything["next"]) == (51, None)


async def test_a_cursor_is_its_networks_own(installation: Installation) -> None:
    """A partner with the same slug in another network cannot use the first partner's cursor."""
    async with installation.copy() as database, other_network(installation, database) as registry:
        pages = []
        for network in ("small", "other"):
            partner = await registry.partner("north", network)
            await partner.post("/clients", {"reference": "P-1"})
            made = [await record(partner, "P-1") for _ in range(2)]
            asked = question("P-1")
            for _ in made:
                assert (await partner.post("/decisions", asked)).json()["outcome"] == "permit"
            pages.append(
                (
                    partner,
                    (await search(partner, limit=1))["next"],
                    (await partner.get("/decisions?transfer=missing&limit=1")).json()["next"],
                )
            )
        (north, consents, decisions), (stranger, _, __) = pages
        assert (await north.post("/consents/search", {"limit": 1, "cursor": consents})).status_code == 200
        assert (await stranger.post("/consents/search", {"limit": 1, "cursor": consents})).status_code == 400
        path = f"/decisions?transfer=missing&limit=1&cursor={decisions}"
        assert [(await caller.get(path)).status_code for caller in (north, stranger)] == [200, 400]


@asynccontextmanager
async def other_network(installation: Installation, database: str) -> AsyncIterator[Registry]:
    """A registry with a second network whose partners have the slugs of the first network's."""
    plan = small_network()
    twin = msgspec.structs.replace(plan.network, network_id=98, slug="other", log_origin="registry.test/other")
    pool = await open_pool(installation.dsn(database), 2)
    try:
        runtime = Runtime(pool, load_keys(installation.keys), ISSUER)
        await establish_network(runtime, msgspec.structs.replace(plan, network=twin))
        partners = []
        for partner in plan.partners:
            if partner.selectable:
                client_id, client_secret = await issue_credential(runtime, twin, partner)
                partners.append({"slug": partner.slug, "client_id": client_id, "client_secret": client_secret})
    finally:
        await pool.close()
    networks = installation.networks | {"other": {"slug": "other", "partners": partners}}
    async with serving(dataclasses.replace(installation, networks=networks), database) as running:
        yield running
