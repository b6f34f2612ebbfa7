"""Expensive bodies get a short answer, and only a limited part of them is checked."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from msgspec import inspect

from consent_registry.api.decisions import BatchRequest
from consent_registry.domain import errors, json_bodies
from consent_registry.domain.errors import Malformed
from consent_registry.web.operation import Operation
from tests.support.installation import Registry
from tests.web.test_queries import DOCUMENT, PLACES, SOME_ID, caller

WORD = "W" * 5000
LONGEST_ANSWER = 40_000
ITEMS = 200_000
JSON_BODY = "application/json"
CALLS = [
    path for path, methods in DOCUMENT["paths"].items() if JSON_BODY in str(methods.get("post", {}).get("requestBody"))
]


def example_of(path: str) -> dict[str, Any]:
    """Return the documented example body of this call."""
    body: dict[str, Any] = DOCUMENT["paths"][path]["post"]["requestBody"]["content"][JSON_BODY]["example"]
    return body


def places(value: object, pointer: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every member and item of a body."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in pairs:
        yield (*pointer, name)
        yield from places(member, (*pointer, name))


def with_(body: dict[str, Any], place: tuple[str | int, ...], value: object) -> bytes:
    """Return a body with another value at this place."""
    changed = copy.deepcopy(body)
    at: Any = changed
    for name in place[:-1]:
        at = at[name]
    at[place[-1]] = value
    return json.dumps(changed).encode()


def hostile(path: str) -> Iterator[tuple[str, bytes]]:
    """Yield expensive bodies of this call, with a description."""
    good = example_of(path)
    for place in places(good):
        yield f"a long word at {place}", with_(good, place, WORD)
        yield (
            f"a long name beside {place}",
            with_(good, (*place[:-1], WORD) if isinstance(place[-1], str) else place, 0),
        )
    lists = [place for place in places(good) if isinstance(place[-1], int) and place[-1] == 0]
    for place in lists:
        yield f"zeros from {place}", with_(good, place[:-1], [0] * ITEMS)
        yield f"empty objects from {place}", with_(good, place[:-1], [{}] * ITEMS)
        yield f"long words from {place}", with_(good, place[:-1], [WORD] * 150)
    yield "unknown members", json.dumps(good | {f"x{number}": 0 for number in range(50_000)}).encode()
    yield "one name many times", b"{" + b",".join([b'"x":0'] * ITEMS) + b"}"
    yield "a long name twice", b"{" + b",".join([json.dumps(WORD).encode() + b":0"] * 2) + b"}"
    yield "nested lists", b"[" * (ITEMS * 2)
    yield "nested objects", b'{"a":' * (ITEMS // 2)
    yield "a long number", b'{"x":' + b"9" * ITEMS + b"}"


def wrong_with(answer: httpx.Response) -> list[str]:
    """Return what is wrong with the answer to a hostile body."""
    found = []
    if answer.status_code >= 500:
        found.append(f"status {answer.status_code}")
    if len(answer.content) > LONGEST_ANSWER:
        found.append(f"{len(answer.content)} bytes")
    if re.search(r"W{81}", answer.text):
        found.append("a long word is repeated")
    if len(answer.json().get("errors", ())) > 100:
        found.append("more than 100 faults")
    return found


async def send(registry: Registry, path: str, body: bytes) -> httpx.Response:
    """Send a body to a call with a caller that is allowed to make it."""
    partner = await caller(registry, DOCUMENT["paths"][path]["post"])
    filled = re.sub(r"\{(\w+)\}", lambda found: PLACES.get(found[1], SOME_ID), path)
    headers = {"Authorization": f"Bearer {partner.token}", "Idempotency-Key": "hostile", "Content-Type": JSON_BODY}
    return await registry.http.post(filled, content=body, headers=headers)


@pytest.mark.parametrize("path", CALLS)
async def test_no_body_buys_a_long_answer(registry: Registry, path: str) -> None:
    """An answer has at most 100 faults and quotes at most 80 characters, whatever is sent."""
    found = {what: wrong_with(await send(registry, path, body)) for what, body in hostile(path)}
    assert {what: wrong for what, wrong in found.items() if wrong} == {}


async def test_long_answers_are_seen(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the two limits the same bodies get long answers."""
    for limit in ("MOST_FAULTS", "LONGEST_WORD"):  # of every error anywhere, so no argument carries them
        monkeypatch.setattr(errors, limit, 10**9)
    path = "/api/v1/decisions/batch"
    found = [wrong for _, body in hostile(path) for wrong in wrong_with(await send(registry, path, body))]
    assert {"a long word is repeated", "more than 100 faults"} <= set(found)


async def test_long_queries_and_forms_buy_nothing_either(registry: Registry) -> None:
    """Query parameters and form fields have the same limits as members."""
    north = await registry.partner("north")
    for query in (
        WORD,
        f"limit={WORD}",
        f"cursor={WORD}",
        "&".join(f"x{n}=1" for n in range(5000)),
        f"{WORD}=1&{WORD}=1",
    ):
        assert wrong_with(await north.get(f"/partners?{query}")) == [], query[:20]
    for fields in (
        {"scope": WORD},
        {"grant_type": WORD},
        {WORD: "1"},
        {"scope": " ".join(f"x{n}" for n in range(900))},
    ):
        assert wrong_with(await north.sign_in(**fields)) == [], fields


def test_items_behind_the_maximum_are_not_looked_at() -> None:
    """A list that is too long is checked up to its maximum, and the check ends at the hundredth fault."""
    good = {"client": "A", "recipient": "b", "purpose": "c", "categories": ["d"]}
    for items, expected in (
        ([good] * 1000 + [0] * 5, ["/decisions"]),
        ([0] * 5000, ["/decisions", *(f"/decisions/{number}" for number in range(99))]),
    ):
        with pytest.raises(Malformed) as refused:
            json_bodies.decode(json.dumps({"decisions": items}).encode(), BatchRequest)
        assert [fault.pointer for fault in refused.value.faults] == expected


def documented(app: Litestar) -> Iterator[tuple[str, Operation]]:
    """Yield the description of every route."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            yield from ((route.path, h.opt["operation"]) for h in route.route_handlers if "operation" in h.opt)


def leaves(kind: inspect.Type, place: str) -> Iterator[tuple[str, inspect.Type, dict[str, Any]]]:
    """Yield every list and every leaf of a type, with its annotation."""
    beside: dict[str, Any] = {}
    if isinstance(kind, inspect.Metadata):
        beside = kind.extra or {}
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        for type_ in kind.types:
            yield from leaves(type_, place)
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from leaves(field.type, f"{place}/{field.encode_name}")
    else:
        yield place, kind, beside
        if isinstance(kind, inspect.ListType):
            yield from leaves(kind.item_type, f"{place}/*")


async def test_every_type_is_bounded_and_says_its_rule(registry: Registry) -> None:
    """Every list has a maximum, and every pattern has its rule in words for the caller."""
    found = []
    for path, operation in documented(registry.app):
        if operation.takes is None or path == "/oauth/token":
            continue
        for place, kind, beside in leaves(msgspec.inspect.type_info(operation.takes), path):
            if isinstance(kind, inspect.ListType) and kind.max_length is None:
                found.append(f"{place} has no maximum")
            if isinstance(kind, inspect.StrType) and kind.pattern and not beside.get("rule", "").startswith("must "):
                found.append(f"{place} has a pattern and no rule")
    assert found == []


@pytest.mark.parametrize("path", CALLS)
async def test_faults_speak_of_the_rule(registry: Registry, path: str) -> None:
    """No fault contains a regular expression, a Python type or a library's message."""
    for place in places(example_of(path)):
        values: tuple[Any, ...] = (5, "", "\0", [], {}, None, True, -1.5)
        for value in values:
            answer = await send(registry, path, with_(example_of(path), place, value))
            for fault in answer.json().get("errors", ()) if answer.status_code == 400 else ():
                assert not re.search(r"`|\bstr\b|\bint\b|regex|\^|\bExpected\b|NoneType", fault["detail"]), fault
