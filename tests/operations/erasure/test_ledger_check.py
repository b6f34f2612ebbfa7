"""A restored backup is not ready before the persons erased since are erased again."""

from pathlib import Path

import asyncpg
import pytest

from consent_registry.domain.errors import Unusable
from consent_registry.operations.erasure.erasures import Eraser, perform_erasure, repeat_erasures
from consent_registry.storage.files.erasure_ledger import ErasureLedger
from tests.support.erasing import erasing, north, search_everywhere, small, traces
from tests.support.installation import Installation, Registry, serving
from tests.support.log_check import check_log
from tests.support.office import office


async def not_ready(registry: Registry) -> str | None:
    """The reason why the registry is not ready, probed again; None when it is ready."""
    readiness = registry.app.state.readiness
    readiness._asked_at = float("-inf")
    answer = await registry.http.get("/ready")
    return None if answer.status_code == 200 else str(answer.json()["detail"])


async def erase(eraser: Eraser, reference: str) -> None:
    """Erase a client of north's."""
    await perform_erasure(eraser, await small(eraser), north(reference), ground="unlawful", confirmed=None)


async def copied(installation: Installation, source: str, target: str) -> None:
    """Copy a database, as a restored backup."""
    admin = await asyncpg.connect(installation.cluster.dsn())
    try:
        await admin.execute(f"create database {target} template {source} strategy wal_log")
        await admin.execute(f"revoke temporary on database {target} from public")
    finally:
        await admin.close()


async def dropped(installation: Installation, name: str) -> None:
    """Drop a database."""
    admin = await asyncpg.connect(installation.cluster.dsn())
    try:
        await admin.execute(f"drop database if exists {name} with (force)")
    finally:
        await admin.close()


async def test_a_restored_backup_is_erased_again(installation: Installation, tmp_path: Path) -> None:
    """A backup from before an erasure is not ready and says what to do. After `erasure replay` it is ready, without any
    data of the erased person and with those of others.
    """
    ledger = tmp_path / "ledger"
    async with installation.copy() as database:
        backup = f"{database}_backup"
        async with serving(installation, database) as registry:
            office_north = await office(registry, "north")
            gone, stays = await office_north.client(), await office_north.client()
            consents = [(await office_north.consent(client))["consent_id"] for client in (gone, stays)]
        await copied(installation, database, backup)
        try:
            async with serving(installation, database, ledger=ledger) as registry:
                assert await not_ready(registry) is None
                async with erasing(registry, ledger) as eraser:
                    await erase(eraser, gone)
                assert await not_ready(registry) is None
            async with serving(installation, backup, ledger=ledger) as registry, registry.sql() as sql:
                assert "1 clients that were erased" in (await not_ready(registry) or "")
                assert "consent-registry erasure replay" in (await not_ready(registry) or "")
                clients = [
                    str(await sql.fetchval("select client_id from registry.consents where consent_id = $1", consent_id))
                    for consent_id in consents
                ]
                canaries = await traces(sql, clients[:1]) - await traces(sql, clients[1:])
                async with erasing(registry, ledger) as eraser:
                    assert len(await repeat_erasures(eraser)) == 1
                    assert await repeat_erasures(eraser) == []
                assert await not_ready(registry) is None
                assert await search_everywhere(sql, canaries) == []
                office_north = await office(registry, "north")
                assert await office_north.outcome(stays) == "permit"
                assert await office_north.outcome(gone) == "no_permission"
                await check_log(registry)
        finally:
            await dropped(installation, backup)


async def test_a_database_restored_under_a_running_server_is_noticed(
    installation: Installation, tmp_path: Path
) -> None:
    """The ledger is compared again when the erasures recorded in the database changed."""
    ledger = tmp_path / "ledger"
    async with installation.copy() as database, serving(installation, database, ledger=ledger) as registry:
        office_north = await office(registry, "north")
        client = await office_north.client()
        async with erasing(registry, ledger) as eraser:
            await erase(eraser, client)
        assert await not_ready(registry) is None
        lines = ledger.read_text()
        async with registry.sql() as sql:
            await sql.execute("set session_replication_role = replica")
            await sql.execute("delete from registry.erasures")
            back = ErasureLedger(ledger).entries()[0].clients[0]
            await sql.execute("insert into registry.clients values (99, $1::uuid, now())", back)
        assert "1 clients that were erased" in (await not_ready(registry) or "")
        assert ledger.read_text() == lines


@pytest.mark.parametrize("given", [True, False])
async def test_a_ledger_that_is_not_this_ones_is_found(
    installation: Installation, tmp_path: Path, *, given: bool
) -> None:
    """With recorded erasures, another ledger or none makes the registry unready, with the name of the setting."""
    async with installation.copy() as database:
        ledger = tmp_path / "another" if given else None
        async with serving(installation, database, ledger=ledger) as registry:
            assert await not_ready(registry) is None
            office_north = await office(registry, "north")
            client = await office_north.client()
            async with erasing(registry, tmp_path / "ledger") as eraser:
                await erase(eraser, client)
            assert "CONSENT_REGISTRY_ERASURE_LEDGER" in (await not_ready(registry) or "")


def test_a_ledger_survives_a_torn_line(tmp_path: Path) -> None:
    """A line cut off by a crash is ignored, and the next one is read."""
    ledger = ErasureLedger(tmp_path / "ledger")
    ledger.intend("one", "now", "small", ("a",), "unlawful")
    whole = (tmp_path / "ledger").read_bytes()
    (tmp_path / "ledger").write_bytes(whole + whole[:30])
    assert [line.erasure for line in ledger.entries()] == ["one"]
    ledger.intend("two", "now", "small", ("b",), "unlawful")
    assert [line.erasure for line in ledger.entries()] == ["one", "two"]
    ledger.settle("two", "abandoned", "now")
    ledger.settle("one", "done", "now")
    assert [line.erasure for line in ledger.entries()] == ["one"]


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """A file that is not a ledger is refused with the line, not taken for an empty ledger."""
    (tmp_path / "ledger").write_text("something else\n")
    with pytest.raises(Unusable, match="line 1"):
        ErasureLedger(tmp_path / "ledger").entries()
