"""Exported events name a client by the partner's own client numbers or not at all."""

import base64
import json
from functools import partial
from typing import Any

from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from tests.journeys.clients.counting import ACTS, Scene, do, own_and_foreign
from tests.support.installation import Installation, Registry, fresh
from tests.support.small_network import NUMBER, PARTNERS

Facts = dict[str, Any]
UNSHOWN = "select count(*) from registry.events where actor_id is null"
OF_OTHERS = "select count(*) from registry.withdrawals where withdrawal_id <> act_id"


async def _lived(registry: Registry) -> Scene:
    """Do everything to a person with five hidden references."""
    scene = await Scene.of(registry, 5)
    for acts in ACTS.values():
        for act in acts:
            await do(scene, await act(scene))
    return scene


async def _exported(registry: Registry, slug: str) -> list[Facts]:
    answer = await (await registry.dpo(slug)).post("/events/exports", {"format": "jsonl"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [line["event"] for line in lines if line.get("event")]


async def _foreign_numbers(registry: Registry, slug: str) -> set[str]:
    """Return the client numbers in a partner's export that are not those of its own references."""
    text = json.dumps(await _exported(registry, slug))
    async with registry.sql() as connection:
        rows = await connection.fetch("select partner_id, client_id::text from registry.client_references")
    return {row["client_id"] for row in rows if row["partner_id"] != PARTNERS[slug] and row["client_id"] in text}


async def test_exported_bytes_name_own_numbers_alone(fresh_registry: Registry) -> None:
    """An export holds only the partner's own client numbers, also in events about what another partner recorded."""
    await _lived(fresh_registry)
    for slug in ("north", "south", "east"):
        assert await _foreign_numbers(fresh_registry, slug) == set()
        events = await _exported(fresh_registry, slug)
        assert {event["actor"] for event in events} == {slug}
        assert not {event["kind"] for event in events} & {"padding", "renewal"}
        committed = [event for event in events if "client_commitment" in event]
        assert all(event["client"] is None for event in committed)
        assert all(len(base64.urlsafe_b64decode(event["client_commitment"] + "=")) == 32 for event in committed)


async def test_a_number_of_anothers_in_the_bytes_is_seen(installation: Installation) -> None:
    """Control: if an event holds the client number that is acted on, east's export holds north's number."""
    make_runtime = partial(Runtime, steps=Steps(find_own_clients=own_and_foreign))
    async with fresh(installation, make_runtime=make_runtime) as registry:
        await _lived(registry)
        assert await _foreign_numbers(registry, "east") != set()


async def test_what_is_written_for_others_is_nobodys_to_read(fresh_registry: Registry) -> None:
    """No partner's transaction can read the events for other numbers. The auditor's login and an erasure can."""
    await _lived(fresh_registry)
    partners = ",".join(str(number) for number in (0, *PARTNERS.values()))
    async with fresh_registry.sql("app") as connection:
        await connection.execute(f"set registry.network = '{NUMBER}'")
        await connection.execute(f"set registry.partners = '{{{partners}}}'")
        assert await connection.fetchval("select count(*) from registry.events") > 50
        assert [await connection.fetchval(members) for members in (UNSHOWN, OF_OTHERS)] == [0, 0]
    async with fresh_registry.sql("auditor") as connection:
        await connection.execute(f"set registry.network = '{NUMBER}'")
        assert all([await connection.fetchval(members) for members in (UNSHOWN, OF_OTHERS)])
