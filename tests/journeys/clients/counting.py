"""Every POST act, done to a person whom more or fewer references of others mean, and what is seen of each.

East is the caller. North and south know the person as well and keep consents between them, which east may not know of.
What east may know is the same in every scene; only the client numbers it is kept under differ.
"""

import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.journeys.clients.test_links import code_of, redeem
from tests.support.installation import Partner, Registry
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body

FLOW = {"sender": "east", "recipient": "north", "purpose": "support", "categories": ["identity"]}
WRONG = "0000-0000-0000"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MADE_UP = re.compile(
    r"[0-9-]{10}T[0-9:.]+Z|[0-9a-f]{64}|[0-9A-Z]{4}(-[0-9A-Z]{4}){2,}|[A-Za-z0-9+/]{44}|eyJ[\w.-]+|[\w-]{43}"
)
# Chosen by the server for each answer.
_HEADERS = frozenset({"x-request-id", "content-length", "location", "date"})


@dataclass(slots=True)
class Scene:
    """East's client under the reference `own`, known to north and south as well by `hidden` more references."""

    registry: Registry
    hidden: int
    east: Office
    north: Office
    south: Office
    own: str
    north_numbers: list[str]

    @classmethod
    async def of(cls, registry: Registry, hidden: int) -> "Scene":
        """Link the person: east's reference with one of north's, and the hidden ones with that."""
        east, north, south = [await office(registry, slug) for slug in ("east", "north", "south")]
        first = await north.client()
        own = await redeem(east, await code_of(north, first))
        southern, northern = [], [first]
        for _ in range(min(hidden, 2)):
            southern.append(await redeem(south, await code_of(north, first)))
            await south.consent(southern[-1], sender="south", recipient="north", categories=["identity"])
        for _ in range(hidden - len(southern)):
            northern.append(await redeem(north, await code_of(south, southern[0])))
            await north.consent(northern[-1], recipient="south")
        scene = cls(registry, hidden, east, north, south, own, northern)
        await scene.consent()
        await scene.requested()
        return scene

    async def consent(self) -> Body:
        """Let east record a consent of its client's to its own flow."""
        return await self.east.consent(self.own, **FLOW)

    async def requested(self, number: int = 0, **members: object) -> Body:
        """Let north record one, which waits for east's confirmation, under one of its references."""
        client = self.north_numbers[number % len(self.north_numbers)]
        body = consent_body(client, self.north.text, **FLOW) | members
        return await self.north.post("/consents", body)

    async def given_elsewhere(self) -> Body:
        """Record a consent to east's flow: by north where the person has hidden references, else by east itself."""
        if not self.hidden:
            return await self.consent()
        consent = await self.requested(1)
        await self.east.post(f"/consents/{consent['consent_id']}/confirmations", {})
        return consent

    async def admin(self) -> Partner:
        """The network's administration."""
        return await self.registry.partner("admin")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a table's row, and its caller, east unless another is named."""

    path: str
    body: object
    by: Partner | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of a call: the log's growth, the tries that it took, and the answer without what was made up."""

    grown: int
    tried: int
    status: int
    headers: tuple[tuple[str, str], ...]
    body: object


Act = Callable[[Scene], Awaitable[Call]]


async def observe(scene: Scene, act: Act) -> Seen:
    """Prepare an act and do it once."""
    call = await act(scene)
    size, tries = await _counts(scene.registry)
    answer = await do(scene, call)
    grown, tried = await _counts(scene.registry)
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in _HEADERS)
    return Seen(grown - size, tried - tries, answer.status_code, tuple(headers), shape(_body(answer)))


async def do(scene: Scene, call: Call) -> httpx.Response:
    """Make a call that is ready."""
    return await (call.by or scene.east.partner).post(call.path, call.body)


async def entries(registry: Registry) -> int:
    """Count the entries of all logs."""
    return (await _counts(registry))[0]


async def _counts(registry: Registry) -> tuple[int, int]:
    async with registry.sql() as connection:
        leaves, tries = [
            await connection.fetchval(f"select count(*) from registry.{table}")  # noqa: S608 - our own names
            for table in ("leaves", "code_failures")
        ]
    return int(leaves), int(tries)


def _body(answer: httpx.Response) -> Any:  # noqa: ANN401 - whatever JSON there is
    if "json" in answer.headers.get("content-type", "") and "jsonl" not in answer.headers["content-type"]:
        return answer.json()
    return [json.loads(line) if line.startswith("{") else line for line in answer.text.splitlines()]


def shape(value: Any) -> Any:  # noqa: ANN401 - whatever JSON there is
    """A body without ids, instants, codes, references and places of the log."""
    if isinstance(value, dict):
        return {name: "a place" if name == "index" else shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    return _MADE_UP.sub("…", _ID.sub("…", value)) if isinstance(value, str) else value


async def _redeeming(scene: Scene, reference: str | None = None) -> Call:
    code = await code_of(scene.north, scene.north_numbers[0])
    return Call("/clients", {"reference": reference or f"L-{uuid.uuid4()}", "link_code": code})


async def _relinking(scene: Scene) -> Call:
    return await _redeeming(scene, await scene.east.client())


async def _registering(_: Scene) -> Call:
    return Call("/clients", {"reference": f"L-{uuid.uuid4()}"})


async def _registering_again(scene: Scene) -> Call:
    return Call("/clients", {"reference": scene.own})


async def _guessing(_: Scene) -> Call:
    return Call("/clients", {"reference": f"L-{uuid.uuid4()}", "link_code": WRONG})


async def _issuing(scene: Scene) -> Call:
    return Call("/link-codes", {"client": scene.own})


async def _recording(scene: Scene) -> Call:
    return Call("/consents", consent_body(scene.own, scene.east.text, **FLOW))


async def _renewing(scene: Scene) -> Call:
    earlier = await scene.given_elsewhere()
    body = consent_body(scene.own, scene.east.text, **FLOW)
    return Call("/consents", body | {"renews": earlier["consent_id"]})


async def _searching(scene: Scene) -> Call:
    return Call("/consents/search", {"client": scene.own})


async def _confirming(scene: Scene) -> Call:
    """Of a consent of north's that renews one under the same number or, where there are hidden ones, under east's."""
    earlier = await scene.consent() if scene.hidden else await scene.requested()
    if not scene.hidden:
        await scene.east.post(f"/consents/{earlier['consent_id']}/confirmations", {})
    consent = await scene.requested(0, renews=earlier["consent_id"])
    return Call(f"/consents/{consent['consent_id']}/confirmations", {})


def _on_renewed(noun: str, body: Body) -> Act:
    """An act that spreads to what says the same yes: east's own renewal of a consent."""

    async def act(scene: Scene) -> Call:
        earlier = await scene.given_elsewhere()
        renewal = consent_body(scene.own, scene.east.text, **FLOW) | {"renews": earlier["consent_id"]}
        consent = await scene.east.post("/consents", renewal)
        if noun == "restriction-liftings":
            await scene.east.post(f"/consents/{consent['consent_id']}/restrictions", {})
        return Call(f"/consents/{consent['consent_id']}/{noun}", body)

    return act


async def _following(scene: Scene) -> Call:
    consent = await scene.consent()
    body = {"sha256": "ab" * 32, "media_type": "application/pdf", "kept_at": "File 1"}
    return Call(f"/consents/{consent['consent_id']}/evidence", body)


async def _reissuing(scene: Scene) -> Call:
    return Call(f"/consents/{(await scene.consent())['consent_id']}/receipt-codes", {})


def _question(client: str) -> Body:
    return {"client": client, "recipient": "north", "purpose": "support", "categories": ["identity"]}


async def _asking(scene: Scene) -> Call:
    return Call("/decisions", _question(scene.own))


async def _asking_often(scene: Scene) -> Call:
    return Call("/decisions/batch", {"decisions": [_question(scene.own)] * 3})


async def _reporting(scene: Scene) -> Call:
    decision = await scene.east.post("/decisions", _question(scene.own), 200)
    return Call(f"/decisions/{decision['decision_id']}/transfers", {"outcome": "sent", "categories": ["identity"]})


async def _searching_events(scene: Scene) -> Call:
    return Call("/events/search", {"client": scene.own, "limit": 200}, await scene.registry.dpo("east"))


async def _exporting(scene: Scene) -> Call:
    return Call("/events/exports", {"client": scene.own, "format": "jsonl"}, await scene.registry.dpo("east"))


async def _withdrawing_one(scene: Scene) -> Call:
    earlier = await scene.given_elsewhere()
    renewal = consent_body(scene.own, scene.east.text, **FLOW) | {"renews": earlier["consent_id"]}
    consent = await scene.east.post("/consents", renewal)
    return Call("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})


async def _withdrawing_all(scene: Scene) -> Call:
    for number in range(3):
        await scene.requested(number)
    return Call("/withdrawals", {"client": scene.own, "channel": "phone"})


async def _withdrawing_nothing(scene: Scene) -> Call:
    return Call("/withdrawals", {"client": scene.own, "channel": "phone"})


async def _withdrawing_by_code(scene: Scene) -> Call:
    """At east, which has no part in it: of a consent of north's and south's that was renewed elsewhere or not."""
    consent = await scene.north.consent(scene.north_numbers[0], recipient="south")
    if len(scene.north_numbers) > 1:
        body = consent_body(scene.north_numbers[1], scene.north.text) | {"renews": consent["consent_id"]}
        await scene.north.post("/consents", body)
    return Call("/withdrawals", {"receipt_code": consent["receipt_code"], "channel": "phone"})


async def _withdrawing_by_no_code(_: Scene) -> Call:
    return Call("/withdrawals", {"receipt_code": WRONG, "channel": "phone"})


async def _unlinking(scene: Scene) -> Call:
    return Call("/unlinkings", {"client": scene.own})


async def _publishing(scene: Scene) -> Call:
    languages = [{"language": language, "content": f"Text {uuid.uuid4()}"} for language in ("de", "en")]
    return Call("/texts", {"version": str(uuid.uuid4()), "languages": languages}, await scene.admin())


async def _published(scene: Scene) -> str:
    call = await _publishing(scene)
    answer = await (await scene.admin()).post(call.path, call.body)
    return str(answer.json()["text"]["id"])


async def _staling(scene: Scene) -> Call:
    return Call(f"/texts/{await _published(scene)}/stale-translations", {"language": "en"}, await scene.admin())


async def _voiding(scene: Scene) -> Call:
    return Call("/text-invalidations", {"text": await _published(scene), "reason": "form"}, await scene.admin())


async def _approving(scene: Scene) -> Call:
    body = {"subject": {"purpose": "support"}, "approved_by": "D-1"}
    return Call("/approvals", body, await scene.admin())


async def _revoking(scene: Scene) -> Call:
    return Call(f"/approvals/{uuid.uuid4()}/revocations", {"revoked_by": "D-1"}, await scene.admin())


async def _suspending(scene: Scene) -> Call:
    return Call("/suspensions", {"partner": "south"}, await scene.admin())


async def _reinstating(scene: Scene) -> Call:
    return Call("/reinstatements", {"partner": "south"}, await scene.admin())


async def _ending_a_secret(scene: Scene) -> Call:
    return Call("/credential-revocations", {"client_id": f"nobody-{scene.hidden}"}, await scene.admin())


# Each path of the OpenAPI document that takes a POST, with its acts in the order in which a scene can play them.
ACTS: Mapping[str, tuple[Act, ...]] = {
    "/api/v1/consents/search": (_searching,),
    "/api/v1/events/search": (_searching_events,),
    "/api/v1/events/exports": (_exporting,),
    "/api/v1/clients": (_registering, _registering_again, _redeeming, _relinking, _guessing),
    "/api/v1/link-codes": (_issuing,),
    "/api/v1/consents": (_recording, _renewing),
    "/api/v1/consents/{consent_id}/confirmations": (_confirming,),
    "/api/v1/consents/{consent_id}/restrictions": (_on_renewed("restrictions", {}),),
    "/api/v1/consents/{consent_id}/restriction-liftings": (_on_renewed("restriction-liftings", {}),),
    "/api/v1/consents/{consent_id}/invalidations": (_on_renewed("invalidations", {"reason": "form"}),),
    "/api/v1/consents/{consent_id}/endings": (_on_renewed("endings", {"reason": "case_closed"}),),
    "/api/v1/consents/{consent_id}/evidence": (_following,),
    "/api/v1/consents/{consent_id}/receipt-codes": (_reissuing,),
    "/api/v1/decisions": (_asking,),
    "/api/v1/decisions/batch": (_asking_often,),
    "/api/v1/decisions/{decision_id}/transfers": (_reporting,),
    "/api/v1/withdrawals": (
        _withdrawing_one,
        _withdrawing_by_code,
        _withdrawing_by_no_code,
        _withdrawing_all,
        _withdrawing_nothing,
    ),
    "/api/v1/unlinkings": (_unlinking, _unlinking),
    "/api/v1/texts": (_publishing,),
    "/api/v1/texts/{text_id}/stale-translations": (_staling,),
    "/api/v1/text-invalidations": (_voiding,),
    "/api/v1/approvals": (_approving,),
    "/api/v1/approvals/{approval_id}/revocations": (_revoking,),
    "/api/v1/suspensions": (_suspending,),
    "/api/v1/reinstatements": (_reinstating,),
    "/api/v1/credential-revocations": (_ending_a_secret,),
}


async def play(registry: Registry, hidden: int) -> dict[str, Seen]:
    """Do all acts to a new person; returns what was seen of each, by path and place."""
    async with registry.sql() as connection:
        await connection.execute("set session_replication_role = replica")
        await connection.execute("delete from registry.code_failures")
    scene = await Scene.of(registry, hidden)
    return {
        f"{path} {number}": await observe(scene, act) for path, acts in ACTS.items() for number, act in enumerate(acts)
    }
