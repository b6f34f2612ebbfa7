"""The demonstration as it is after loading: enough of everything, counted in the tables and through the API."""

from collections import Counter
from typing import Any

import pytest

from consent_registry.demo.documents import (
    SLUGS,
)
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office

WITH_FLOWS = [slug for slug in SLUGS if slug != "widunetz"]
with_flows = pytest.mark.parametrize("slug", WITH_FLOWS)


async def _count(registry: Registry, slug: str) -> Counter[str]:
    """Count what a network's tables hold, and its flows by basis."""
    counts: Counter[str] = Counter()
    async with registry.sql() as connection:
        number = await connection.fetchval("select network_id from registry.networks where slug = $1", slug)
        for table in ("clients", "consents", "grants", "withdrawals", "texts", "leaves", "receipt_codes"):
            counts[table] = await connection.fetchval(
                f"select count(*) from registry.{table} where network_id = $1",  # noqa: S608
                number,
            )
        rows = await connection.fetch(
            "select basis, norm is not null as norm from registry.flows where network_id = $1", number
        )
    return counts + Counter(f"{row['basis']} {'with' if row['norm'] else 'without'} norm" for row in rows)


async def _states_in_tables(registry: Registry, slug: str) -> Counter[str]:
    """Work out each consent's state from its grants, their ends and what was withdrawn, in SQL of the test's own."""
    async with registry.sql() as connection:
        rows = await connection.fetch(
            """
            select consent_id, count(*) as grants, count(*) filter (where valid_until <= now()) as over,
                count(*) filter (where exists (select from registry.grant_changes c
                    where c.grant_id = g.grant_id and c.kind = 'withdrawn' and c.category_ids is null)) as gone,
                count(*) filter (where exists (select from registry.grant_changes c
                    where c.grant_id = g.grant_id and c.kind = 'withdrawn')) as touched
            from registry.grants g join registry.networks n using (network_id) where n.slug = $1 group by consent_id
            """,
            slug,
        )
    states: Counter[str] = Counter()
    for row in rows:
        if row["gone"] == row["grants"]:
            states["withdrawn"] += 1
        elif row["over"] == row["grants"]:
            states["expired"] += 1
        else:
            states["withdrawn in part" if row["touched"] else "given"] += 1
    return states


async def _all_consents(registry: Registry, slug: str) -> dict[str, dict[str, Any]]:
    """Read every consent as its recorder sees it, page by page."""
    found: dict[str, dict[str, Any]] = {}
    for entry in registry.installation.networks[slug]["partners"]:
        partner = await office(registry, entry["slug"], slug)
        cursor = None
        while True:
            body = {"limit": 50} if cursor is None else {"limit": 50, "cursor": cursor}
            page = await partner.post("/consents/search", body, 200)
            found |= {item["consent_id"]: item for item in page["items"] if item["recorded_by"] == entry["slug"]}
            cursor = page["next"]
            if cursor is None:
                break
    return found


@with_flows
async def test_each_network_has_enough_of_everything(just_loaded: Registry, slug: str) -> None:
    """At least 40 clients, 60 consents, 6 consent flows and 2 statutory ones with norm, each state among them."""
    counts = await _count(just_loaded, slug)
    assert counts["clients"] >= 40
    assert counts["consents"] >= 60
    assert counts["receipt_codes"] == counts["consents"]
    assert counts["consent without norm"] >= 6
    assert counts["statute with norm"] >= 2
    assert counts["statute without norm"] == 0
    states = await _states_in_tables(just_loaded, slug)
    assert all(states[state] >= 2 for state in ("given", "expired", "withdrawn", "withdrawn in part")), states
    assert states.total() == counts["consents"]


@with_flows
async def test_the_interface_shows_the_same_states(just_loaded: Registry, slug: str) -> None:
    """Counted through the partners' searches the states are those of the tables, with the texts in all languages."""
    consents = await _all_consents(just_loaded, slug)
    shown: Counter[str] = Counter()
    for consent in consents.values():
        touched = any(grant["withdrawn_categories"] for grant in consent["grants"])
        shown["withdrawn in part" if consent["status"] == "given" and touched else consent["status"]] += 1
    assert shown == await _states_in_tables(just_loaded, slug)
    assert {consent["text"]["language"] for consent in consents.values()} == {"de", "en", "ar", "uk", "tr"}


@with_flows
async def test_the_example_is_permitted(just_loaded: Registry, slug: str) -> None:
    """The example of demo.json is answered permit, and what the network's log says is what its tables hold."""
    example = just_loaded.installation.networks[slug]["permit_example"]
    partner = await office(just_loaded, example["partner"], slug)
    assert (await partner.post("/decisions", example["request"], 200))["outcome"] == "permit"
    await check_log(just_loaded, slug)


async def test_widunetz_is_empty(just_loaded: Registry) -> None:
    """Membership gives no right: partners and an agreement, and neither flow, client, consent nor example."""
    counts = await _count(just_loaded, "widunetz")
    assert set(counts) == {"leaves"}
    assert "permit_example" not in just_loaded.installation.networks["widunetz"]
    assert {event["kind"] for event in await check_log(just_loaded, "widunetz")} <= {
        "catalogue",
        "credential",
        "read",
    }
