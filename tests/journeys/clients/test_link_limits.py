"""At most 16 references mean one client, at most 4 of one partner; trying does not show another partner's number."""

import json
import uuid
from itertools import cycle, islice

import httpx
import pytest

from tests.journeys.clients.test_links import code_of, redeem
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Office, office

Reference = tuple[Office, str]


async def person_of(registry: Registry, number: int) -> list[Reference]:
    """Return this many references of one person, spread over Paderborn's first five partners."""
    slugs = [partner["slug"] for partner in registry.installation.networks["paderborn"]["partners"]]
    offices = [await office(registry, slug, "paderborn") for slug in slugs[:5]]
    known = [(offices[0], await offices[0].client())]
    for redeeming in islice(cycle(offices[1:]), number - 1):
        known.append((redeeming, await redeem(redeeming, await code_of(*known[0]))))
    return known


async def refused(at: Office, code: str) -> tuple[int, str]:
    """Redeem a code for a new reference. Returns the answer, after checking that nothing was registered."""
    reference = f"L-{uuid.uuid4()}"
    answer = await at.partner.post("/clients", {"reference": reference, "link_code": code})
    await at.post("/link-codes", {"client": reference}, 404)
    return answer.status_code, answer.text


async def failures(registry: Registry) -> int:
    """Count the failed attempts on record."""
    async with registry.sql() as connection:
        return int(await connection.fetchval("select count(*) from registry.code_failures"))


async def test_a_17th_reference_is_refused_as_a_wrong_code_is(
    fresh_registry: Registry, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 17th reference gets the same 422 as an unknown code and counts as a failed attempt. The operator gets a warning
    without a reference.
    """
    known = await person_of(fresh_registry, 16)
    at, last = known[0], await office(fresh_registry, _another(fresh_registry), "paderborn")
    wrong = await refused(last, "0000-0000-0000")
    before = await failures(fresh_registry)
    code = await code_of(*at)
    assert await refused(last, code) == wrong
    assert wrong[0] == httpx.codes.UNPROCESSABLE_ENTITY
    assert await failures(fresh_registry) == before + 1
    warned = capsys.readouterr().out + caplog.text
    assert "too many references would mean one client" in warned
    assert not any(reference in warned for _, reference in known)
    await known[3][0].post("/unlinkings", {"client": known[3][1]})
    await redeem(last, code)
    await check_log(fresh_registry, "paderborn")


async def test_a_fifth_reference_of_the_caller_is_named(registry: Registry) -> None:
    """The caller's own fifth reference is refused by its rule. It counts as no failed attempt, and the code stays
    usable.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    own = [await redeem(south, await code_of(north, client)) for _ in range(4)]
    code = await code_of(north, client)
    before = await failures(registry)
    status, text = await refused(south, code)
    assert (status, json.loads(text)["errors"][0]["rule"]) == (422, "links_of_one_client")
    assert await failures(registry) == before
    await redeem(south, code, own[0], 200)
    await south.post("/unlinkings", {"client": own[1]})
    await redeem(south, await code_of(north, client))
    await check_log(registry)


async def test_a_fifth_reference_of_another_partner_is_not_told(registry: Registry) -> None:
    """If a link would give another partner five references, the caller gets the error of a wrong code."""
    north, south, east = [await office(registry, slug) for slug in ("north", "south", "east")]
    client, theirs = await north.client(), await south.client()
    for at, number in (((north, client), 3), ((south, theirs), 2)):
        for _ in range(number):
            await redeem(east, await code_of(*at))
    wrong = await refused(south, "0000-0000-0000")
    answer = await south.partner.post("/clients", {"reference": theirs, "link_code": await code_of(north, client)})
    assert (answer.status_code, answer.text) == wrong
    await check_log(registry)


@pytest.mark.parametrize("hidden", [0, 1, 5])
async def test_a_link_writes_as_many_entries_whoever_else_knows_the_person(registry: Registry, hidden: int) -> None:
    """Linking writes 16 events, for a new reference and for a registered one."""
    known = await person_of(registry, 1 + hidden)
    stranger = await office(registry, _another(registry), "paderborn")
    for reference, status in ((None, 201), (await stranger.client(), 200)):
        code = await code_of(*known[0])
        before = await size(registry)
        await redeem(stranger, code, reference, status)
        assert await size(registry) == before + 16


def _another(registry: Registry) -> str:
    return str(registry.installation.networks["paderborn"]["partners"][5]["slug"])


async def size(registry: Registry, network: str = "paderborn") -> int:
    """The number of entries of the log."""
    async with registry.sql() as connection:
        return int(
            await connection.fetchval(
                "select count(*) from registry.leaves join registry.networks using (network_id) where slug = $1",
                network,
            )
        )
