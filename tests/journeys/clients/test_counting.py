"""Log, rows, attempts and answers of an act are the same however many other references mean the person."""

import json
import uuid
from collections.abc import Awaitable, Sequence
from functools import partial
from pathlib import Path

from consent_registry.domain.events.event import Event
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.response_delay import ResponseValue
from consent_registry.operations.runtime.steps import Steps
from tests.journeys.clients.counting import ACTS, Scene, Seen, do, entries, play
from tests.support.installation import Installation, Registry, fresh

ROOT = Path(__file__).parents[3]
HIDDEN = (0, 1, 5)
# The number of events that each successful act writes.
CONSTANTS = {
    "/api/v1/clients 2": 16,
    "/api/v1/clients 3": 16,
    "/api/v1/withdrawals 0": 16,
    # By a receipt code: one more, for what the caller may not know of the code's own number.
    "/api/v1/withdrawals 1": 17,
    "/api/v1/withdrawals 3": 16,
    "/api/v1/withdrawals 4": 16,
    "/api/v1/withdrawals 5": 16,
    "/api/v1/withdrawals 6": 16,
    "/api/v1/withdrawals 7": 17,
    # Of a late paper, whose recorder is told what it is.
    "/api/v1/consents 2": 2,
    "/api/v1/unlinkings 0": 1,
    "/api/v1/unlinkings 1": 1,
    "/api/v1/link-codes 0": 1,
}

# Acts that are refused, because the small network or the person's state does not allow them.
REFUSED = {
    "/api/v1/approvals 0",
    "/api/v1/approvals/{approval_id}/revocations 0",
    "/api/v1/clients 4",
    "/api/v1/consents/{consent_id}/evidence 0",
    "/api/v1/credential-revocations 0",
    "/api/v1/withdrawals 2",
}

# Acts answered after a constant time, errors included, with the multiple of the constant.
EVEN = {
    **dict.fromkeys((f"/api/v1/clients {number}" for number in (2, 3, 4)), 3),
    **dict.fromkeys((f"/api/v1/withdrawals {number}" for number in range(8)), 3),
    **dict.fromkeys((f"/api/v1/{path} 0" for path in ("link-codes", "unlinkings", "consents")), 1),
    **dict.fromkeys((f"/api/v1/{path} 1" for path in ("unlinkings", "consents")), 1),
    "/api/v1/consents 2": 1,
    **dict.fromkeys(
        (
            f"/api/v1/consents/{{consent_id}}/{noun} 0"
            for noun in (
                "confirmations",
                "endings",
                "evidence",
                "invalidations",
                "receipt-codes",
                "restriction-liftings",
                "restrictions",
            )
        ),
        1,
    ),
}


def posts() -> set[str]:
    """Return every path of the API that takes a POST."""
    document = json.loads((ROOT / "openapi/consent-registry.json").read_text(encoding="utf-8"))
    return {path for path, methods in document["paths"].items() if "post" in methods}


def differing(seen: Sequence[dict[str, Seen]]) -> dict[str, list[Seen]]:
    """Return the acts that show different things in different scenes."""
    return {
        act: [of_scene[act] for of_scene in seen]
        for act in seen[0]
        if len({repr(of_scene[act]) for of_scene in seen}) > 1
    }


def test_every_post_is_played_and_explained() -> None:
    """Every POST path has acts here and a row in docs/silence.md, except the token endpoint, which names no client."""
    assert set(ACTS) == posts() - {"/oauth/token"}
    table = (ROOT / "docs/silence.md").read_text(encoding="utf-8").split("## Every act")[1]
    for path in ACTS:
        nouns = [segment for segment in path.removeprefix("/api/v1/").split("/") if not segment.startswith("{")]
        assert f"/{nouns[-1]}`" in table, path


async def test_no_act_shows_how_many_others_know_the_person(fresh_registry: Registry) -> None:
    """Each act shows the same log growth, attempts, status, headers and shape of body with 0, 1 and 5 hidden
    references.
    """
    seen = [await play(fresh_registry, hidden) for hidden in HIDDEN]
    assert differing(seen) == {}
    assert {act: seen[0][act].grown for act in CONSTANTS} == CONSTANTS
    assert {act for act, answer in seen[0].items() if answer.status >= 400} == REFUSED


async def test_without_padding_acts_are_told_apart(installation: Installation) -> None:
    """Control: without padding events the scenes differ, and the table check finds it."""

    def unpadded(acting: Event, others: Sequence[Event], _: Sequence[str]) -> list[Event]:
        return [acting, *others]

    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(with_padding=unpadded))) as registry:
        registry.planted.add("small")
        found = differing([await play(registry, hidden) for hidden in (HIDDEN[0], HIDDEN[-1])])
    assert {act.rpartition(" ")[0] for act in found} >= {
        "/api/v1/clients",
        "/api/v1/withdrawals",
        "/api/v1/consents",
        "/api/v1/consents/{consent_id}/confirmations",
        "/api/v1/consents/{consent_id}/endings",
    }


async def test_answers_whose_work_depends_on_others_leave_evenly(installation: Installation) -> None:
    """Acts that lock or read more than the caller's own number, and only these, answer in constant time."""
    waits: list[float] = []

    async def noting(seconds: float, answering: Awaitable[ResponseValue]) -> ResponseValue:
        waits.append(seconds)
        return await answering

    found = {}
    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(respond_after=noting))) as registry:
        constant = registry.app.state.shared.runtime.constant_time_seconds
        scene = await Scene.of(registry, 0)
        for path, acts in ACTS.items():
            for number, act in enumerate(acts):
                call = await act(scene)
                waits.clear()
                await do(scene, call)
                found[f"{path} {number}"] = [round(wait / constant) for wait in waits]
    assert {act: times for act, times in found.items() if times} == {act: [times] for act, times in EVEN.items()}


async def test_a_repeated_key_writes_nothing(fresh_registry: Registry) -> None:
    """A repeated Idempotency-Key writes no event, no padding either, and gets the first answer."""
    scene = await Scene.of(fresh_registry, 1)
    for path in ("/api/v1/clients", "/api/v1/consents/{consent_id}/endings", "/api/v1/withdrawals"):
        number = 2 if path == "/api/v1/clients" else 0
        call = await ACTS[path][number](scene)
        key = {"Idempotency_Key": uuid.uuid4().hex}
        first = await scene.east.partner.post(call.path, call.body, **key)
        assert first.is_success
        size = await entries(fresh_registry)
        again = await scene.east.partner.post(call.path, call.body, **key)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        assert await entries(fresh_registry) == size
