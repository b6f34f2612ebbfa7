"""What the database refuses to remove for any caller with the eraser's login; without the fault the call succeeds."""

import json
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.tlog.removals import Places
from tests.operations.erasure.test_retention import CONSENTS_DUE, in_years
from tests.support.erasing import hold, lift, north
from tests.support.installation import Registry
from tests.support.office import Body, office
from tests.support.small_network import NUMBER, consent_body

UNKNOWN_KIND = 32_000


@dataclass(slots=True)
class Person:
    """A client, by north's reference and by its number, with its consents and the places of its entries by kind."""

    reference: str
    number: str
    consents: list[str]
    places: dict[str, list[int]] = field(default_factory=dict)

    def state(self) -> list[int]:
        """Return the places of what is no use."""
        return [place for kind, places in self.places.items() if kind not in {"decision", "read"} for place in places]

    def told(self) -> list[int]:
        """The places of the events about its consents: all of its state but its registration."""
        return sorted(set(self.state()) - set(self.places["client"]))


@dataclass(slots=True)
class Scene:
    """Four clients of a network: one with a consent and a use, one with two consents that one act changed, one for a
    hold, which is like the first, and one that withdrew its consent; and events that are of no client.
    """

    registry: Registry
    single: Person
    double: Person
    held: Person
    withdrawn: Person
    others: dict[str, int]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(registry: Registry) -> AsyncIterator[Scene]:
    """Make the clients, and let the years pass after which all of it is due."""
    first = await office(registry, "north")
    single, double, held, withdrawn = [await first.client() for _ in range(4)]
    renewed = await first.consent(double)
    renewing = consent_body(double, first.text) | {"renews": renewed["consent_id"]}
    given = {
        single: [await first.consent(single)],
        double: [renewed, await first.post("/consents", renewing)],
        held: [await first.consent(held)],
        withdrawn: [await first.consent(withdrawn)],
    }
    for client in (single, held):
        await first.outcome(client)
    await first.post(f"/consents/{renewed['consent_id']}/restrictions", {"categories": ["contact"]})
    await first.post("/withdrawals", {"client": withdrawn, "channel": "phone"})
    await in_years(registry, CONSENTS_DUE)
    async with registry.sql() as sql:
        persons = [await _person(sql, client, consents) for client, consents in given.items()]
        others = await _others(sql)
    yield Scene(registry, persons[0], persons[1], persons[2], persons[3], others)


async def _person(sql: asyncpg.Connection, reference: str, given: list[Body]) -> Person:
    consents = [str(consent["consent_id"]) for consent in given]
    number = await _number(sql, consents[0])
    return Person(reference, number, consents, await _places(sql, number))


async def _number(sql: asyncpg.Connection, consent_id: str) -> str:
    return str(await sql.fetchval("select client_id from registry.consents where consent_id = $1", consent_id))


async def _places(sql: asyncpg.Connection, number: str) -> dict[str, list[int]]:
    rows = await sql.fetch(
        "select log_index, convert_from(event, 'UTF8')::jsonb ->> 'kind' as kind from registry.events"
        " where network_id = $1 and client_id = $2 order by log_index",
        *(NUMBER, number),
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["kind"], []).append(row["log_index"])
    return found


async def _others(sql: asyncpg.Connection) -> dict[str, int]:
    """Events that are of no client: the catalogue's; and, put in by hand, an erasure and one of an unknown kind."""
    last = await sql.fetchval("select max(log_index) from registry.leaves where network_id = $1", NUMBER)
    for more, kind in enumerate((27, UNKNOWN_KIND), start=1):
        await sql.execute(
            "insert into registry.events (network_id, log_index, at, event_id, kind, nonce, event)"
            " values ($1, $2, now(), gen_random_uuid(), $3, $4, '{}')",
            *(NUMBER, last + more, kind, bytes(32)),
        )
    catalogue = await sql.fetchval(
        "select min(log_index) from registry.events where network_id = $1 and kind = registry.kind('catalogue')", NUMBER
    )
    return {"catalogue": catalogue, "erasure": last + 1, "unknown": last + 2}


@asynccontextmanager
async def eraser(registry: Registry) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction with the eraser's login; whatever it does is undone."""
    async with registry.sql("eraser") as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()


async def retain(
    registry: Registry,
    *,
    consents: Sequence[str] = (),
    clients: Sequence[str] = (),
    places: Iterable[int] = (),
    **said: object,
) -> int:
    """Call the function with an event that says what goes, unless `said` has other words; returns its place."""
    return await _retain(registry, consents, clients, list(places), said)


async def _retain(
    registry: Registry, consents: Sequence[str], clients: Sequence[str], named: list[int], said: dict[str, Any]
) -> int:
    event = {"consents": len(consents), "clients": len(clients), "indices": Places.of(named).spans} | said
    async with eraser(registry) as connection:
        place: int = await connection.fetchval(
            "select registry.retain($1, $2, $3, $4, now(), $5, $6, $7, $8)",
            *(NUMBER, consents, clients, named, uuid.uuid4(), json.dumps(event).encode(), bytes(32), bytes(33)),
        )
    return place


def kept(reason: str) -> "pytest.RaisesExc[asyncpg.PostgresError]":
    """The refusal with this reason."""
    return pytest.raises((asyncpg.RestrictViolationError, asyncpg.SerializationError), match=reason)


async def everything_of(registry: Registry, person: Person) -> None:
    """Let go all that there is of a person, in the three steps."""
    uses = person.places.get("decision", [])
    if uses:
        await retain(registry, places=uses)
    await retain(registry, consents=person.consents, places=person.told())
    every = [place for places in person.places.values() for place in places]
    await retain(registry, consents=person.consents, clients=[person.number], places=every)


async def test_control_what_is_due_may_go(scene: Scene) -> None:
    """Named rightly and said rightly, uses, consents and clients of both go."""
    for person in (scene.single, scene.double):
        await everything_of(scene.registry, person)


async def test_who_is_held_stays(scene: Scene) -> None:
    """While a hold is open on a person nothing of it goes: no use, no consent, no client; afterwards all does."""
    person = scene.held
    hold_id = await hold(scene.registry, north(person.reference))
    calls: list[dict[str, Any]] = [
        {"places": person.places["decision"]},
        {"consents": person.consents, "places": person.told()},
        {"consents": person.consents, "clients": [person.number], "places": person.state()},
        {"consents": person.consents},
        {"clients": [person.number]},
    ]
    for call in calls:
        with kept("legal hold"):
            await retain(scene.registry, **call)
    await lift(scene.registry, hold_id)
    await retain(scene.registry, places=person.places["decision"])
    await retain(scene.registry, consents=person.consents, places=person.told())


async def test_a_state_event_stays_with_its_consent(scene: Scene) -> None:
    """A consent's entry, an act's and its padding go with all consents that they tell of, or not at all."""
    single, double = scene.single, scene.double
    with kept("as long as its consent"):
        await retain(scene.registry, places=single.places["consent"])
    with kept("as long as its consent"):
        await retain(scene.registry, consents=double.consents[:1], places=double.told())
    with kept("as long as its consent"):
        await retain(scene.registry, places=double.places["padding"][:1])
    with kept("as long as its consent"):
        await retain(scene.registry, consents=single.consents, places=single.told() + double.places["consent"])
    await retain(scene.registry, consents=single.consents, places=single.told())
    await retain(scene.registry, consents=double.consents, places=double.told())


async def test_a_withdrawal_stays_with_its_client(scene: Scene) -> None:
    """Its entry and its padding go with the client, not with the consent that it took back: a paper may come later."""
    person = scene.withdrawn
    consent = person.places["consent"]
    for place in (person.places["withdrawal"][0], person.places["padding"][0]):
        with kept("as long as its consent"):
            await retain(scene.registry, consents=person.consents, places=[*consent, place])
    await retain(scene.registry, consents=person.consents, places=consent)
    every = [place for places in person.places.values() for place in places]
    await retain(scene.registry, consents=person.consents, clients=[person.number], places=every)


async def test_a_state_event_of_a_client_stays_with_it(scene: Scene) -> None:
    """The entry of a registration goes with the client alone, a catalogue's with nobody."""
    single = scene.single
    for place in (single.places["client"][0], scene.others["catalogue"]):
        with kept("as long as its consent"):
            await retain(scene.registry, consents=single.consents, places=[*single.told(), place])


async def test_a_client_stays_with_its_consents(scene: Scene) -> None:
    """Of a client whose consent is not named nothing goes."""
    single = scene.single
    every = [place for places in single.places.values() for place in places]
    with kept("as long as its consents"):
        await retain(scene.registry, clients=[single.number], places=every)
    await retain(scene.registry, consents=single.consents, clients=[single.number], places=every)


@pytest.mark.parametrize("name", ["erasure", "unknown"])
async def test_permanent_and_unknown_kinds_stay(scene: Scene, name: str) -> None:
    """What accounts for the log stays, and so does what a newer release wrote."""
    with kept("permanent or unknown"):
        await retain(scene.registry, places=[*scene.single.places["decision"], scene.others[name]])
    await retain(scene.registry, places=scene.single.places["decision"])


async def test_the_event_lists_exactly_what_goes(scene: Scene) -> None:
    """A place that the event does not list, one more in its list, one that is not there, another count: refused."""
    single = scene.single
    uses, told = single.places["decision"], single.told()
    for wrong in ([], [[uses[0], uses[0] + 1]], None):
        with kept("does not list"):
            await retain(scene.registry, places=uses, indices=wrong)
    with kept("does not list"):
        await retain(scene.registry, places=[*uses, 1_000_000])
    for consents, clients in ((0, 0), (2, 0), (1, 1)):
        with kept("does not count"):
            await _retain(scene.registry, single.consents, [], told, {"consents": consents, "clients": clients})
    with kept("does not count"):
        await retain(scene.registry, consents=[*single.consents, str(uuid.uuid4())], places=told)
    await retain(scene.registry, places=uses)
    await retain(scene.registry, consents=single.consents, places=told)


async def test_rows_go_with_all_their_entries(scene: Scene) -> None:
    """Removing a consent or a client is refused unless every event about it is named."""
    single, double = scene.single, scene.double
    every = [place for places in single.places.values() for place in places]
    with kept("not named"):
        await retain(scene.registry, consents=single.consents)
    for left_out in double.told():
        with kept("not named"):
            await retain(
                scene.registry, consents=double.consents, places=[place for place in double.told() if place != left_out]
            )
    with kept("not named"):
        await retain(scene.registry, consents=single.consents, clients=[single.number], places=single.state())
    await retain(scene.registry, consents=single.consents, clients=[single.number], places=every)


async def test_what_is_young_stays(scene: Scene) -> None:
    """Nothing goes that is younger than the network's shortest period, nor a consent that was valid until lately."""
    single = scene.single
    every = [place for places in single.places.values() for place in places]
    calls: list[dict[str, Any]] = [
        {"places": single.places["decision"]},
        {"consents": single.consents, "places": single.told()},
        {"consents": single.consents, "clients": [single.number], "places": every},
        {"clients": [single.number]},
    ]
    try:
        for years in (0, 3):
            await in_years(scene.registry, years)
            for call in calls:
                with kept("younger than the network's shortest period"):
                    await retain(scene.registry, **call)
        for years in (4, 5):
            await in_years(scene.registry, years)
            await retain(scene.registry, places=single.places["decision"])
            with kept("valid, or was until lately"):
                await retain(scene.registry, consents=single.consents, places=single.told())
    finally:
        await in_years(scene.registry, CONSENTS_DUE)
    await everything_of(scene.registry, single)


async def test_nothing_named_is_no_way_round(scene: Scene) -> None:
    """Null in the place of a list is refused, and empty lists let nothing go but are on record."""
    async with eraser(scene.registry) as connection:
        for lists in (("null", "'{}'", "'{}'"), ("'{}'", "null", "'{}'"), ("'{}'", "'{}'", "null")):
            statement = f"select registry.retain({NUMBER}, {', '.join(lists)}, now(), $1, '{{}}', '', '')"
            with pytest.raises(asyncpg.NullValueNotAllowedError):
                async with connection.transaction():
                    await connection.execute(statement, uuid.uuid4())
    assert await retain(scene.registry) > 0


async def test_the_eraser_reads_no_table(scene: Scene) -> None:
    """What the rules need comes from functions: the eraser's login may read no table, view or column."""
    async with scene.registry.sql("eraser") as connection:
        rows = await connection.fetch(
            "select relname from pg_class where relnamespace = 'registry'::regnamespace and relkind in ('r', 'p', 'v')"
            " and (has_table_privilege(oid, 'select') or has_any_column_privilege(oid, 'select'))"
        )
    assert rows == []
