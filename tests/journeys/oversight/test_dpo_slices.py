"""A search of the log must not show how many partners know a client, nor whose consents a void text was."""

import uuid
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from consent_registry.operations.runtime.commands import new_id, new_ids
from tests.support.dpo_searches import EXPORTS, search, search_all
from tests.support.installation import Partner, Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.small_network import NUMBER, PARTNERS, question


async def links_told(dpo: Partner, client: str) -> list[int]:
    """The number of links shown by kind, by client, and in each export."""
    counts = [len(await search_all(dpo, kind="link", limit=1)), len(await search_all(dpo, kind="link", client=client))]
    for kind in ("jsonl", "csv"):
        answer = await dpo.post(EXPORTS, {"format": kind, "kind": "link"})
        counts.append(len(answer.text.splitlines()) - (kind == "csv"))
    return counts


async def test_a_link_does_not_tell_how_many_know_the_client(fresh_registry: Registry) -> None:
    """South joins a person that north and east know, with a code of east's. In every search and export it sees one link
    and no client id of others, so it cannot learn how many partners know its client.
    """
    registry = fresh_registry
    offices = [await office(registry, slug) for slug in ("north", "east", "south")]
    names = [await partner_office.client() for partner_office in offices]
    for (giver, given), (taker, taken) in pairwise(zip(offices, names, strict=True)):
        code = (await giver.post("/link-codes", {"client": given}))["link_code"]
        await taker.post("/clients", {"reference": taken, "link_code": code}, 200)
    async with registry.sql() as sql:
        rows = await sql.fetch("select client_id::text from registry.client_references where network_id = 99")
        links = await sql.fetchval("select count(*) from registry.events where network_id = 99 and kind = 23")
    numbers = {row[0] for row in rows}
    assert (len(numbers), links) == (3, 2 + 3)
    for slug, name, count in zip(("north", "east", "south"), names, (0, 1, 1), strict=True):
        dpo = await registry.dpo(slug)
        assert await links_told(dpo, name) == [count] * 4, slug
        everything = msgspec.json.encode(await search_all(dpo)).decode()
        assert len([number for number in numbers if number in everything]) == 1, slug
    await check_log(registry)


async def test_a_void_text_does_not_tell_whose_consents_it_was(fresh_registry: Registry) -> None:
    """When the administration voids a text, it sees the number of consents, but no client, consent or time."""
    north, admin = await office(fresh_registry, "north"), await fresh_registry.partner("admin")
    consent = await north.consent(await north.client())
    void = {"text": north.text, "reason": "vague_text"}
    answer = await admin.post("/text-invalidations", void, Idempotency_Key=str(uuid.uuid4()))
    assert (answer.status_code, answer.json()["consents"]) == (201, 1), answer.text
    (found,) = await search_all(admin, kind=["invalidation", "text_invalidation"])
    assert (found["kind"], found["event"]["consents"]) == ("text_invalidation", 1)
    assert consent["consent_id"] not in msgspec.json.encode(await search_all(admin)).decode()
    assert consent["consent_id"] not in (await admin.post(EXPORTS, {"format": "jsonl"})).text
    assert (await search(admin, kind="invalidation")) == {"items": [], "next": None}


async def test_what_was_overtaken_by_a_large_batch_is_within_its_time(fresh_registry: Registry) -> None:
    """A batch reads its clock, and a later question is recorded before the batch ends, so the later question has the
    lower place. A search limited by either time finds both.
    """
    north = await office(fresh_registry, "north")
    asked = await north.post("/decisions", question("somebody"), 200)
    first = datetime.fromisoformat(asked["decided_at"]) + timedelta(milliseconds=5)
    second = first + timedelta(milliseconds=5)
    later = new_id(second)
    await append(fresh_registry, second, [later], PARTNERS["north"])
    await append(fresh_registry, first, new_ids(first, 1000), PARTNERS["south"])
    dpo = await fresh_registry.dpo("north")
    found = await search_all(dpo, kind="decision", **{"from": stamp(first)}, until=stamp(second + timedelta(seconds=1)))
    await forget(fresh_registry, asked["log"]["index"])
    assert [item["id"] for item in found] == [later]


async def append(registry: Registry, at: datetime, ids: list[str], partner_id: int) -> None:
    """Append questions of one partner that were all decided at one time."""
    async with registry.sql() as sql:
        row = await sql.fetchrow("select event, nonce from registry.events where network_id = 99 and kind = 1 limit 1")
        assert row is not None
        await sql.execute(
            """
            select registry.append($1, $2, $3::uuid[], array_fill(null::uuid, n), array_fill($4::integer, n),
                array_fill($4::integer, n), array_fill(3, n), array_fill(1::smallint, n), array_fill(1::smallint, n),
                array_fill(3::smallint, n), array_fill(null::text, n), array_fill($5::bytea, n),
                array_fill($6::bytea, n), array_fill('\\x01'::bytea || $6, n))
            from (select array[cardinality($3::uuid[])]) as length (n)
            """,
            NUMBER,
            at,
            ids,
            partner_id,
            row["event"],
            row["nonce"],
        )


async def forget(registry: Registry, index: int) -> None:
    """Remove the events and leaves after this place: their leaves do not verify."""
    async with registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        await sql.execute("delete from registry.events where network_id = 99 and log_index > $1", index)
        await sql.execute("delete from registry.leaves where network_id = 99 and log_index > $1", index)


def stamp(at: datetime) -> str:
    """The instant in wire format."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
