"""Stop everything: one act withdraws all that a client ever gave in the network, wherever it was recorded, and names no
more than its caller may know.
"""

import pytest

from tests.journeys.clients.test_links import BACK, TO_NORTH, code_of, redeem
from tests.journeys.consents.test_late_papers import DAY, EAST, changes_of, now, record, withdraw
from tests.journeys.consents.test_releases import AWO, DIAKONIE, RELEASE, SECRET
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body, question


class Person:
    """A client known to three offices, with a consent of each and a request that nobody confirmed."""

    def __init__(
        self, offices: tuple[Office, Office, Office], names: tuple[str, str, str], consents: list[Body]
    ) -> None:
        self.north, self.south, self.east = offices
        self.at_north, self.at_south, self.at_east = names
        self.ours, self.back, self.theirs, self.requested = consents
        self.all = consents

    async def status(self) -> list[str]:
        """The status of each consent, as its recorder sees it."""
        recorders = (self.north, self.south, self.east, self.south)
        shown = [
            await at.get(f"/consents/{consent['consent_id']}") for at, consent in zip(recorders, self.all, strict=True)
        ]
        return [str(consent["status"]) for consent in shown]


async def a_person(registry: Registry) -> Person:
    """Link the references, and record what the client gave at each office."""
    north, south, east = [await office(registry, slug) for slug in ("north", "south", "east")]
    client = await north.client()
    theirs = await redeem(south, await code_of(north, client))
    third = await redeem(east, await code_of(north, client))
    consents = [
        await north.consent(client),
        await south.consent(theirs, **BACK),
        await east.consent(third, **EAST),
        await south.post("/consents", consent_body(theirs, south.text, purpose="housing")),
    ]
    return Person((north, south, east), (client, theirs, third), consents)


def grants(*consents: Body) -> set[str]:
    """The ids of their grants."""
    return {grant["grant_id"] for consent in consents for grant in consent["grants"]}


@pytest.mark.parametrize("by", ["client", "receipt_code", "foreign code"])
async def test_everything_stops(registry: Registry, by: str) -> None:
    """By any reference, or by a receipt code at an office that has no part in it: every flow stops, requests too."""
    person = await a_person(registry)
    at = {"client": person.east, "receipt_code": person.north, "foreign code": person.east}[by]
    target = {"client": person.at_east} if by == "client" else {"receipt_code": person.ours["receipt_code"]}
    said = await withdraw(at, **target, scope="everything")
    known = {
        "client": grants(person.theirs),
        "receipt_code": grants(*person.all),
        "foreign code": grants(person.theirs, person.ours),
    }[by]
    assert (set(said["withdrawn"]), said["still_given"]) == (known, [])
    assert await person.status() == ["withdrawn"] * 4
    assert await person.north.outcome(person.at_north) == "no_permission"
    assert await person.south.outcome(person.at_south, **TO_NORTH) == "no_permission"
    # Who recorded or receives learns it by its change feed.
    assert (await changes_of(registry, person.ours))["south"][-1] == "consent_withdrawn"
    assert (await changes_of(registry, person.back))["north"][-1] == "consent_withdrawn"
    assert set(await changes_of(registry, person.theirs)) == {"east", "north"}
    # It holds for what is recorded later of what was given before, under every reference and for every flow.
    for office_, name, flow in (
        (person.north, person.at_north, {}),
        (person.south, person.at_south, BACK),
        (person.east, person.at_east, EAST),
    ):
        late = await record(office_, name, now() - DAY, **flow)
        assert late["status"] == "withdrawn"
    assert (await person.north.consent(person.at_north))["status"] == "given"
    await check_log(registry)


async def test_it_is_never_409(registry: Registry) -> None:
    """With nothing to withdraw, or nothing that the caller may know of, it is 201 with empty lists."""
    person = await a_person(registry)
    stranger = await person.east.client()
    for _ in range(2):
        said = await withdraw(person.east, client=stranger, scope="everything")
        assert (said["withdrawn"], said["still_given"]) == ([], [])
    code = person.ours["receipt_code"]
    await withdraw(person.north, consent_id=person.ours["consent_id"])
    await withdraw(person.north, 409, receipt_code=code)
    for _ in range(2):
        said = await withdraw(person.east, receipt_code=code, scope="everything")
    assert (said["withdrawn"], said["still_given"]) == ([], [])
    assert await person.status() == ["withdrawn"] * 4
    await check_log(registry)


async def test_it_names_no_part(registry: Registry) -> None:
    """400 with a consent, grants, releases, categories or another scope, 404 for an unknown code or reference."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    everything = {"scope": "everything"}
    await withdraw(north, 400, consent_id=consent["consent_id"], **everything)
    for part in ({"grants": [consent["grants"][0]["grant_id"]]}, {"releases": [client]}, {"categories": ["contact"]}):
        await withdraw(north, 400, client=client, **everything, **part)
    await withdraw(north, 400, client=client, scope="some")
    await withdraw(north, 404, client="nobody", **everything)
    await withdraw(north, 404, receipt_code="0000-0000-0000", **everything)
    assert await north.outcome(client) == "permit"
    await check_log(registry)


async def test_releases_go_with_it(registry: Registry) -> None:
    """A release that another office recorded is withdrawn as well."""
    awo, diakonie = await office(registry, AWO, "paderborn"), await office(registry, DIAKONIE, "paderborn")
    client = await awo.client()
    consent = await awo.post("/consents", consent_body(client, awo.text, **SECRET) | {"releases": [RELEASE]})
    theirs = await redeem(diakonie, await code_of(awo, client))
    said = await withdraw(diakonie, client=theirs, scope="everything")
    assert set(said["withdrawn"]) == grants(consent)
    shown = await awo.get(f"/consents/{consent['consent_id']}")
    assert [release["status"] for release in shown["releases"]] == ["withdrawn"]
    async with registry.sql() as connection:
        changed = await connection.fetchval(
            "select count(*) from registry.release_changes where release_id = $1", shown["releases"][0]["release_id"]
        )
    assert changed == 1
    await check_log(registry, "paderborn")


async def test_its_entries_name_nobody_else(registry: Registry) -> None:
    """The caller's entries are those of its act alone; what they hold names no grant that it may not know."""
    person = await a_person(registry)
    hidden = grants(person.back, person.requested)
    await withdraw(person.east, receipt_code=person.ours["receipt_code"], scope="everything")
    async with registry.sql() as connection:
        seen = await connection.fetch(
            """
            select convert_from(event, 'UTF8') from registry.events e
            join registry.partners p on p.network_id = e.network_id and p.partner_id = e.actor_id
            where p.slug = 'east' and e.kind = registry.kind('withdrawal')
            """
        )
    said = "".join(row[0] for row in seen)
    assert grants(person.ours) <= {name for name in grants(person.ours) if name in said}
    assert not any(name in said for name in hidden)
    assert person.back["consent_id"] not in said
    await check_log(registry)


async def test_the_question_after_it(registry: Registry) -> None:
    """No question of any sender about the client is permitted after it; another client's goes on."""
    person = await a_person(registry)
    neighbour = await person.north.client()
    await person.north.consent(neighbour)
    await withdraw(person.south, client=person.at_south, scope="everything", channel="email")
    asked = [(person.north, question(person.at_north)), (person.south, question(person.at_south, **TO_NORTH))]
    for at, body in asked:
        assert (await at.post("/decisions", body, 200))["permitted_categories"] == []
    assert await person.north.outcome(neighbour) == "permit"
    await check_log(registry)
