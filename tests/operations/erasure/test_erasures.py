"""Erasing a person is previewed, confirmed, complete, logged, and done once."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.errors import Conflict, Malformed, NotFound, Refused
from consent_registry.operations.erasure.erasures import (
    ByConsent,
    ByReference,
    Eraser,
    Target,
    perform_erasure,
    preview_erasure,
    repeat_erasures,
)
from tests.support.erasing import commitments_to, erasing, hold, lift, north, search_everywhere, small, traces
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.persons_with_history import GROUND, a_consent, a_life, clients_of, erase
from tests.support.small_network import NUMBER


@pytest_asyncio.fixture(loop_scope="session")
async def eraser(registry: Registry, tmp_path: Path) -> AsyncIterator[Eraser]:
    """An eraser with a ledger that only this test uses."""
    async with erasing(registry, tmp_path / "ledger") as opened:
        yield opened


async def test_nothing_of_the_person_is_left(registry: Registry, eraser: Eraser) -> None:
    """After an erasure no column of any table holds an id, reference, digest, nonce or byte of the person's rows, no
    event commits to the reference, another client's rows are unchanged, and the log verifies.
    """
    first, second = await office(registry, "north"), await office(registry, "south")
    kept, consent_kept = await a_life(first, second)
    reference, consent = await a_life(first, second)
    clients = await clients_of(registry, consent)
    async with registry.sql() as connection:
        before = await connection.fetchval("select count(*) from registry.leaves")
        # For example digests of equal bodies.
        shared = await traces(connection, await clients_of(registry, consent_kept))
        canaries = await traces(connection, clients) - shared | {reference.encode()}
        assert len(canaries) > 60
        assert {where[0] for where in await search_everywhere(connection, canaries)} >= {
            "registry.events",
            "registry.clients",
        }
        assert len(await commitments_to(connection, reference)) > 3
        erased = await erase(eraser, north(reference))
        assert await search_everywhere(connection, canaries) == []
        assert await commitments_to(connection, reference) == []
        assert await connection.fetchval("select count(*) from registry.leaves") == before + 1
        said = await connection.fetchrow(
            "select event, client_id, kind from registry.events where network_id = $1 and log_index = $2",
            NUMBER,
            erased.log_index,
        )
    assert said is not None
    assert (said["client_id"], said["kind"]) == (None, 27)
    facts = json.loads(said["event"])
    assert (facts["ground"], facts["norm"], facts["client"]) == (GROUND, "Art. 17 Abs. 1 lit. b DSGVO", None)
    assert sum(high - low + 1 for low, high in facts["indices"]) == erased.events
    assert set(facts) == {"v", "kind", "id", "at", "network", "actor", "client", "ground", "norm", "indices"}
    await check_log(registry)
    assert await first.outcome(reference) == "no_permission"
    assert (await first.post("/consents/search", {"client": kept}, 200))["items"] != []


async def test_the_preview_shows_what_goes_and_changes_nothing(registry: Registry, eraser: Eraser) -> None:
    """The preview shows rows by table, events by kind, the question from before the registration, the partners, and
    what is kept with its norm. It writes nothing, neither to the database nor to the ledger.
    """
    first, second = await office(registry, "north"), await office(registry, "south")
    reference, consent = await a_life(first, second)
    network = await small(eraser)
    log = await check_log(registry)
    shown = await preview_erasure(eraser, network, north(reference))
    assert shown == await preview_erasure(eraser, network, ByConsent(consent["consent_id"]))
    assert await check_log(registry) == log
    assert eraser.ledger.entries() == []
    assert (shown.clients, shown.questions, shown.held) == (1, 1, [])
    assert shown.partners == ["north", "south"]
    assert {
        "client_references": 1,
        "consents": 2,
        "grants": 6,
        # By a receipt code: a second one, of what the caller may not know.
        "withdrawals": 2,
        "transfers": 1,
    }.items() <= shown.rows.items()
    assert {"decision": 1, "consent": 2, "withdrawal": 2, "transfer": 1, "read": 3}.items() <= shown.events.items()
    assert all(kept.norm for kept in shown.stays)
    erased = await perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=shown.digest)
    assert erased.events == sum(shown.events.values()) + shown.questions


async def test_what_was_not_previewed_is_not_erased(registry: Registry, eraser: Eraser) -> None:
    """A consent recorded after the preview prevents the erasure; a question asked after it is erased too."""
    first = await office(registry, "north")
    reference = await first.client()
    await first.consent(reference)
    network = await small(eraser)
    shown = await preview_erasure(eraser, network, north(reference))
    await first.consent(reference)
    with pytest.raises(Conflict):
        await perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=shown.digest)
    with pytest.raises(Conflict):
        await perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed="")
    assert await first.outcome(reference) == "permit"
    shown = await preview_erasure(eraser, network, north(reference))
    assert await first.outcome(reference) == "permit"
    erased = await perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=shown.digest)
    assert erased.events == sum(shown.events.values()) + 1
    await check_log(registry)


async def test_the_unknown_look_alike(registry: Registry, eraser: Eraser) -> None:
    """An unknown reference, another partner's reference, an unknown partner, an unknown or malformed consent and an
    erased person get the same NotFound, and nothing is written.
    """
    first, second = await office(registry, "north"), await office(registry, "south")
    reference, consent = await a_life(first, second)
    await erase(eraser, north(reference))
    targets: list[Target] = [
        north(reference),
        north("nobody"),
        ByReference("south", reference),
        ByReference("nobody", reference),
        ByConsent(consent["consent_id"]),
        ByConsent("nonsense"),
    ]
    network, log, ledger = await small(eraser), await check_log(registry), eraser.ledger.entries()
    said = set()
    for target in targets:
        for attempt in (
            preview_erasure(eraser, network, target),
            perform_erasure(eraser, network, target, ground=GROUND, confirmed=None),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            said.add(str(refused.value))
    assert len(said) == 1
    assert (await check_log(registry), eraser.ledger.entries()) == (log, ledger)


async def test_an_unknown_ground_is_refused(registry: Registry, eraser: Eraser) -> None:
    """A ground that is not a code of Art. 17 Abs. 1 DSGVO is refused."""
    first = await office(registry, "north")
    reference = await first.client()
    with pytest.raises(Malformed):
        await perform_erasure(eraser, await small(eraser), north(reference), ground="because", confirmed=None)


async def test_a_hold_stands_against_it(registry: Registry, eraser: Eraser) -> None:
    """While a legal hold is open, the preview shows it and the person is not erased, not even by direct SQL."""
    first = await office(registry, "north")
    reference = await first.client()
    consent = await first.consent(reference)
    hold_id = await hold(registry, ByConsent(consent["consent_id"]))
    network = await small(eraser)
    shown = await preview_erasure(eraser, network, north(reference))
    assert shown.held == ["Art. 17 Abs. 3 lit. e DSGVO"]
    with pytest.raises(Refused) as refused:
        await perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=shown.digest)
    assert refused.value.faults[0].norm == "Art. 17 Abs. 3 lit. e DSGVO"
    assert eraser.ledger.entries() == []
    async with registry.sql("eraser") as connection:
        with pytest.raises(asyncpg.RestrictViolationError, match="legal hold"):
            await connection.execute(
                "select registry.erase_clients($1, $2::uuid[], '{}', 'unlawful', now(), $3, '{}', '', '')",
                *(NUMBER, await clients_of(registry, consent), uuid.uuid4()),
            )
    assert await first.outcome(reference) == "permit"
    await lift(registry, hold_id)
    await check_log(registry)
    await erase(eraser, north(reference))
    await check_log(registry)


async def test_twice_at_once_is_once(registry: Registry, eraser: Eraser) -> None:
    """Of two erasures of one person at the same moment, one is done and the other finds no client."""
    first, second = await office(registry, "north"), await office(registry, "south")
    reference, _ = await a_life(first, second)
    results = await asyncio.gather(*(erase(eraser, north(reference)) for _ in range(2)), return_exceptions=True)
    assert sorted(isinstance(result, NotFound) for result in results) == [False, True], results
    await check_log(registry)


async def test_an_erased_person_may_come_back(registry: Registry, eraser: Eraser) -> None:
    """A person registered again after an erasure is a new client, which the ledger's old entry does not affect."""
    first, second = await office(registry, "north"), await office(registry, "south")
    reference, _ = await a_life(first, second)
    await erase(eraser, north(reference))
    answer = await first.post("/clients", {"reference": reference})
    assert answer["linked"] is False
    await first.consent(reference)
    assert await repeat_erasures(eraser) == []
    assert await first.outcome(reference) == "permit"


async def test_linked_references_are_one_person(registry: Registry, eraser: Eraser) -> None:
    """A linked client is erased under both partners' references; a reference unlinked before is kept."""
    first, second = await office(registry, "north"), await office(registry, "south")
    names = [await first.client(), f"S-{uuid.uuid4()}", f"S-{uuid.uuid4()}"]
    for name in names[1:]:
        code = await first.post("/link-codes", {"client": names[0]})
        await second.post("/clients", {"reference": name, "link_code": code["link_code"]})
    await second.post("/unlinkings", {"client": names[2]})
    consent = await a_consent(first, names[0])
    theirs = await second.consent(names[1], sender="south", recipient="north", categories=["identity"])
    network = await small(eraser)
    shown = await preview_erasure(eraser, network, ByReference("south", names[1]))
    assert (shown.clients, shown.rows["client_references"], shown.rows["consents"]) == (2, 2, 2)
    clients = {*await clients_of(registry, consent), *await clients_of(registry, theirs)}
    async with registry.sql() as connection:
        rows = await connection.fetch(
            "select client_id from registry.clients where not client_id = any ($1::uuid[])", list(clients)
        )
        shared = await traces(connection, [str(row[0]) for row in rows])
        canaries = await traces(connection, clients) - shared | {names[0].encode(), names[1].encode()}
        await perform_erasure(eraser, network, north(names[0]), ground=GROUND, confirmed=shown.digest)
        assert await search_everywhere(connection, canaries) == []
        assert await commitments_to(connection, names[1]) == []
        assert await commitments_to(connection, names[2]) != []
    await check_log(registry)
    answer = await second.partner.post("/clients", {"reference": names[2]})
    assert (answer.status_code, answer.json()["linked"]) == (200, False)
