"""Instants in requests are accepted in the spellings of generated clients; answers have one spelling."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from consent_registry.domain.instants import INSTANT_PATTERN, format_instant, parse_instant
from tests.support.installation import Registry
from tests.support.office import office
from tests.support.small_network import consent_body
from tests.web.test_hostile_bodies import CALLS, example_of, places, send, with_
from tests.web.test_queries import DOCUMENT

GIVEN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
# As JavaScript's toISOString(), Python's isoformat(), Go's RFC3339Nano, Java's OffsetDateTime and a person write it.
SPELLINGS = (
    "2026-11-20T09:30:00.000Z",
    "2026-11-20T09:30:00+00:00",
    "2026-11-20T10:30:00.0+01:00",
    "2026-11-20T10:30:00+01:00",
    "2026-11-20t09:30:00z",
    "2026-11-20T09:30:00-00:00",
    "2026-11-19T21:30:00-12:00",
    "2026-11-20T09:30:00.000000Z",
)


def instants_in(value: object) -> set[str]:
    """Return every text in an answer that begins like an instant."""
    return {
        text for text in re.findall(r'"([^"]*)"', json.dumps(value)) if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", text)
    }


def members(kind: dict[str, Any], name: str = "") -> set[str]:
    """Return the names of all members of a schema that are instants."""
    found = {name} if kind.get("format") == "date-time" else set()
    if "$ref" in kind:
        found |= members(DOCUMENT["components"]["schemas"][kind["$ref"].rpartition("/")[2]], name)
    for part in (*kind.get("anyOf", ()), *([kind["items"]] if "items" in kind else ())):
        found |= members(part, name)
    for inner, part in kind.get("properties", {}).items():
        found |= members(part, inner)
    return found


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_consent_given_at_any_spelling_is_given_then(registry: Registry, spelling: str) -> None:
    """Consent, withdrawal, transfer and search use the same instant, whatever its spelling."""
    assert parse_instant(spelling) == GIVEN
    north = await office(registry, "north")
    client = await north.client()
    body = consent_body(client, north.text)
    body["act"]["given_at"] = spelling
    made = await north.post("/consents", body | {"valid_from": spelling})
    assert made["given_at"] == made["valid_from"] == format_instant(GIVEN)
    path = f"/consents/{made['consent_id']}"
    shown = await north.get(f"{path}?as_of={quote(spelling)}")
    assert shown["given_at"] == format_instant(GIVEN)
    await north.get(f"{path}?as_of={quote(format_instant(GIVEN - timedelta(microseconds=1)))}", 404)
    withdrawn = await north.post(
        "/withdrawals",
        {"client": client, "channel": "phone", "received_at": spelling, "declared_at": spelling},
    )
    assert withdrawn["withdrawn"]
    everything = instants_in([made, shown, withdrawn])
    assert everything
    assert [instant for instant in everything if not re.search(INSTANT_PATTERN, instant)] == []


async def test_a_query_takes_an_offset_and_names_what_is_wrong(registry: Registry) -> None:
    """An unescaped plus sign is refused with a hint, and every fault names its parameter."""
    dpo = await registry.dpo("north")
    assert (await dpo.get(f"/findings?from={quote('2026-11-20T10:30:00+01:00')}")).status_code == 200
    plain = (await dpo.get("/findings?from=2026-11-20T10:30:00+01:00")).json()["errors"]
    assert [(fault["detail"].split()[0], "%2B" in fault["detail"]) for fault in plain] == [("from", True)]
    for parameter, query in {
        "until": "until=2026-11-20",
        "kind": "kind=x",
        "limit": "limit=0",
        "cursor": "cursor=x",
        "report_days": "report_days=-1",
        "from": "from=2026-11-20T10:30:00Z&until=2026-11-20T10:30:00Z",
        "nonsense": "nonsense=1",
    }.items():
        faults = (await dpo.get(f"/findings?{query}")).json()["errors"]
        assert [(fault["pointer"], fault["detail"].split()[0].strip("'")) for fault in faults] == [("", parameter)], (
            query
        )


@pytest.mark.parametrize("path", CALLS)
async def test_every_instant_of_a_body_is_taken_in_any_spelling(registry: Registry, path: str) -> None:
    """Every documented date-time accepts each spelling and refuses other texts with the rule."""
    body = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    names = members(body)
    good = example_of(path)
    for place in places(good):
        if place[-1] not in names:
            continue
        pointer = "".join(f"/{step}" for step in place)
        for spelling in SPELLINGS:
            answer = await send(registry, path, with_(good, place, spelling))
            faults = {fault["pointer"] for fault in answer.json().get("errors", ()) if answer.status_code == 400}
            assert pointer not in faults, (spelling, answer.text)
        for wrong in ("2026-11-20", "2026-11-20 09:30:00Z", "2026-11-20T09:30:00.1234567Z", "yesterday"):
            answer = await send(registry, path, with_(good, place, wrong))
            assert "RFC 3339" in {error["pointer"]: error["detail"] for error in answer.json()["errors"]}[pointer]


def test_the_document_calls_them_by_their_form() -> None:
    """Every instant is documented as a date-time in requests, and with the exact form in answers."""
    asked, answered = set(), []
    for path in CALLS:
        asked |= members(DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"])
    assert asked >= {"given_at", "valid_from", "valid_until", "received_at", "declared_at", "at", "from", "until"}
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for member, kind in schema.get("properties", {}).items():
            if re.search(r"_at$|^at$|^valid_(from|until)$", member) and not re.search(r"Request$", name):
                said = json.dumps(kind)
                if "kept_at" not in member and "[0-9]{6}Z" not in said and "date-time" not in said:
                    answered.append(f"{name}.{member}")
    assert answered == []
