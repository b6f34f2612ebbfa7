"""A partner's transaction reads no other partner's facts for findings."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest

from consent_registry.storage.clients.unlinkings import permits_on_undone_links
from consent_registry.storage.database.database import Connection, begin_sql
from consent_registry.storage.oversight import findings, lookups
from consent_registry.storage.oversight.findings import Slice
from tests.support.installation import Registry
from tests.support.office import Office, office
from tests.support.small_network import NUMBER, PARTNERS, question

NORTH, SOUTH = PARTNERS["north"], PARTNERS["south"]
BACK = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
Read = Callable[[Connection, Slice], Awaitable[list[object]]]


async def _wrong(connection: Connection, asked: Slice) -> list[object]:
    return list(await lookups.wrong_codes(connection, asked, "link_code"))


async def _repeated(connection: Connection, asked: Slice) -> list[object]:
    return list(await lookups.repeated_lookups(connection, asked, 1))


async def _links(connection: Connection, asked: Slice) -> list[object]:
    return list(await permits_on_undone_links(connection, *asked))


READS: dict[str, Read] = {
    "sent in": findings.sent_in,  # type: ignore[dict-item]
    "unreported": findings.unreported_permits,  # type: ignore[dict-item]
    "unproven": findings.consents_without_evidence,  # type: ignore[dict-item]
    "refused": lookups.refused_lookups,  # type: ignore[dict-item]
    "repeated": _repeated,
    "wrong codes": _wrong,
    "links": _links,
}


async def a_full_day(north: Office, south: Office) -> None:
    """Make north do everything that findings are about."""
    client = await north.client()
    theirs = await south.client()
    await north.consent(client)
    asked = await north.post("/decisions", question(client), 200)
    report = {"outcome": "sent", "categories": ["identity", "debts"]}
    await north.post(f"/decisions/{asked['decision_id']}/transfers", report)
    await north.post("/clients", {"reference": "N-1", "link_code": "0000-0000-0000"}, 422)
    await north.outcome("unknown")
    code = (await south.post("/link-codes", {"client": theirs}))["link_code"]
    await north.post("/clients", {"reference": client, "link_code": code}, 200)
    consent = await south.consent(theirs, purpose="housing")
    await north.post(f"/consents/{consent['consent_id']}/confirmations", {})
    assert await north.outcome(client, purpose="housing") == "permit"
    await north.post("/unlinkings", {"client": client})


async def slice_of(connection: asyncpg.Connection, partner_id: int) -> Slice:
    """The period of the last day."""
    end = await connection.fetchval("select statement_timestamp()")
    return (NUMBER, partner_id, end - timedelta(days=1), end)


@pytest.fixture(scope="module")
async def lived(registry: Registry) -> Registry:
    """The registry after that day, with one consent without evidence."""
    await a_full_day(await office(registry, "north"), await office(registry, "south"))
    async with registry.sql() as owner:
        await owner.execute("set session_replication_role = replica")
        await owner.execute("update registry.consents set evidence_sha256 = null where recorder_id = $1", NORTH)
    return registry


@pytest.mark.parametrize("name", READS)
async def test_nobody_reads_in_anothers_name(lived: Registry, name: str) -> None:
    """With north's rights the statements give north's rows, with another partner's, another network's or none they give
    none. The recipient of a consent also sees that its evidence is missing.
    """
    async with lived.sql("app") as connection:
        for network_id, partners, number in (
            (NUMBER, [NORTH], 1),
            (NUMBER, [SOUTH], int(name == "unproven")),
            (NUMBER, [PARTNERS["east"]], 0),
            (NUMBER, [], 0),
            (NUMBER + 1, [NORTH], 0),
            (NUMBER, [0], 0),
        ):
            await connection.execute(begin_sql(network_id, partners))
            found = await READS[name](connection, await slice_of(connection, NORTH))
            assert (len(found) > 0) is (number > 0), (network_id, partners, found)
            if number:
                assert await READS[name](connection, await slice_of(connection, SOUTH)) == []
            await connection.execute("rollback")
        if name != "wrong codes":
            await connection.execute("begin")
            assert await READS[name](connection, await slice_of(connection, NORTH)) == []
            await connection.execute("rollback")


async def test_decisions_and_grants_are_cut_as_well(lived: Registry) -> None:
    """Only its sender reads a decision's bytes, and only its partners read a grant."""
    async with lived.sql() as owner:
        ids = await owner.fetch("select event_id from registry.events where kind = 1 and actor_id = $1", NORTH)
        grants = await owner.fetch("select grant_id from registry.grants where network_id = $1", NUMBER)
    decisions = [str(row[0]) for row in ids]
    grant_ids = [str(row[0]) for row in grants]
    async with lived.sql("app") as connection:
        for partner, decided, granted in (("north", len(ids), len(grants)), ("south", 0, len(grants)), ("east", 0, 0)):
            await connection.execute(begin_sql(NUMBER, [PARTNERS[partner]]))
            for asked in (NORTH, PARTNERS[partner]):
                assert len(await findings.decisions(connection, NUMBER, asked, decisions)) == decided, partner
            assert len({row.grant_id for row in await findings.used_grants(connection, NUMBER, grant_ids)}) == granted
            await connection.execute("rollback")


async def test_no_ids_are_no_question(lived: Registry) -> None:
    """Without ids no statement runs."""
    async with lived.sql("app") as connection:
        assert await findings.decisions(connection, NUMBER, NORTH, []) == []
