"""A query parameter that a call does not declare is refused, for every call."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.installation import Partner, Registry, serving
from tests.support.office import office
from tests.support.small_network import question

JSON = dict[str, Any]
DOCUMENT: JSON = json.loads((Path(__file__).parents[2] / "openapi" / "consent-registry.json").read_bytes())
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]
# Files and what is read like files: caches and probes add to their queries what they like. The token endpoint ignores
# what it does not recognise (RFC 6749 section 3.2).
ANY_QUERY = {
    ("POST", "/oauth/token"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/live"),
    ("GET", "/ready"),
    ("GET", "/log/{network}/checkpoint"),
    ("GET", "/log/{network}/tile/{place}"),
    ("GET", "/log/{network}/proofs/{index}"),
    ("GET", "/log/{network}/vkeys"),
}
SOME_ID = "01a21dd9-4f9b-71cd-a621-4d3b08faa367"
PLACES = {"slug": "north", "language": "de", "network": "small", "place": "0/000.p/1", "index": "0"}
UNHEARD_OF = "dry_run"


async def caller(registry: Registry, operation: JSON) -> Partner:
    """Return a caller that may make this call."""
    scopes = {scope for scheme in operation["security"] for scopes in scheme.values() for scope in scopes}
    if "catalogue:write" in scopes:
        return await registry.partner("admin")
    return await (registry.dpo("north") if "audit:read" in scopes else registry.partner("north"))


async def ask(registry: Registry, method: str, path: str, query: str) -> httpx.Response:
    """Make a call with this query, and an empty object if it takes a body."""
    partner = await caller(registry, DOCUMENT["paths"][path][method.lower()])
    filled = re.sub(r"\{(\w+)\}", lambda found: PLACES.get(found[1], SOME_ID), path)
    headers = {"Authorization": f"Bearer {partner.token}", "Idempotency-Key": "query"}
    content: JSON | None = {} if method == "POST" else None
    return await registry.http.request(method, f"{filled}?{query}", headers=headers, json=content)


def names_the(parameter: str, answer: httpx.Response) -> bool:
    """Whether this is a problem about this query parameter."""
    if answer.status_code != 400 or not answer.headers["content-type"].startswith("application/problem+json"):
        return False
    faults = [fault["detail"] for fault in answer.json().get("errors", ()) if fault["pointer"] == ""]
    told = [f"{parameter!r} is no parameter of this call", f"{parameter} is given twice"]
    return any(fault in told for fault in faults)


def declared(method: str, path: str) -> list[str]:
    """Return the query parameters that a call declares."""
    parameters = DOCUMENT["paths"][path][method.lower()].get("parameters", ())
    return [parameter["name"] for parameter in parameters if parameter["in"] == "query"]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_no_call_overlooks_what_it_does_not_know(registry: Registry, method: str, path: str) -> None:
    """An unknown parameter, one that only another call has and any that is given twice are refused by name; a file is
    served as without them.
    """
    if (method, path) in ANY_QUERY:
        assert declared(method, path) == []
        plain, asked = [await ask(registry, method, path, query) for query in ("", f"{UNHEARD_OF}=1&a=1&a=2")]
        assert (plain.status_code, plain.content) == (asked.status_code, asked.content)
        return
    names = declared(method, path)
    for name in {UNHEARD_OF, "", "LIMIT", "limit", "as_of"} - set(names):
        assert names_the(name, await ask(registry, method, path, f"{name}=1")), name
    for name in names:
        assert names_the(name, await ask(registry, method, path, f"{name}=1&{name}=1")), name
        assert not names_the(name, await ask(registry, method, path, f"{name}=1")), name


def test_nothing_else_takes_any_query() -> None:
    """The exceptions are existing calls, and none of them belongs to the partners' interface."""
    assert set(OPERATIONS) >= ANY_QUERY
    assert [path for _, path in ANY_QUERY if path.startswith("/api/")] == []


async def test_a_question_with_an_unknown_wish_is_not_answered(registry: Registry) -> None:
    """A question with an unknown parameter gets no decision; without a token the answer is 401."""
    north = await office(registry, "north")
    client = await north.client()
    await north.consent(client)
    async with registry.sql() as sql:
        before = await sql.fetchval("select count(*) from registry.events")
        for path, body in (("/decisions", question(client)), ("/decisions/batch", {"decisions": [question(client)]})):
            assert names_the(UNHEARD_OF, await north.partner.post(f"{path}?{UNHEARD_OF}=1", body))
        assert await sql.fetchval("select count(*) from registry.events") == before
    stranger = await registry.stranger("north").get(f"/approvals?{UNHEARD_OF}=1")
    assert stranger.status_code == 401


async def test_a_public_log_is_as_strict(registry: Registry) -> None:
    """Where logs are public nobody shows a token; a proof between two sizes is of the sizes that were meant all the
    same.
    """
    async with serving(registry.installation, registry.database, log_public=True) as public:
        answer = await public.http.get("/log/small/consistency?from=1&till=2")
        assert names_the("till", answer)
        assert names_the("from", await public.http.get("/log/small/consistency?from=1&from=2"))


async def test_an_overlooked_parameter_is_seen(registry: Registry) -> None:
    """Control: an application that overlooks its query answers an unknown parameter, and the test finds it."""

    async def overlooking(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        scope["query_string"] = b""
        await registry.app(scope, receive, send)

    transport = httpx.ASGITransport(app=overlooking)
    careless = replace(registry, http=httpx.AsyncClient(transport=transport, base_url="http://registry.test"))
    for path in ("/api/v1/partners", "/api/v1/approvals", "/api/v1/me"):
        answer = await ask(careless, "GET", path, f"{UNHEARD_OF}=1")
        assert answer.status_code == 200
        assert not names_the(UNHEARD_OF, answer)
