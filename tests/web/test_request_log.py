"""The server's log has every refusal and every token, and no line contains what a caller sent."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
import structlog
from litestar.types import Receive, Scope, Send

from consent_registry.domain.identifiers import make_code
from tests.support.installation import Installation, Registry, fresh
from tests.support.small_network import question

NOWHERE = "00000000-0000-7000-8000-000000000000"
CANARY = "AWO-1001-canary"
SECRET = "canary-secret-of-256-bits"


@pytest_asyncio.fixture(loop_scope="session")
async def talkative(installation: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database of its own, with a line for every request."""
    async with fresh(installation, access_log=True) as running:
        yield running


def lines(capsys: pytest.CaptureFixture[str], event: str = "") -> list[dict[str, Any]]:
    """Return the log's new lines, all or those of one event."""
    every = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in every if event in {"", line["event"]}]


async def test_every_refusal_is_a_line(talkative: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """401, 403 and 429, each with whose it was, by its route, and the class of its reason; an answer that is none of
    these is no refusal.
    """
    north = await talkative.partner("north")
    dpo = await talkative.dpo("north")
    capsys.readouterr()
    assert (await talkative.http.get("/api/v1/me")).status_code == 401
    bad = {"Authorization": "Bearer " + SECRET}
    assert (await talkative.http.get(f"/api/v1/consents/{NOWHERE}", headers=bad)).status_code == 401
    assert (await dpo.post("/decisions", question("N-1"))).status_code == 403
    assert (await north.get("/me")).status_code == 200
    assert (await north.get(f"/consents/{NOWHERE}")).status_code == 404
    found = lines(capsys, "refused")
    assert [(line["status"], line["reason"], line["client_id"], line["method"], line["route"]) for line in found] == [
        (401, "no-token", None, "GET", "/api/v1/me"),
        (401, "not-authentic", None, "GET", "/api/v1/consents/{consent_id}"),
        (403, "scope-decisions", dpo.client_id, "POST", "/api/v1/decisions"),
    ]
    assert all(line["client"] == "127.0.0.1" for line in found)
    assert all(len(line["request_id"]) == 32 for line in found)


async def test_too_many_is_a_line(talkative: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Guesses at a link code end with 429, and the line names the partner's system."""
    north = await talkative.partner("north")
    status = 0
    for number in range(12):
        guess = {"reference": f"N-{number}", "link_code": make_code(bytes([number]) * 7)}
        status = (await north.post("/clients", guess)).status_code
        if status == 429:
            break
    assert status == 429
    (line,) = lines(capsys, "refused")
    assert (line["status"], line["client_id"]) == (429, north.client_id)
    assert line["reason"] in {"too-many", "wrong-codes"}


async def test_every_token_is_a_line(talkative: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Issued with its scopes; refused with the reason's class, and with a client id only where there is such a
    client: what somebody wrote in its place may be a secret.
    """
    north = talkative.stranger("north")
    capsys.readouterr()

    async def asked(pair: tuple[str, str], **form: str) -> list[tuple[object, ...]]:
        encoded = base64.b64encode(":".join(pair).encode()).decode()
        fields = {"grant_type": "client_credentials", **form}
        await talkative.http.post("/oauth/token", data=fields, headers={"Authorization": f"Basic {encoded}"})
        found = [line for line in lines(capsys) if line["event"] in {"token issued", "token refused"}]
        return [(line["event"], line.get("reason"), line["client_id"]) for line in found]

    mine = (north.client_id, north.client_secret)
    assert await asked(mine) == [("token issued", None, north.client_id)]
    assert await asked((north.client_id, SECRET)) == [("token refused", "wrong-secret", north.client_id)]
    assert await asked(("small.north.00000000", SECRET)) == [("token refused", "unknown-client", None)]
    assert await asked((SECRET, north.client_id)) == [("token refused", "unknown-client", None)]
    assert await asked(mine, scope="everything") == [("token refused", "invalid_scope", north.client_id)]
    assert await asked(mine, grant_type="password") == [("token refused", "unsupported_grant_type", None)]


async def drive(registry: Registry) -> None:
    """Send the canary in every possible place: bodies, paths, queries, headers, forms, methods."""
    north = await registry.partner("north")
    token = {"Authorization": f"Bearer {north.token}"}
    await north.post("/clients", {"reference": CANARY})
    await north.post("/decisions", question(CANARY))
    await north.post("/decisions/batch", {"decisions": [question(CANARY)]})
    await north.post("/consents/search", {"client": CANARY})
    await north.post("/withdrawals", {"client": CANARY, "channel": "phone"})
    await north.post("/link-codes", {"client": CANARY})
    await north.post("/decisions", {"client": CANARY, CANARY: CANARY})
    await north.send("/decisions", b'{"client": "' + CANARY.encode())
    await north.get(f"/consents/{CANARY}")
    await north.get(f"/{CANARY}?client={CANARY}")
    await north.get(f"/decisions?transfer={CANARY}")
    for headers in ({CANARY: CANARY}, {"Accept": CANARY}, {"Cookie": CANARY}, {"User-Agent": CANARY}):
        await registry.http.get(f"/api/v1/me?{CANARY}={CANARY}", headers=token | headers)
    for value in (CANARY, f"Bearer {CANARY}", f"Basic {CANARY}", f"{CANARY} {CANARY}"):
        await registry.http.get("/api/v1/me", headers={"Authorization": value})
        await registry.http.post("/oauth/token", headers={"Authorization": value})
    await registry.http.post("/oauth/token", data={"grant_type": CANARY, "client_id": CANARY, "client_secret": CANARY})
    pair = base64.b64encode(f"{north.client_id}:{CANARY}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": CANARY}
    await registry.http.post("/oauth/token", data=form, headers={"Authorization": f"Basic {pair}"})
    await registry.http.request(CANARY.upper().replace("-", ""), f"/log/{CANARY}/checkpoint")
    await registry.http.get(f"/log/{CANARY}/vkeys")
    await registry.http.get("/", headers={"X-Forwarded-For": CANARY, "Forwarded": f"for={CANARY}"})


async def test_no_line_holds_what_a_caller_sent(talkative: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """With all lines switched on, no line contains the canary, a token or a secret."""
    await drive(talkative)
    written = capsys.readouterr().out
    north = await talkative.partner("north")
    assert '"event": "request"' in written
    assert len(written.splitlines()) > 30
    for secret in (CANARY, CANARY.upper().replace("-", ""), SECRET, north.token, north.client_secret):
        assert secret not in written


async def test_the_access_log_says_what_was_asked(talkative: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each answer, with the method that was sent, also where HEAD is answered as GET is, and how long it
    took; without the switch there is none.
    """
    north = await talkative.partner("north")
    token = {"Authorization": f"Bearer {north.token}"}
    capsys.readouterr()
    for method in ("GET", "HEAD", "OPTIONS", "BREW"):
        await talkative.http.request(method, "/api/v1/me", headers=token)
    found = lines(capsys, "request")
    assert [(line["method"], line["route"], line["status"]) for line in found] == [
        ("GET", "/api/v1/me", 200),
        ("HEAD", "/api/v1/me", 200),
        ("OPTIONS", "/api/v1/me", 204),
        ("other", "(no such path)", 405),
    ]
    assert all(0 < line["milliseconds"] < 60_000 for line in found)


async def test_control_a_line_that_says_more_is_caught(talkative: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Control: an application that logs its requests' bodies puts the canary into a line, and the test finds it."""

    async def careless(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting() -> Any:  # noqa: ANN401 - a message of ASGI
            message: Any = await receive()
            structlog.get_logger("careless").info("asked", body=message.get("body", b"").decode())
            return message

        await talkative.app(scope, noting, send)

    transport = httpx.ASGITransport(app=cast("Any", careless))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry.test") as http:
        await drive(replace(talkative, http=http))
    assert CANARY in capsys.readouterr().out


async def test_without_the_setting_an_answer_is_no_line(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the setting there is no line for each request."""
    north = await registry.partner("north")
    capsys.readouterr()
    await north.get("/me")
    assert lines(capsys) == []
