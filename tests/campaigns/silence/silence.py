"""Persons a partner may learn nothing about, and what of an answer could betray which of them was asked for."""

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tests.campaigns.silence.silence_doors import Hall, two
from tests.campaigns.support.scene import CREATED, Person, Scene, instant, register
from tests.campaigns.support.wire import Answer

STATES = (
    *("unknown", "another partner's", "never asked", "refused", "withdrawn", "often withdrawn", "expired"),
    # With another partner's reference, under which that partner recorded what is none of our business.
    *("linked", "unlinked"),
    # With references of two others (`silence_doors.py`), who keep refusals of flows with us, or requests of each other.
    *("refused elsewhere", "requested elsewhere"),
)
OFTEN = 20
VARYING_HEADERS = {"date", "x-request-id", "content-length"}
VARYING_MEMBERS = {"decision_id", "decided_at", "expires_at", "index", "leaf", "receipt", "client_salt", "request_id"}
IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


async def persons(scene: Scene, each: int) -> dict[str, list[str]]:
    """Return `each` references for every state, all of one length, as the example partner's software would use them."""
    found = {state: [f"P-{uuid.uuid4()}" for _ in range(each)] for state in STATES}
    me = scene.person(scene.sender)
    stranger = scene.person(next(slug for slug in scene.partners if _sends_without(scene, slug)))
    await register(me, [reference for state in STATES[2:-2] for reference in found[state]])
    await register(stranger, found["another partner's"])
    theirs = next(f for f in scene.flows if f.sender == stranger.access.partner and not f.statute)
    for reference in found["another partner's"]:
        await _record(stranger, scene.consent(reference, [theirs.grant()]))
    grants = [flow.grant() for flow in scene.outgoing()]
    for reference in found["refused"]:
        await _record(me, scene.consent(reference, [grant | {"answer": "refused"} for grant in grants]))
    for reference in found["withdrawn"] + found["often withdrawn"] * OFTEN:
        made = await _record(me, scene.consent(reference, grants))
        body = {"consent_id": made["consent_id"], "channel": "in_person"}
        answer = await me.post("/withdrawals", body, str(uuid.uuid4()))
        assert answer.status == CREATED, answer.body
    for reference in found["expired"]:
        body = scene.consent(reference, grants, valid_until=instant(days=1))
        body["act"]["given_at"] = instant(days=30)
        await _record(me, body)
    for reference in found["linked"] + found["unlinked"]:
        await _link(me, reference, stranger, scene.consent(f"P-{uuid.uuid4()}", [theirs.grant()]))
    for reference in found["unlinked"]:
        answer = await me.post("/unlinkings", {"client": reference}, str(uuid.uuid4()))
        assert answer.status == CREATED, answer.body
    hall = Hall.of(scene)
    for state in ("refused elsewhere", "requested elsewhere"):
        for reference in found[state]:
            names = two()
            await hall.redeem(hall.me, reference, await hall.code(names))
            await hall.keep(state, names, OFTEN)
    me.wire.close()
    stranger.wire.close()
    return found


async def _link(me: Person, reference: str, stranger: Person, consent: dict[str, Any]) -> None:
    """Make this reference and the stranger's, who recorded a consent of its own, one client."""
    await register(stranger, [consent["client"]])
    await _record(stranger, consent)
    answer = await stranger.post("/link-codes", {"client": consent["client"]}, str(uuid.uuid4()))
    assert answer.status == CREATED, answer.body
    redeemed = {"reference": reference, "link_code": answer.json()["link_code"]}
    answer = await me.post("/clients", redeemed, str(uuid.uuid4()))
    assert answer.json()["linked"], answer.body


def _sends_without(scene: Scene, slug: str) -> bool:
    return slug != scene.sender and any(f.sender == slug and not f.statute for f in scene.flows)


async def _record(person: Person, body: dict[str, Any]) -> dict[str, Any]:
    answer = await person.post("/consents", body, str(uuid.uuid4()))
    assert answer.status == CREATED, answer.body
    made: dict[str, Any] = answer.json()
    return made


def shape(answer: Answer) -> dict[str, Any]:
    """Return everything of an answer but its identifiers, times and place in the log."""
    headers = [(name, IDENTIFIER.sub("id", value)) for name, value in answer.headers.items()]
    return {
        "status": answer.status,
        "headers": [(name, "" if name in VARYING_HEADERS else value) for name, value in headers],
        "body": _masked(json.loads(answer.body)) if answer.body else None,
    }


def _masked(value: object) -> object:
    match value:
        case dict():
            return {key: "" if key in VARYING_MEMBERS else _masked(member) for key, member in value.items()}
        case list():
            return [_masked(each) for each in value]
        case str():
            return IDENTIFIER.sub("id", value)
        case _:
            return value


def lengths(answers: Iterable[tuple[str, Answer]]) -> dict[int, dict[int, set[str]]]:
    """Return, for each number of digits in the answers' log indices, the lengths seen and the states they were of.

    An index of one more digit makes an answer longer for everybody, so only answers of the same number are compared.
    """
    found: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for state, answer in answers:
        assert int(answer.headers["content-length"]) == len(answer.body)
        digits = sum(len(number) for number in re.findall(rb'"index": ?(\d+)', answer.body))
        found[digits][len(answer.body)].add(state)
    return found
