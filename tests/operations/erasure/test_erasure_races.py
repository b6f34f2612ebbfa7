"""Erasing a person in the middle of everything: whoever writes about it comes before, or finds nobody."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from consent_registry.operations.decisions import queue
from consent_registry.operations.erasure.erasures import Erased, Eraser, perform_erasure
from consent_registry.storage.clients.clients import client_lock, lock_client_shared
from tests.support.erasing import erasing, north, search_everywhere, small
from tests.support.installation import ROLES, Registry
from tests.support.lives import GROUND, a_consent, clients_of, erase
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import NUMBER, consent_body, question


@pytest_asyncio.fixture(loop_scope="session")
async def eraser(registry: Registry, tmp_path: Path) -> AsyncIterator[Eraser]:
    """The eraser's door, with a ledger of this test's own."""
    async with erasing(registry, tmp_path / "ledger") as door:
        yield door


@pytest_asyncio.fixture(loop_scope="session")
async def patient(fresh_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that waits half a minute for a client's lock where it usually waits a second.

    Nine acts hold the one client's lock one after another in these rounds. On a busy machine that takes longer than a
    second, and whoever then hears 503 hears it by contract: it would say nothing about deadlocks.
    """
    monkeypatch.setattr(queue, "PATIENCE", 30.0)
    async with fresh_registry.sql() as sql:
        login = f"{ROLES['app']} in database {fresh_registry.database}"
        await sql.execute(f"alter role {login} set lock_timeout = '30s'")
        await sql.execute(f"alter role {login} set statement_timeout = '60s'")
    await fresh_registry.app.state.shared.runtime.pool.expire_connections()
    return fresh_registry


ROUNDS = 15
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"
ANSWERED = {200, 201, 404, 409, 422}


async def _everything_at_once(eraser: Eraser, first: Office, second: Office, number: int) -> tuple[str, Body, set[int]]:
    """Erase a client while everybody works with it; return reference, first consent and the statuses answered."""
    reference = await first.client()
    consent = await a_consent(first, reference)
    decision = await first.post("/decisions", question(reference), 200)
    path, one = f"/consents/{consent['consent_id']}", first.partner
    acts = [
        one.post("/decisions", question(reference)),
        one.post("/decisions", question(reference, receipt=True)),
        one.post("/consents", consent_body(reference, first.text)),
        one.post("/consents", consent_body(reference, first.text)),
        one.post("/withdrawals", {"client": reference, "channel": "phone"}),
        second.partner.post("/withdrawals", {"receipt_code": consent["receipt_code"], "channel": "phone"}),
        second.partner.post(f"{path}/restrictions", {}),
        one.post(f"{path}/endings", {"reason": "case_closed"}),
        one.get(path),
        second.partner.get(path),
        one.post("/consents/search", {"client": reference}),
        one.post(f"/decisions/{decision['decision_id']}/transfers", {"outcome": "sent", "categories": ["identity"]}),
        one.get(f"/decisions/{decision['decision_id']}"),
        one.post("/clients", {"reference": reference}),
    ]
    network = await small(eraser)
    erasure = perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=None)
    acts.insert(number % len(acts), erasure)  # type: ignore[arg-type]
    results = await asyncio.gather(*acts)
    return reference, consent, {one.status_code for one in results if not isinstance(one, Erased)}


async def test_in_the_middle_of_everything(patient: Registry, tmp_path: Path) -> None:
    """Decisions, consents, withdrawals, reads, reports and a new registration at the moment of an erasure: each is
    answered, none is refused for a deadlock, and nothing of the erased client is left by any of them.
    """
    first, second = await office(patient, "north"), await office(patient, "south")
    async with patient.sql() as connection:
        deadlocks = await connection.fetchval(DEADLOCKS)
    async with erasing(patient, tmp_path / "ledger") as eraser:
        for number in range(ROUNDS):
            reference, consent, statuses = await _everything_at_once(eraser, first, second, number)
            assert statuses <= ANSWERED, statuses
            (line,) = eraser.ledger.entries()[-1:]
            async with patient.sql() as connection:
                canaries = {one.encode() for one in line.clients} | {consent["consent_id"].encode(), reference.encode()}
                assert await search_everywhere(connection, canaries) == []
                assert await connection.fetchval(DEADLOCKS) == deadlocks
    await check_log(patient)


async def test_it_waits_for_whoever_reads(registry: Registry, eraser: Eraser) -> None:
    """While an answer about the client is being written the erasure waits: what is written would survive it."""
    first = await office(registry, "north")
    reference = await first.client()
    consent = await first.consent(reference)
    (client,) = await clients_of(registry, consent)
    async with registry.sql() as reader:
        reading = reader.transaction()
        await reading.start()
        await lock_client_shared(reader, NUMBER, client_lock(client))
        erasure = asyncio.create_task(erase(eraser, north(reference)))
        while not await reader.fetchval(
            "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
        ):
            assert not erasure.done()
            await asyncio.sleep(0.01)
        await reading.rollback()
        await erasure


async def test_without_its_locks_it_would_not_wait(fresh_registry: Registry, tmp_path: Path) -> None:
    """Control: with the locks taken out of the database's function the erasure passes by a reader."""
    first = await office(fresh_registry, "north")
    reference = await first.client()
    consent = await first.consent(reference)
    (client,) = await clients_of(fresh_registry, consent)
    async with fresh_registry.sql() as reader, erasing(fresh_registry, tmp_path / "ledger") as eraser:
        source = await reader.fetchval("select pg_get_functiondef('registry.lock_clients'::regproc)")
        assert "perform pg_advisory_xact_lock((3 << 20) | p_network, number);" in source
        await reader.execute(source.replace("perform pg_advisory_xact_lock((3 << 20) | p_network, number);", "null;"))
        async with reader.transaction():
            await lock_client_shared(reader, NUMBER, client_lock(client))
            await erase(eraser, north(reference))
