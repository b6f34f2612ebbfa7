"""Malformed bodies of the text administration are refused with their place and without effect."""

import base64
import hashlib
import json
from collections.abc import Iterator

import pytest

from tests.support.installation import Registry
from tests.support.small_network import published
from tests.web.bad_requests import Body, Case, changed, not_strict, put, without, wrong_values

UNKNOWN = "0190b9f0-0000-7000-8000-000000000000"


def encoded(content: bytes) -> str:
    """Return base64."""
    return base64.b64encode(content).decode()


def publications(_: str) -> Iterator[Case]:
    """Return bad publications."""
    good: Body = published("9.9", "en", in_use_until="2099-12-31", form_sha256="f0" * 32)
    german: Body = good["languages"][0]
    yield from not_strict(good)
    yield from without(good, "/version", "/languages", "/languages/1/language", "/covers", "/covers/0/purpose")
    yield from wrong_values(
        good,
        {
            "/version": ("", " 2", "2/1", "x" * 64, "2\n", 2, None),
            "/languages": ([], None, {}, "de", [german] * 101),
            "/languages/1/language": ("", "deutsch", "DE", None, 1),
            "/languages/1/content": ("", None, 1, ["x"]),
            "/languages/1/translation_of": ("", "0" * 63, "g" * 64, None, 1),
            "/covers": ([], None, {}, "all"),
            "/covers/0/sender": ("", "nobody", "NORTH", None, 1),
            "/covers/0/recipient": ("nobody", good["covers"][0]["sender"], None),
            "/covers/0/purpose": ("nothing", None, []),
            "/covers/0/categories": ([], None, "identity", ["identity", "identity"]),
            "/covers/0/categories/1": ("nothing", None, 1),
            "/covers/1": (good["covers"][0], None, "x"),
            "/informs": (None, "withdrawal", {}, ["withdrawal", "withdrawal"]),
            "/informs/0": ("everything", None, 1, ""),
            "/in_use_since": ("", "2026-02-30", "1.1.2026", "2026-01-01T00:00:00Z", 1),
            "/in_use_until": ("", "2026-13-01", 1),
            "/form_sha256": ("", "f0", "F0" * 32, 1),
        },
    )
    named: Body = {"purposes": {"support": ["Hilfe"]}}
    yield from wrong_values(
        good | {"aliases": {"en": named}},
        {
            "/aliases": ([], None, "en", {"EN": named}),
            "/aliases/en/purposes": ({"nothing": ["Hilfe"]}, {"support": ["ab"]}, {"support": "Hilfe"}),
            "/aliases/en": ({"categories": {"support": ["Hilfe"]}}, {"partners": {}}),
        },
    )
    for name, value in (("no text", encoded(b"\xff\xfe")), ("no base64", "Ja!"), ("nothing", ""), ("a number", 1)):
        body = good | {"languages": [{"language": "de", "content_base64": value}]}
        yield Case(name, json.dumps(body).encode(), "/languages/0/content_base64")
    yield changed(good, "both forms", put("/languages/0/content_base64", encoded(b"x")), "/languages/0")
    yield changed(good, "neither form", lambda b: b["languages"][0].pop("content"), "/languages/0")
    yield changed(good, "a language twice", put("/languages/1/language", "de"), "/languages/1/language")
    yield changed(good, "without German", lambda b: b["languages"].pop(0), "/languages", 422)
    digest = hashlib.sha256(b"another German text").hexdigest()
    place = "/languages/1/translation_of"
    yield changed(good, "of another German text", put(place, digest), place, 422)


def invalidations(text: str) -> Iterator[Case]:
    """Return bad invalidations."""
    good: Body = {"text": text, "reason": "form", "language": "de"}
    yield from not_strict(good)
    yield from without(good, "/text", "/reason")
    yield from wrong_values(
        good,
        {
            "/text": ("", "leaflet", UNKNOWN, None, 1),
            "/reason": ("", "typo", None, 1, []),
            "/language": ("tlh", "", 1, ["de"]),
        },
    )


def stalings(_: str) -> Iterator[Case]:
    """Return bad stalings."""
    good: Body = {"language": "en", "reason": "outdated"}
    yield from not_strict(good)
    yield from without(good, "/language")
    yield from wrong_values(good, {"/language": ("", None, 1), "/reason": ("", "because", 1, [])})


KINDS = {
    "/texts": publications,
    "/text-invalidations": invalidations,
    "/texts/{text}/stale-translations": stalings,
}


@pytest.mark.parametrize("path", KINDS)
async def test_bad_bodies_are_refused_with_their_pointer(registry: Registry, path: str) -> None:
    """Each fault names its place, and no text, consent or event changes."""
    admin = await registry.partner("admin")
    text = (await admin.get("/texts")).json()["items"][0]["id"]
    before = await state(registry)
    for number, case in enumerate(KINDS[path](text)):
        answer = await admin.send(path.format(text=text), case.content, Idempotency_Key=f"{path}-{number}")
        assert answer.status_code in case.statuses, (case.name, answer.text)
        pointers = {fault.get("pointer") for fault in answer.json().get("errors", [])}
        if case.pointer is not None:
            assert any(str(pointer).startswith(case.pointer) for pointer in pointers), (case.name, pointers)
    assert await state(registry) == before


async def state(registry: Registry) -> list[int]:
    """Return the numbers of rows that these calls could change."""
    tables = (
        "texts",
        "text_languages",
        "text_invalidations",
        "stale_translations",
        "grant_changes",
        "events",
        "changes",
    )
    async with registry.sql() as sql:
        return [await sql.fetchval(f"select count(*) from registry.{table}") for table in tables]  # noqa: S608 - our own


async def test_bytes_are_taken_as_they_are(registry: Registry) -> None:
    """Base64 keeps line ends and tabs; an existing version is a conflict."""
    admin = await registry.partner("admin")
    body = published("8", "en")
    content = f"Zeile\r\nZeile\tEnde{body['languages'][0]['content']}".encode()
    german = hashlib.sha256(content).hexdigest()
    body["languages"] = [
        {"language": "de", "content_base64": encoded(content)},
        body["languages"][1] | {"translation_of": german},
    ]
    answer = await admin.post("/texts", body)
    assert answer.status_code == 201, answer.text
    text = answer.json()["text"]
    assert text["languages"][0]["sha256"] == german
    shown = await admin.get(f"/texts/{text['id']}/de")
    assert shown.content == content
    assert (await admin.post("/texts", body)).status_code == 409
