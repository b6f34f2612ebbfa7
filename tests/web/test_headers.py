"""The headers of every answer, of all routes and statuses."""

from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from consent_registry.app import create_app
from consent_registry.settings import Settings
from tests.support.installation import ISSUER, Registry

YEAR = 31536000
# One answer of each kind: success and refusal, JSON, page, file, text, and what the framework answers by itself.
ASKED = [
    ("GET", "/live", 200),
    ("GET", "/api/v1/me", 401),
    ("GET", "/nowhere", 404),
    ("DELETE", "/api/v1/me", 405),
    ("POST", "/oauth/token", 400),
    ("GET", "/problems/not-found", 200),
    ("GET", "/docs", 200),
    ("GET", "/docs/files/page.css", 200),
    ("GET", "/.well-known/jwks.json", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), ASKED, ids=[path for _, path, _ in ASKED])
async def test_every_answer_is_safe_in_a_browser(registry: Registry, method: str, path: str, status: int) -> None:
    """A browser may not guess types, embed pages or run scripts, and uses only TLS for a year."""
    answer = await registry.http.request(method, path)
    assert answer.status_code == status
    said = answer.headers
    assert said["x-content-type-options"] == "nosniff"
    assert said["referrer-policy"] == "no-referrer"
    policy = said["content-security-policy"]
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert said["strict-transport-security"] == f"max-age={YEAR}; includeSubDomains"
    assert not {"server", "x-powered-by", "access-control-allow-origin", "set-cookie"} & set(said)
    for name in ("content-security-policy", "strict-transport-security", "cache-control", "x-request-id"):
        assert len(said.get_list(name)) == 1, name


@pytest.mark.parametrize(
    ("issuer", "is_said"),
    [(ISSUER, True), ("HTTPS://registry.example", True), ("http://127.0.0.1:8080", False)],
)
async def test_tls_is_demanded_only_where_it_is_spoken(tmp_path: Path, issuer: str, *, is_said: bool) -> None:
    """A registry reached over plain HTTP does not send Strict-Transport-Security (RFC 6797 section 7.2)."""
    app = create_app(Settings(database_url="postgresql:///nowhere", keys=tmp_path, issuer=issuer))
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url=issuer) as http:
        assert ("strict-transport-security" in (await http.get("/live")).headers) is is_said
