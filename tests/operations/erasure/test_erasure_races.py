"""Erasures that race other commands: a command about the person comes before the erasure, or finds no client."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest_asyncio

from consent_registry.operations.erasure.erasures import Eraser, RecordedErasure, perform_erasure
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import ReadingLimits
from consent_registry.storage.clients.clients import client_lock, lock_client_shared
from tests.support.erasing import erasing, north, search_everywhere, small
from tests.support.installation import ROLES, Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.persons_with_history import GROUND, a_consent, clients_of, erase
from tests.support.small_network import NUMBER, consent_body, question


@pytest_asyncio.fixture(loop_scope="session")
async def eraser(registry: Registry, tmp_path: Path) -> AsyncIterator[Eraser]:
    """An eraser with a ledger that only this test uses."""
    async with erasing(registry, tmp_path / "ledger") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def patient(installation: Installation) -> AsyncIterator[Registry]:
    """A registry that waits half a minute for a client's lock where it usually waits a second.

    In these rounds nine commands hold the client's lock one after another. On a busy machine that takes longer than a
    second; the contract allows the answer 503 then, but it would show nothing about deadlocks.
    """
    make_runtime = partial(Runtime, limits=ReadingLimits(lock_patience=30.0))
    async with fresh(installation, make_runtime=make_runtime) as registry, registry.sql() as sql:
        login = f"{ROLES['app']} in database {registry.database}"
        await sql.execute(f"alter role {login} set lock_timeout = '30s'")
        await sql.execute(f"alter role {login} set statement_timeout = '60s'")
        await registry.app.state.shared.runtime.pool.expire_connections()
        yield registry


ROUNDS = 15
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"
ANSWERED = {200, 201, 404, 409, 422}


async def _everything_at_once(eraser: Eraser, first: Office, second: Office, number: int) -> tuple[str, Body, set[int]]:
    """Erase a client while both partners work with it; return its reference, its first consent and all statuses."""
    reference = await first.client()
    consent = await a_consent(first, reference)
    decision = await first.post("/decisions", question(reference), 200)
    path, north_system = f"/consents/{consent['consent_id']}", first.partner
    asked = f"/decisions/{decision['decision_id']}"
    commands = [
        north_system.post("/decisions", question(reference)),
        north_system.post("/decisions", question(reference, receipt=True)),
        north_system.post("/consents", consent_body(reference, first.text)),
        north_system.post("/consents", consent_body(reference, first.text)),
        north_system.post("/withdrawals", {"client": reference, "channel": "phone"}),
        second.partner.post("/withdrawals", {"receipt_code": consent["receipt_code"], "channel": "phone"}),
        second.partner.post(f"{path}/restrictions", {}),
        north_system.post(f"{path}/endings", {"reason": "case_closed"}),
        north_system.get(path),
        second.partner.get(path),
        north_system.post("/consents/search", {"client": reference}),
        north_system.post(f"{asked}/transfers", {"outcome": "sent", "categories": ["identity"]}),
        north_system.get(asked),
        north_system.post("/clients", {"reference": reference}),
    ]
    network = await small(eraser)
    erasure = perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=None)
    commands.insert(number % len(commands), erasure)  # type: ignore[arg-type]
    results = await asyncio.gather(*commands)
    return reference, consent, {result.status_code for result in results if not isinstance(result, RecordedErasure)}


async def test_in_the_middle_of_everything(patient: Registry, tmp_path: Path) -> None:
    """Decisions, consents, withdrawals, reads, reports and a registration at the moment of an erasure are all answered,
    none with a deadlock, and no data of the erased client remain.
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
                canaries = {name.encode() for name in (*line.clients, consent["consent_id"], reference)}
                assert await search_everywhere(connection, canaries) == []
                assert await connection.fetchval(DEADLOCKS) == deadlocks
    await check_log(patient)


async def test_it_waits_for_whoever_reads(registry: Registry, eraser: Eraser) -> None:
    """An erasure waits for a command that reads the client: what that command writes would survive the erasure."""
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
    """Control: without the locks in the database's function, an erasure does not wait for a reader."""
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
