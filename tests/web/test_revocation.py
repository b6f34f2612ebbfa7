"""A suspended partner and a revoked secret are refused from the next request on, with any token."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from consent_registry.api.openapi.document import make_document
from tests.support.installation import Installation, Registry, fresh
from tests.support.small_network import question

JSON = {"Content-Type": "application/json"}


async def test_suspension_counts_at_the_next_request(fresh_registry: Registry) -> None:
    """A suspended partner is refused with its old token and at the token endpoint; after reinstatement both work."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    calls = (
        "/me",
        "/network",
        "/partners",
        "/consents/019ae000-0000-7000-8000-000000000000",
        "/decisions?transfer=missing",
    )
    assert (await north.post("/decisions", question("N-1"))).status_code == 200
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    for path in calls:
        assert (await north.get(path)).status_code == 401, path
    for path, body in (
        ("/decisions", question("N-1")),
        ("/decisions/batch", {"decisions": [question("N-1")]}),
        ("/clients", {"reference": "N-1"}),
        ("/consents/search", {}),
        ("/withdrawals", {"client": "N-1", "channel": "phone"}),
    ):
        answer = await north.post(path, body)
        assert answer.status_code == 401, (path, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    again = await fresh_registry.stranger("north").sign_in()
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    south = await fresh_registry.partner("south")
    assert next(item for item in (await south.get("/partners")).json()["items"] if item["slug"] == "north")["suspended"]
    assert (await admin.post("/reinstatements", {"partner": "north"})).status_code == 201
    assert (await north.get("/me")).status_code == 200
    assert (await north.post("/decisions", question("N-1"))).status_code == 200
    assert (await fresh_registry.stranger("north").sign_in()).status_code == 200


async def test_revocation_is_for_good(fresh_registry: Registry) -> None:
    """A revoked secret is refused for ever, and so is a token issued for it before; a second revocation is 409."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    revocation = {"client_id": north.client_id}
    assert (await admin.post("/credential-revocations", revocation)).status_code == 201
    assert (await north.get("/me")).status_code == 401
    assert (await north.post("/decisions", question("N-1"))).status_code == 401
    assert (await fresh_registry.stranger("north").sign_in()).status_code == 401
    assert (await admin.post("/credential-revocations", revocation)).status_code == 409
    assert (await admin.post("/credential-revocations", {"client_id": "small.north.00000000"})).status_code == 404
    assert (await (await fresh_registry.partner("south")).get("/me")).status_code == 200


def _bad_requests(path: str, method: str, said: dict[str, Any]) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """What a caller may send to this call that says something of its request before any rule is asked: a name, the URL,
    body and headers.
    """
    url = re.sub(r"\{network\}", "small", path)
    url = re.sub(r"\{\w+\}", "019ae000-0000-7000-8000-000000000000", url)
    yield "nothing wrong", url, b"{}", JSON
    yield "an id that is none", re.sub(r"\{\w+\}", "x", path.replace("{network}", "small")), b"{}", JSON
    yield "an unknown parameter", f"{url}?colour=red", b"{}", JSON
    yield "a media type nobody has", url, b"{}", JSON | {"Accept": "image/png"}
    if method == "post":
        for content in (b"", b"{", b"[]", b"\xff", b'{"a": 1, "a": 2}', b'{"unknown": 1}'):
            yield f"the body {content[:20]!r}", url, content, JSON
        yield "nothing wrong, with a key", url, b"{}", JSON | {"Idempotency-Key": "k"}
        yield "a key that is too long", url, b"{}", JSON | {"Idempotency-Key": "k" * 65}
        yield "another kind of body", url, b"{}", {"Content-Type": "text/plain"}
        yield "too long a body", url, b'{"x": "' + b"x" * (2 << 20 if "batch" in path else 1 << 20) + b'"}', JSON
    if any(parameter["name"] == "limit" for parameter in said.get("parameters", ())):
        yield "a limit that is none", f"{url}?limit=x", b"", {}


async def _answers(registry: Registry, paths: str = "") -> dict[str, set[int]]:
    """Send every bad request to every call below `paths` that takes a token, as who holds its scope and as others; give
    the statuses by call and request.
    """
    north, dpo, admin = await registry.partner("north"), await registry.dpo("north"), await registry.partner("admin")
    holders = {"audit:read": dpo, "catalogue:write": admin}
    heard: dict[str, set[int]] = {}
    for path, methods in make_document(registry.app)["paths"].items():
        for method, said in methods.items():
            scopes = next((scheme["oauth2"] for scheme in said["security"] if "oauth2" in scheme), None)
            if scopes is None or not path.startswith(paths):
                continue
            holder = holders.get(scopes[0], north) if scopes else north
            requests = [(holder, *request) for request in _bad_requests(path, method, said)]
            requests += [(caller, "whoever calls", requests[0][2], b"{", JSON) for caller in (north, dpo, admin)]
            for caller, name, url, content, headers in requests:
                given = headers | {"Authorization": f"Bearer {caller.token}"}
                answer = await registry.http.request(method, url, content=content, headers=given)
                heard.setdefault(f"{method} {path}: {name}", set()).add(answer.status_code)
    return heard


async def _cast_out(registry: Registry) -> None:
    """Suspend a partner and its DPO, and let the administration revoke its own secret."""
    admin = await registry.partner("admin")
    for partner in (await registry.partner("north"), await registry.dpo("north")):
        assert (await partner.get("/me")).status_code == 200
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    assert (await admin.post("/credential-revocations", {"client_id": admin.client_id})).status_code == 201


async def test_whoever_is_cast_out_hears_it_before_anything_of_its_request(fresh_registry: Registry) -> None:
    """Every call of the interface, whatever is wrong with body, key, query, path, media type or scope: 401. The same
    requests are refused for what is wrong with them while their callers may still be heard.
    """
    before = await _answers(fresh_registry)
    assert {400, 403, 404, 406, 413, 415} <= {status for statuses in before.values() for status in statuses}
    assert not [name for name, statuses in before.items() if 401 in statuses]
    await _cast_out(fresh_registry)
    after = await _answers(fresh_registry)
    assert len(after) > 400
    assert {name: statuses for name, statuses in after.items() if statuses != {401}} == {}


async def test_without_the_look_before_a_refusal_the_request_is_told_of(installation: Installation) -> None:
    """Control: refusals that are sent without the check are found."""
    async with fresh(installation, before_refusals=lambda handler: handler) as registry:
        await _cast_out(registry)
        heard = await _answers(registry, "/api/v1/decisions") | await _answers(registry, "/api/v1/clients")
    for call in ("post /api/v1/decisions", "post /api/v1/decisions/batch", "post /api/v1/clients"):
        assert heard[f"{call}: the body b'{{'"] == {400}


@pytest.mark.parametrize("path", ["/decisions", "/decisions/batch"])
async def test_the_decider_hears_nobody_who_is_suspended(fresh_registry: Registry, path: str) -> None:
    """For unknown slugs, invalid references and empty lists a suspended partner gets 401 only."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    bad = [
        question("N-1", recipient="nobody"),
        question("N-1", recipient="north"),
        question("N-1", purpose="nothing"),
        question("N-1", categories=["shoe-size"]),
        question("N-1", categories=[]),
        question("N-1", basis="statute"),
        question(" N-1"),
        question("N-1", colour="red"),
    ]
    bodies = bad if path == "/decisions" else [{"decisions": [body]} for body in bad]
    assert {(await north.post(path, body)).status_code for body in bodies} == {400}
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    assert {(await north.post(path, body)).status_code for body in bodies} == {401}


async def test_a_key_in_use_or_used_before_is_nothing_for_who_is_suspended(fresh_registry: Registry) -> None:
    """A suspended partner gets neither the stored answer of a key, nor that it had another body."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    for path, body in (("/clients", {"reference": "N-1"}), ("/decisions", question("N-1"))):
        assert (await north.post(path, body, Idempotency_Key="k")).status_code in {200, 201}
        assert (await north.post(path, body | {"receipt": True}, Idempotency_Key="k")).status_code in {400, 422}
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    for path, body in (("/clients", {"reference": "N-1"}), ("/decisions", question("N-1"))):
        assert (await north.post(path, body, Idempotency_Key="k")).status_code == 401
        assert (await north.post(path, body | {"receipt": True}, Idempotency_Key="k")).status_code == 401
