"""What a removed act changed of somebody else's consent stays, and the log tells it again: nothing passes for it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.audit.leaf import make_leaf
from consent_registry.domain.errors import Conflict
from consent_registry.operations.erasures import ByReference, Erased, Eraser, perform_erasure, preview_erasure
from consent_registry.storage.clients import client_lock, lock_client_shared
from tests.erasing import erasing, north, search_everywhere, small
from tests.installation import Registry
from tests.journeys.log_check import Facts, check_log
from tests.journeys.office import Body, Office, office
from tests.journeys.test_links import code_of, redeem
from tests.journeys.test_renewal import renewing
from tests.operations.lives import GROUND, clients_of, erase
from tests.operations.test_replays import findings, tampering
from tests.operations.test_retentions import in_years, retain
from tests.replaying import require_equal
from tests.small_network import NUMBER


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers that were one client: north's consents, and south's reference by which they were changed."""

    first: Office
    second: Office
    client: str
    other: str
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
    other = await redeem(second, await code_of(first, client))
    later = await renewing(second, other, renewed)
    await first.post(f"/consents/{later['consent_id']}/confirmations", {})
    part = {"grants": [consent["grants"][0]["grant_id"]], "categories": ["contact"]}
    await second.post("/withdrawals", {"client": other, "channel": "letter"} | part)
    await second.post("/unlinkings", {"client": other})
    await require_equal(registry)
    return Pair(first, second, client, other, consent, renewed, later)


async def remainders(registry: Registry) -> list[Facts]:
    """Read the events that tell something again."""
    return [event for event in await check_log(registry) if event["kind"] == "remainder"]


async def test_an_erasure_tells_again_what_outlives_it(fresh_registry: Registry, eraser: Eraser) -> None:
    """Each consent's changes in an event about its client: what was withdrawn, of what, by which act, and when."""
    pair = await a_pair(fresh_registry)
    (client,) = await clients_of(fresh_registry, pair.consent)
    async with fresh_registry.sql() as connection:
        rows = await connection.fetch(
            "select act_id::text, kind from registry.grant_changes where client_id = $1 order by kind", client
        )
    await erase(eraser, _south(pair))
    await require_equal(fresh_registry)
    told = await remainders(fresh_registry)
    assert [(one["actor"], one["client"]) for one in told] == [("administration", client)] * 2
    assert {one["consent"] for one in told} == {pair.consent["consent_id"], pair.renewed["consent_id"]}
    changes = sorted((change for one in told for change in one["grants"]), key=lambda one: one["change"])
    assert [(one["act"], one["change"]) for one in changes] == [tuple(row) for row in rows]
    assert [(one["categories"], one["by"] is None) for one in changes] == [(None, False), (["contact"], True)]


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
    """With an act of its own, at a time whose events were erased, or by taking away or changing what is left."""
    pair = await a_pair(fresh_registry)
    await erase(eraser, _south(pair))
    async with tampering(fresh_registry) as connection:
        await connection.execute(forgery)
        (seen,) = await findings(connection, "small")
    assert seen.startswith(f"{code} grant_changes grant_id=")


async def test_it_goes_with_whom_it_is_about(fresh_registry: Registry, eraser: Eraser) -> None:
    """When the other is erased as well nothing of the two is left, and the log holds together."""
    pair = await a_pair(fresh_registry)
    ids = {pair.consent["consent_id"].encode(), pair.renewed["consent_id"].encode()}
    grants = {one["grants"][0]["grant_id"].encode() for one in (pair.consent, pair.renewed)}
    async with fresh_registry.sql() as connection:
        await erase(eraser, _south(pair))
        assert await search_everywhere(connection, ids | grants)
        await erase(eraser, north(pair.client))
        assert await search_everywhere(connection, ids | grants) == []
    assert await remainders(fresh_registry) == []
    await require_equal(fresh_registry)


async def test_it_goes_with_the_consent_it_is_about(fresh_registry: Registry, eraser: Eraser) -> None:
    """Retention tells again what outlives a withdrawal's event, and lets it go with the consent in the end."""
    first, second = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    client = await first.client()
    kept = await first.consent(client)
    other = await redeem(second, await code_of(first, client))
    ended = await second.consent(other)
    some = [kept["grants"][0]["grant_id"], ended["grants"][0]["grant_id"]]
    part = {"grants": some, "categories": ["contact"]}
    await second.post("/withdrawals", {"client": other, "channel": "letter"} | part)
    await second.post(f"/consents/{ended['consent_id']}/endings", {"reason": "case_closed"})
    await second.post("/unlinkings", {"client": other})
    await in_years(fresh_registry, 4)
    assert "consents" in [one.step for one in await retain(eraser)]
    (told,) = await remainders(fresh_registry)
    assert (told["consent"], [one["grant"] for one in told["grants"]]) == (kept["consent_id"], some[:1])
    await require_equal(fresh_registry)
    await in_years(fresh_registry, 20)
    await retain(eraser)
    assert await remainders(fresh_registry) == []
    await require_equal(fresh_registry)


async def test_it_waits_for_whom_it_is_about(fresh_registry: Registry, eraser: Eraser) -> None:
    """While somebody holds the other client the erasure waits. If the other is erased at the same moment no event about
    it is left: either nothing is told any more, or what was told is something new to erase, and it is previewed again.
    """
    pair = await a_pair(fresh_registry)
    (client,) = await clients_of(fresh_registry, pair.consent)
    async with fresh_registry.sql() as holder:
        holding = holder.transaction()
        await holding.start()
        await lock_client_shared(holder, NUMBER, client_lock(client))
        erasures = [asyncio.create_task(erase(eraser, one)) for one in (north(pair.client), _south(pair))]
        while await holder.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted") < 2:
            assert not any(one.done() for one in erasures)
            await asyncio.sleep(0.01)
        await holding.rollback()
        for one in await asyncio.gather(*erasures, return_exceptions=True):
            if isinstance(one, Conflict):
                await erase(eraser, north(pair.client))
            else:
                assert isinstance(one, Erased)
    assert await remainders(fresh_registry) == []
    await require_equal(fresh_registry)


def _south(pair: Pair) -> ByReference:
    return ByReference("south", pair.other)


async def test_nobody_erases_without_telling_it(fresh_registry: Registry, eraser: Eraser) -> None:
    """With the eraser's login and the previous release's call, or with a remainder that says something else."""
    pair = await a_pair(fresh_registry)
    network = await small(eraser)
    target = _south(pair)
    shown = await preview_erasure(eraser, network, target)
    before = await check_log(fresh_registry)
    (client,) = await clients_of(fresh_registry, pair.later)
    async with fresh_registry.sql("eraser") as connection:
        await connection.execute(f"set registry.network = {NUMBER}")
        spans = json.loads(await connection.fetchval("select registry.survey_clients($1, $2, '{}')", NUMBER, [client]))
        event = json.dumps({"indices": spans["indices"]}).encode()
        nonce = secrets.token_bytes(32)
        parts = (NUMBER, [client], secrets.token_hex(16), event, nonce, make_leaf(event, nonce))
        with pytest.raises(asyncpg.SerializationError, match="do not tell what is left"):
            await connection.execute(
                "select registry.erase_clients($1, $2::uuid[], '{}', 'unlawful', now(), $3, $4, $5, $6)", *parts
            )
        with pytest.raises(asyncpg.SerializationError, match="do not tell what is left"):
            await connection.execute(
                "select registry.erase_clients($1, $2::uuid[], '{}', 'unlawful', now(), array[$3::uuid, $3::uuid],"
                " array[null, $2[1]]::uuid[], array[$4::bytea, $4::bytea], array[$5::bytea, $5::bytea],"
                " array[$6::bytea, $6::bytea])",
                *parts,
            )
    assert await check_log(fresh_registry) == before
    await perform_erasure(eraser, network, target, ground=GROUND, confirmed=shown.digest)
    await require_equal(fresh_registry)
