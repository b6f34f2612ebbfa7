"""Retention removes each class when it is due and never before, and nothing under a legal hold."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from consent_registry.domain.errors import Malformed
from consent_registry.domain.retention_classes import USE_KINDS
from consent_registry.domain.retention_rules import last_reliance
from consent_registry.operations.erasure.erasures import Eraser
from consent_registry.operations.erasure.retention import (
    RecordedRetention,
    perform_retention,
    preview_retention,
    set_periods,
)
from consent_registry.storage.erasure.retention import read_client_records, read_periods
from tests.support.erasing import administering, erasing, hold, lift, north, search_everywhere, small, traces
from tests.support.installation import Registry
from tests.support.log_check import Facts, check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import NUMBER, consent_body

THIS_YEAR = datetime.now(UTC).year
# Consents of these tests are given now for 24 months; their proof is kept three calendar years longer.
CONSENTS_DUE = 6


@pytest_asyncio.fixture(loop_scope="session")
async def eraser(fresh_registry: Registry, tmp_path: Path) -> AsyncIterator[Eraser]:
    """An eraser on this registry."""
    async with erasing(fresh_registry, tmp_path / "ledger") as opened:
        yield opened


async def in_years(registry: Registry, years: int) -> None:
    """Move retention's clock so many years ahead."""
    async with registry.sql() as connection:
        await connection.execute(
            "create or replace function registry.retention_now() returns timestamptz language sql stable as"
            f" $$ select statement_timestamp() + interval '{years} years' $$"
        )


async def retain(eraser: Eraser, batch: int = 1000) -> list[RecordedRetention]:
    """Run retention in the small network."""
    return await perform_retention(eraser, await small(eraser), batch=batch)


async def kinds(registry: Registry) -> dict[str, int]:
    """Count the remaining events by kind, and check the log."""
    left: dict[str, int] = {}
    for event in await check_log(registry):
        left[event["kind"]] = left.get(event["kind"], 0) + 1
    return left


async def used(first: Office) -> tuple[str, Body]:
    """Register a client with a consent, and use it four times: decision, transfer, read, and a question about nobody;
    return the reference and the consent.
    """
    client = await first.client()
    consent = await first.consent(client)
    decision = await first.post(
        "/decisions",
        {"client": client, "recipient": "south", "purpose": "support", "categories": ["identity"]},
        200,
    )
    await first.post(f"/decisions/{decision['decision_id']}/transfers", {"outcome": "sent", "categories": ["identity"]})
    await first.get(f"/consents/{consent['consent_id']}")
    await first.outcome("nobody")
    return client, consent


async def test_nothing_goes_before_its_time(fresh_registry: Registry, eraser: Eraser) -> None:
    """Nothing is due today or three years later; the preview shows that and changes nothing."""
    first = await office(fresh_registry, "north")
    await used(first)
    log = await check_log(fresh_registry)
    for years in (0, 3):
        await in_years(fresh_registry, years)
        shown = await preview_retention(eraser, await small(eraser))
        assert (shown.uses, shown.consents, shown.clients) == ({}, 0, 0)
        assert await retain(eraser) == []
    assert await check_log(fresh_registry) == log


async def test_uses_go_by_age_and_consents_when_nobody_relies_on_them(fresh_registry: Registry, eraser: Eraser) -> None:
    """In the fourth year decisions, transfers and reads are removed, and the consent stays. After the third year from
    its end the consent is removed with its events, then the client, and no data of it remain.
    """
    first = await office(fresh_registry, "north")
    client, consent = await used(first)
    before = await kinds(fresh_registry)
    await in_years(fresh_registry, 4)
    shown = await preview_retention(eraser, await small(eraser))
    assert shown.uses == {"decision": 2, "transfer": 1, "read": 1}
    (step,) = await retain(eraser)
    assert (step.step, step.events) == ("uses", 4)
    left = await kinds(fresh_registry)
    assert left == {kind: n for kind, n in before.items() if kind not in shown.uses} | {"retention": 1}
    assert await first.outcome(client) == "permit"
    async with fresh_registry.sql() as connection:
        clients = [
            str(await connection.fetchval("select client_id from registry.clients where network_id = $1", NUMBER))
        ]
        canaries = await traces(connection, clients)
        await in_years(fresh_registry, CONSENTS_DUE)
        steps = await retain(eraser)
        assert [step.step for step in steps] == ["uses", "consents", "clients"]
        assert await search_everywhere(connection, canaries) == []
    left = await kinds(fresh_registry)
    assert set(left) == {"catalogue", "credential", "retention"}
    assert (await first.get(f"/consents/{consent['consent_id']}", 404))["status"] == 404


async def test_a_withdrawn_consent_goes_before_one_that_went_on(fresh_registry: Registry, eraser: Eraser) -> None:
    """A withdrawn consent is removed in the fourth year; another consent of the same client stays, and the withdrawal,
    which counts for papers to come.
    """
    first = await office(fresh_registry, "north")
    client = await first.client()
    ended, goes_on = await first.consent(client), await first.consent(client, purpose="housing")
    await first.post("/withdrawals", {"consent_id": ended["consent_id"], "channel": "phone"})
    await in_years(fresh_registry, 4)
    shown = await preview_retention(eraser, await small(eraser))
    assert (shown.consents, shown.events_of_consents) == (1, 1)
    assert [step.step for step in await retain(eraser)] == ["consents"]
    left = await kinds(fresh_registry)
    assert (left["consent"], left["client"], left.get("withdrawal"), left.get("padding")) == (1, 1, 1, None)
    await first.get(f"/consents/{ended['consent_id']}", 404)
    await first.get(f"/consents/{goes_on['consent_id']}")
    await check_log(fresh_registry)


async def test_what_one_act_changed_goes_together(fresh_registry: Registry, eraser: Eraser) -> None:
    """A consent that was void stays as long as another consent changed by the same restriction: no event may refer to
    rows that are gone.
    """
    first = await office(fresh_registry, "north")
    client = await first.client()
    goes_on = await first.consent(client)
    renewing = consent_body(client, first.text) | {"renews": goes_on["consent_id"]}
    void = await first.post("/consents", renewing)
    await first.post(f"/consents/{goes_on['consent_id']}/restrictions", {"categories": ["contact"]})
    await first.post(f"/consents/{void['consent_id']}/invalidations", {"reason": "form"})
    await in_years(fresh_registry, 4)
    assert await retain(eraser) == []
    await first.get(f"/consents/{goes_on['consent_id']}")
    await in_years(fresh_registry, CONSENTS_DUE)
    steps = await retain(eraser)
    assert [(step.step, step.consents, step.clients) for step in steps if step.step != "uses"] == [
        ("consents", 2, 0),
        ("clients", 0, 1),
    ]
    await check_log(fresh_registry)


async def test_a_transfer_is_reliance(fresh_registry: Registry) -> None:
    """The period of a withdrawn consent begins with the last transfer made under it, however late that was."""
    first = await office(fresh_registry, "north")
    _, consent = await used(first)
    await first.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})
    async with fresh_registry.sql() as connection:
        client = str(await connection.fetchval("select client_id from registry.consents where network_id = $1", NUMBER))
        await connection.execute(f"set registry.network = '{NUMBER}'")
        for more in (0, 2):
            await connection.execute("set session_replication_role = replica")
            later = "update registry.transfers set recorded_at = recorded_at + make_interval(years => $1)"
            await connection.execute(later, more)
            (record,) = await read_client_records(connection, NUMBER, [client])
            (given,) = record.consents
            assert given.consent_id == consent["consent_id"]
            assert last_reliance(given, record.transfers).year == THIS_YEAR + more


async def test_a_hold_stands_against_it(fresh_registry: Registry, eraser: Eraser) -> None:
    """A client under a legal hold keeps every event and row; they are removed once the hold is lifted."""
    first = await office(fresh_registry, "north")
    held, consent = await used(first)
    await used(first)
    hold_id = await hold(fresh_registry, north(held))
    await in_years(fresh_registry, CONSENTS_DUE)
    assert (await preview_retention(eraser, await small(eraser))).held == 1
    steps = await retain(eraser)
    assert [(step.step, step.events) for step in steps] == [("uses", 5), ("consents", 1), ("clients", 1)]
    left = await kinds(fresh_registry)
    kept = {"client": 1, "consent": 1, "decision": 1, "transfer": 1, "read": 1, "hold": 1}
    assert kept.items() <= left.items()
    assert await first.outcome(held) == "permit"
    await lift(fresh_registry, hold_id)
    await retain(eraser)
    assert set(await kinds(fresh_registry)) == {"catalogue", "credential", "retention"}
    await first.get(f"/consents/{consent['consent_id']}", 404)


async def test_in_small_steps_it_is_the_same(fresh_registry: Registry, eraser: Eraser) -> None:
    """With a batch size of one, each step has its event, and the result is the same."""
    first = await office(fresh_registry, "north")
    for _ in range(2):
        await used(first)
    await in_years(fresh_registry, CONSENTS_DUE)
    steps = await retain(eraser, batch=1)
    assert [step.step for step in steps] == ["uses"] * 8 + ["consents"] * 2 + ["clients"] * 2
    assert set(await kinds(fresh_registry)) == {"catalogue", "credential", "retention"}


async def test_nothing_permanent_ever_goes(fresh_registry: Registry, eraser: Eraser) -> None:
    """After a hundred years the log still has its catalogue and the records of all removals."""
    first = await office(fresh_registry, "north")
    await used(first)
    await in_years(fresh_registry, CONSENTS_DUE)
    await retain(eraser)
    log = await check_log(fresh_registry)
    await in_years(fresh_registry, 100)
    assert await retain(eraser) == []
    assert await check_log(fresh_registry) == log


async def test_each_network_has_its_periods(fresh_registry: Registry, eraser: Eraser) -> None:
    """Setting periods is logged, and takes effect at once and for this network only; an invalid period is refused."""
    first = await office(fresh_registry, "north")
    await used(first)
    async with administering(fresh_registry) as (runtime, network):
        await set_periods(runtime, network, 1, 10)
        for wrong in ((0, 3), (3, 31)):
            with pytest.raises(Malformed):
                await set_periods(runtime, network, *wrong)
    said: list[Facts] = [event for event in await check_log(fresh_registry) if "retention" in event]
    assert [event["retention"] for event in said] == [{"use_years": 1, "consent_years": 10}]
    await in_years(fresh_registry, 2)
    shown = await preview_retention(eraser, await small(eraser))
    assert (shown.use_years, shown.consent_years, sum(shown.uses.values())) == (1, 10, 4)
    await in_years(fresh_registry, CONSENTS_DUE)
    assert [step.step for step in await retain(eraser)] == ["uses"]
    async with fresh_registry.sql() as connection:
        elsewhere = await read_periods(connection, 1)
    assert (elsewhere.use_years, elsewhere.consent_years) == (3, 3)


async def test_the_event_says_what_went(fresh_registry: Registry, eraser: Eraser) -> None:
    """The retention event has ranges, counts and periods, but no client; test_retention_refusals.py omits it."""
    first = await office(fresh_registry, "north")
    await used(first)
    await in_years(fresh_registry, 4)
    (step,) = await retain(eraser)
    (said,) = [event for event in await check_log(fresh_registry) if event["kind"] == "retention"]
    assert said["client"] is None
    assert sum(high - low + 1 for low, high in said["indices"]) == step.events == said["events"]
    assert set(said) == {
        *("v", "kind", "id", "at", "network", "actor", "client"),
        *("step", "use_years", "consent_years", "consents", "clients", "events", "indices"),
    }
    await first.outcome("nobody")


async def test_partitions_go_when_they_are_empty(fresh_registry: Registry, eraser: Eraser) -> None:
    """A past month's partition is dropped when no network has an event in it, and otherwise stays unchanged."""
    async with fresh_registry.sql() as connection:
        for month in ("202001", "202002"):
            await connection.execute(
                f"create table registry.events_{month} partition of registry.events"
                f" for values from ('{month[:4]}-{month[4:]}-01') to ('{month[:4]}-{month[4:]}-02')"
            )
            await connection.execute(f"alter table registry.events_{month} owner to consent_registry_owner")
            await connection.execute(f"alter table registry.events_{month} force row level security")
        await connection.execute("set session_replication_role = replica")
        await connection.execute(
            "insert into registry.events (log_index, at, event_id, network_id, kind, nonce, event)"
            " values (0, '2020-02-01 12:00+00', gen_random_uuid(), 77, 1, $1, '')",
            bytes(32),
        )
        await retain(eraser)
        left = await connection.fetch(
            "select relname, relforcerowsecurity from pg_class where relname in ('events_202001', 'events_202002')"
        )
    assert [tuple(row) for row in left] == [("events_202002", True)]


async def test_what_a_newer_release_wrote_stays(fresh_registry: Registry, eraser: Eraser) -> None:
    """An event of an unknown kind is never removed, although it is older than every period."""
    first = await office(fresh_registry, "north")
    await used(first)
    async with fresh_registry.sql() as connection:
        place = await connection.fetchval(
            "select max(log_index) + 1 from registry.leaves where network_id = $1", NUMBER
        )
        await connection.execute(
            "insert into registry.events (network_id, log_index, at, event_id, kind, actor_id, nonce, event)"
            " values ($1, $2, '2001-01-01 00:00+00', gen_random_uuid(), 32000, 0, $3, '{}')",
            *(NUMBER, place, bytes(32)),
        )
        await connection.execute("insert into registry.leaves values ($2, $1, $3)", NUMBER, place, bytes(33))
        await in_years(fresh_registry, 100)
        gone = sum(step.events for step in await retain(eraser))
        left = await connection.fetch("select log_index, kind from registry.events where network_id = $1", NUMBER)
    assert gone > 0
    assert (place, 32000) in [tuple(row) for row in left]
    assert await retain(eraser) == []


async def test_the_database_knows_the_same_uses(fresh_registry: Registry) -> None:
    """The kinds that the database removes by age are exactly those of class `use`."""
    async with fresh_registry.sql() as connection:
        assert sorted(await connection.fetchval("select registry.kinds_of('use')")) == USE_KINDS
