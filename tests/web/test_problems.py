"""Errors are RFC 9457 problems, with the place of every fault and without internals."""

import json
import uuid
from typing import Any, Never

import httpx
import pytest

from consent_registry.operations.runtime.context import Runtime
from consent_registry.web.problems import PROBLEM_SLUGS
from tests.support.installation import Registry, serving
from tests.support.small_network import consent_body, question

NOWHERE = "019ae000-0000-7000-8000-000000000000"
SECRET = "north's reference N-4711"


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Check form and headers of a problem and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    said: dict[str, Any] = answer.json()
    assert set(said) <= {"type", "title", "status", "detail", "errors"}
    assert (said["type"], said["status"]) == (f"/problems/{slug}", status)
    assert said["title"]
    assert said["detail"].endswith(".")
    for fault in said.get("errors", []):
        assert set(fault) <= {"pointer", "detail", "rule", "norm"}
        assert fault["pointer"] == "" or fault["pointer"].startswith("/")
        assert fault["detail"]
    return said


async def faults(registry: Registry, path: str, body: object) -> set[str]:
    """Return the places in a malformed request's problem."""
    north = await registry.partner("north")
    said = assert_problem(await north.post(path, body), 400, "malformed")
    return {fault["pointer"] for fault in said["errors"]}


async def test_every_fault_of_a_question_is_named(registry: Registry) -> None:
    """Wrong types, unknown and missing members are in one answer; unknown slugs are in a second one."""
    bad = {"client": 5, "x": 1, "recipient": "A B", "categories": [], "basis": "law"}
    assert await faults(registry, "/decisions", bad) == {
        "/client",
        "/x",
        "/recipient",
        "/categories",
        "/basis",
        "/purpose",
    }
    unknown = question(" N", recipient="nobody", purpose="nothing", categories=["identity", "shoes", "hats"])
    pointers = {"/client", "/recipient", "/purpose", "/categories/1", "/categories/2"}
    assert await faults(registry, "/decisions", unknown) == pointers
    batch = {"decisions": [question("N-1"), unknown, question("N-1"), question("N-1", recipient="north")]}
    in_batch = {f"/decisions/1{pointer}" for pointer in pointers} | {"/decisions/3/recipient"}
    assert await faults(registry, "/decisions/batch", batch) == in_batch


async def test_every_fault_of_a_consent_is_named(registry: Registry) -> None:
    """Nested faults are named with the item's number; a slash or tilde in a name is escaped (RFC 6901)."""
    body = consent_body("N-1", NOWHERE, categories=["identity", 7])
    body["giver"] = {"role": "neighbour"}
    body["act"]["evidence"]["sha256"] = "g" * 64
    body["information"]["a/b~c"] = True
    del body["information"]["explained_by"]
    assert await faults(registry, "/consents", body) == {
        "/grants/0/categories/1",
        "/giver/role",
        "/giver/age_band",
        "/act/evidence/sha256",
        "/information/a~1b~0c",
        "/information/explained_by",
    }


async def test_a_refusal_names_rule_and_norm(registry: Registry) -> None:
    """A 422 names the refusing rule, its norm and the place in the request. A rule of the network has no norm."""
    north = await registry.partner("north")
    text = (await north.get("/texts")).json()["items"][0]["id"]
    await north.post("/clients", {"reference": "R-1"})
    body = consent_body("R-1", text, recipient="closed")
    del body["act"]["evidence"]
    said = assert_problem(await north.post("/consents", body), 422, "refused")
    assert {fault["pointer"].split("/")[1] for fault in said["errors"]} == {"act", "grants"}
    assert all(bool(fault.get("norm")) is (fault["rule"] != "flow_in_agreement") for fault in said["errors"])
    assert {fault["rule"] for fault in said["errors"]} >= {"evidence", "flow_in_agreement"}


@pytest.mark.parametrize(
    ("method", "path", "change", "status", "slug"),
    [
        ("GET", "/api/v1/me", {"Authorization": ""}, 401, "not-authentic"),
        ("GET", "/api/v1/me", {"Authorization": "Bearer x"}, 401, "not-authentic"),
        ("POST", "/api/v1/suspensions", {}, 403, "not-allowed"),
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/api/v1/nowhere", {}, 404, "not-found"),
        ("GET", f"/api/v1/consents/{NOWHERE}", {}, 404, "not-found"),
        ("GET", "/api/v1/consents/x", {}, 404, "not-found"),
        ("GET", "/api/v1/partners/%ff", {}, 404, "not-found"),
        ("GET", "/api/v1/partners/%00", {}, 404, "not-found"),
        ("GET", f"/api/v1/texts/{NOWHERE}/%00", {}, 404, "not-found"),
        ("GET", "/problems/nothing", {}, 404, "not-found"),
        ("GET", "/docs/files/nothing.js", {}, 404, "not-found"),
        ("DELETE", "/api/v1/decisions", {}, 405, "method-not-allowed"),
        ("POST", "/live", {}, 405, "method-not-allowed"),
        ("GET", "/oauth/token", {}, 405, "method-not-allowed"),
        ("GET", "/api/v1/me", {"Accept": "text/html"}, 406, "not-acceptable"),
        ("POST", "/api/v1/decisions", {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        ("POST", "/api/v1/clients", {"Content-Type": ""}, 415, "unsupported-media-type"),
        ("POST", "/api/v1/decisions", {}, 400, "malformed"),
        ("POST", "/api/v1/consents", {"Idempotency-Key": ""}, 400, "malformed"),
        ("POST", "/api/v1/decisions", {"Idempotency-Key": "x" * 65}, 400, "malformed"),
        ("GET", "/api/v1/decisions", {}, 400, "malformed"),
        ("GET", "/api/v1/decisions?transfer=all", {}, 400, "malformed"),
        ("GET", "/api/v1/partners?limit=1&limit=x", {}, 400, "malformed"),
    ],
)
async def test_each_status_has_its_problem(
    registry: Registry, method: str, path: str, change: dict[str, str], status: int, slug: str
) -> None:
    """Errors of the framework and of the registry have the same form."""
    north = await registry.partner("north")
    headers = {"Authorization": f"Bearer {north.token}", "Idempotency-Key": uuid.uuid4().hex}
    if method == "POST":
        headers["Content-Type"] = "application/json"
    sent = {name: value for name, value in (headers | change).items() if value}
    answer = await registry.http.request(method, path, headers=sent, content=b"{}" if method == "POST" else b"")
    assert_problem(answer, status, slug)
    if status in {401, 403}:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if status == 405:
        allowed = {name.strip() for name in answer.headers["allow"].split(",")}
        assert method not in allowed
        assert allowed & {"GET", "POST"}


async def test_what_the_present_state_does_not_allow_is_409(registry: Registry) -> None:
    """A second withdrawal of the same grants is 409, because nothing remains."""
    north = await registry.partner("north")
    text = (await north.get("/texts")).json()["items"][0]["id"]
    await north.post("/clients", {"reference": "R-2"})
    consent = (await north.post("/consents", consent_body("R-2", text))).json()["consent_id"]
    withdrawal = {"consent_id": consent, "channel": "phone"}
    assert (await north.post("/withdrawals", withdrawal)).status_code == 201
    assert_problem(await north.post("/withdrawals", withdrawal), 409, "conflict")


async def test_a_key_with_another_body_is_422(registry: Registry) -> None:
    """A used key with a body that differs by one letter is 422."""
    north = await registry.partner("north")
    first = await north.post("/clients", {"reference": "R-3"}, Idempotency_Key="one and the same")
    assert first.status_code == 201
    second = await north.post("/clients", {"reference": "R-4"}, Idempotency_Key="one and the same")
    said = assert_problem(second, 422, "refused")
    assert [(fault["pointer"], fault["rule"]) for fault in said["errors"]] == [("", "idempotency_key")]


async def test_too_many_wrong_codes_are_429(fresh_registry: Registry) -> None:
    """Wrong receipt codes are 404, and after a number of them every code is 429 for a while."""
    north = await fresh_registry.partner("north")
    withdrawal = {"receipt_code": "0000-0000-0000", "channel": "phone"}
    tried = 0
    while (answer := await north.post("/withdrawals", withdrawal)).status_code != 429:
        assert_problem(answer, 404, "not-found")
        tried += 1
        assert tried <= 30
    assert_problem(answer, 429, "too-many")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_is_too_large_is_413(registry: Registry) -> None:
    """A body over 1 MiB, or a batch over 2 MiB, is 413, with or without Content-Length."""
    north = await registry.partner("north")
    for path, limit in (("/decisions", 1 << 20), ("/decisions/batch", 2 << 20), ("/clients", 1 << 20)):
        assert_problem(await north.send(path, b" " * (limit + 1)), 413, "too-large")


async def test_every_problem_type_leads_to_a_page(registry: Registry) -> None:
    """The address in `type` is an HTML page that explains the problem and loads and runs nothing."""
    listed = (await registry.http.get("/problems")).text
    for slug in PROBLEM_SLUGS:
        answer = await registry.http.get(f"/problems/{slug}")
        assert answer.status_code == 200, slug
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]
        assert "What to do" in answer.text
        assert f'href="/problems/{slug}"' in listed


@pytest.mark.parametrize(
    "path", ["/live", "/api/v1/me", "/nowhere", "/api/v1/nowhere", "/docs", "/docs/files/page.css"]
)
async def test_every_answer_names_its_request(registry: Registry, path: str) -> None:
    """The caller's request id is returned if it is valid; otherwise each request gets a new one."""
    north = await registry.partner("north")
    token = {"Authorization": f"Bearer {north.token}"}
    for sent in ("a", "x" * 128, "with space", '{"a": "b"}'):
        answer = await registry.http.get(path, headers=token | {"X-Request-ID": sent})
        assert answer.headers["x-request-id"] == sent
    made = set()
    for given in (b"", b"x" * 129, "Größe".encode(), b"a\tb", b"a\x7f"):
        headers = {b"Authorization": token["Authorization"].encode()} | ({b"X-Request-ID": given} if given else {})
        answer = await registry.http.get(path, headers=headers)
        assert answer.headers["x-request-id"].encode("latin-1") != given
        made.add(answer.headers["x-request-id"])
    assert len(made) == 5
    assert all(1 <= len(made_id) <= 128 and made_id.isascii() for made_id in made)


async def test_answers_are_not_to_be_stored(registry: Registry) -> None:
    """Everything below /api has no-store; keys, metadata and documentation may be cached for a while."""
    north = await registry.partner("north")
    for path in ("/me", "/partners", "/texts", "/network", f"/consents/{NOWHERE}"):
        assert (await north.get(path)).headers["cache-control"] == "no-store"
    assert (await north.post("/decisions", question("N-1"))).headers["cache-control"] == "no-store"
    for path in ("/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/docs/files/page.css"):
        kept = (await registry.http.get(path)).headers["cache-control"]
        assert "public" in kept
        assert "max-age" in kept


class Failing(Runtime):
    """A runtime that cannot even give a turn, for a reason that nobody may read."""

    def turn(self, *_: object) -> Never:
        """Fail."""
        reference = SECRET
        raise RuntimeError(reference)


async def test_a_mistake_of_ours_says_nothing_and_is_logged(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 500 has no word of the fault; the log has the request's id and the position, but no message or values."""
    async with serving(registry.installation, registry.database, make_runtime=Failing) as failing:
        north = await failing.partner("north")
        answer = await north.get("/network", X_Request_ID="find-me-4711")
    said = assert_problem(answer, 500, "internal")
    assert said["detail"] == "It was logged with this request's id."
    assert answer.headers["x-request-id"] == "find-me-4711"
    written = capsys.readouterr().out
    (line,) = [json.loads(line) for line in written.splitlines() if "find-me-4711" in line]
    assert line["level"] == "error"
    assert line["request_id"] == "find-me-4711"
    assert line["path"] == "/api/v1/network"
    assert line["exception"][0]["type"] == "builtins.RuntimeError"
    assert line["exception"][0]["at"][-1].endswith(" turn")
    assert SECRET not in written
    assert north.token not in written
