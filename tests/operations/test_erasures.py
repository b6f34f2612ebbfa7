"""Erasing a person: previewed, confirmed, complete, on record, and once."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.errors import Conflict, Malformed, NotFound, Refused
from consent_registry.operations.erasures import (
    ByConsent,
    ByReference,
    Erased,
    Eraser,
    Target,
    perform_erasure,
    preview_erasure,
    replay_ledger,
)
from tests.erasing import commitments_to, erasing, hold, lift, north, search_everywhere, small, traces
from tests.installation import Registry
from tests.journeys.log_check import check_log
from tests.journeys.office import Body, Office, office
from tests.small_network import NUMBER, consent_body, question

GROUND = "consent_withdrawn"


@pytest_asyncio.fixture(loop_scope="session")
async def eraser(registry: Registry, tmp_path: Path) -> AsyncIterator[Eraser]:
    """The eraser's door, with a ledger of this test's own."""
    async with erasing(registry, tmp_path / "ledger") as door:
        yield door


async def a_life(first: Office, second: Office) -> tuple[str, Body]:
    """Do everything the registry can do about a client; return north's reference and the consent."""
    reference = f"LIFE-{uuid.uuid4()}"
    await first.outcome(reference)  # asked before anybody knows the person
    await first.post("/clients", {"reference": reference})
    consent = await _consent(first, reference)
    code = {"receipt_code": consent["receipt_code"], "channel": "phone"}
    decision = await first.post("/decisions", question(reference, receipt=True), 200)
    sent = {"outcome": "sent", "categories": ["identity"]}
    await first.post(f"/decisions/{decision['decision_id']}/transfers", sent)
    await first.get(f"/consents/{consent['consent_id']}")
    await first.post("/consents/search", {"client": reference}, 200)
    await second.get(f"/consents/{consent['consent_id']}")
    grant = consent["grants"][0]["grant_id"]
    await second.post("/withdrawals", code | {"grants": [grant], "categories": ["contact"]})
    await first.post(f"/consents/{consent['consent_id']}/endings", {"reason": "case_closed"})
    again = await _consent(first, reference)
    await second.post(f"/consents/{again['consent_id']}/restrictions", {})
    return reference, consent


async def _consent(first: Office, reference: str) -> Body:
    """Record a consent of three grants, one of them refused, with evidence that is nobody else's."""
    body = consent_body(reference, first.text)
    one = body["grants"][0]
    body["grants"] += [one | {"purpose": "housing"}, one | {"answer": "refused"}]
    body["act"]["evidence"] |= {"sha256": secrets.token_hex(32), "kept_at": f"File {uuid.uuid4()}"}
    return await first.post("/consents", body)


async def clients_of(registry: Registry, consent: Body) -> list[str]:
    """Return the client's id behind a consent, seen past every rule."""
    async with registry.sql() as connection:
        found = await connection.fetch(
            "select client_id from registry.consents where consent_id = $1", consent["consent_id"]
        )
    return [str(row[0]) for row in found]


async def erase(eraser: Eraser, target: Target) -> Erased:
    """Preview and do it."""
    network = await small(eraser)
    shown = await preview_erasure(eraser, network, target)
    return await perform_erasure(eraser, network, target, ground=GROUND, confirmed=shown.digest)


async def test_nothing_of_the_person_is_left(registry: Registry, eraser: Eraser) -> None:
    """After the erasure no column of any table holds an id, reference, digest, nonce or byte of the person's rows, no
    event commits to the reference, another client's rows are untouched, and the log still holds together.
    """
    first, second = await office(registry, "north"), await office(registry, "south")
    other, others = await a_life(first, second)
    reference, consent = await a_life(first, second)
    clients = await clients_of(registry, consent)
    async with registry.sql() as connection:
        before = await connection.fetchval("select count(*) from registry.leaves")
        shared = await traces(connection, await clients_of(registry, others))  # digests of equal bodies, for instance
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
    assert (await first.post("/consents/search", {"client": other}, 200))["items"] != []


async def test_the_preview_shows_what_goes_and_changes_nothing(registry: Registry, eraser: Eraser) -> None:
    """Rows by table, events by kind, the question from before, the partners, what stays and on which norm; nothing is
    written, neither to the database nor to the ledger.
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
        "withdrawals": 1,
        "transfers": 1,
    }.items() <= shown.rows.items()
    assert {"decision": 1, "consent": 2, "withdrawal": 1, "transfer": 1, "read": 3}.items() <= shown.events.items()
    assert all(one.norm for one in shown.stays)
    erased = await perform_erasure(eraser, network, north(reference), ground=GROUND, confirmed=shown.digest)
    assert erased.events == sum(shown.events.values()) + shown.questions


async def test_what_was_not_previewed_is_not_erased(registry: Registry, eraser: Eraser) -> None:
    """A consent recorded after the preview refuses the act; a question asked after it does not, and goes as well."""
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
    """An unknown reference, another partner's, an unknown partner, an unknown or malformed consent and a person erased
    before are one and the same: not found; and nothing is written.
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
        for act in (
            preview_erasure(eraser, network, target),
            perform_erasure(eraser, network, target, ground=GROUND, confirmed=None),
        ):
            with pytest.raises(NotFound) as refused:
                await act
            said.add(str(refused.value))
    assert len(said) == 1
    assert (await check_log(registry), eraser.ledger.entries()) == (log, ledger)


async def test_an_unknown_ground_is_refused(registry: Registry, eraser: Eraser) -> None:
    """The ground is one of Art. 17 Abs. 1, by its code."""
    first = await office(registry, "north")
    reference = await first.client()
    with pytest.raises(Malformed):
        await perform_erasure(eraser, await small(eraser), north(reference), ground="because", confirmed=None)


async def test_a_hold_stands_against_it(registry: Registry, eraser: Eraser) -> None:
    """While a legal hold is open the person is shown as held and not erased, also by who skips the operation."""
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
    """Of two erasures of one person at the same moment one is done and the other finds nobody."""
    first, second = await office(registry, "north"), await office(registry, "south")
    reference, _ = await a_life(first, second)
    results = await asyncio.gather(*(erase(eraser, north(reference)) for _ in range(2)), return_exceptions=True)
    assert sorted(isinstance(one, NotFound) for one in results) == [False, True], results
    await check_log(registry)


async def test_an_erased_person_may_come_back(registry: Registry, eraser: Eraser) -> None:
    """Whoever is registered again after an erasure is a new client, and the ledger's old entry does not touch it."""
    first, second = await office(registry, "north"), await office(registry, "south")
    reference, _ = await a_life(first, second)
    await erase(eraser, north(reference))
    answer = await first.post("/clients", {"reference": reference})
    assert answer["linked"] is False
    await first.consent(reference)
    assert await replay_ledger(eraser) == []
    assert await first.outcome(reference) == "permit"
