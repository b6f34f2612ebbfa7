"""The documentation is served whole from here: no page asks another host for anything."""

import asyncio
import hashlib
import json
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from consent_registry.api.problems import PROBLEM_SLUGS
from tests.campaigns.server import ROOT, Server
from tests.installation import Registry

PAGES = ("/docs", "/problems", *(f"/problems/{slug}" for slug in PROBLEM_SLUGS))
STATIC = files("consent_registry.api") / "static"
ADDRESS = re.compile(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""")


@pytest.mark.parametrize("path", PAGES)
async def test_pages_name_only_addresses_of_this_host(registry: Registry, path: str) -> None:
    """Everything a page loads or links to is a path that answers here, or stands in the page itself."""
    answer = await registry.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    addresses = ADDRESS.findall(answer.text)
    assert addresses
    for address in set(addresses):
        if not address.startswith("data:"):
            assert address.startswith("/"), address
            assert not address.startswith("//"), address
            assert (await registry.http.get(address)).status_code == 200, address
    without_icon = answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "://" not in without_icon
    assert "<script>" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_may_only_what_they_need(registry: Registry, path: str) -> None:
    """Nothing is allowed by default, no page may be framed, and scripts run on /docs alone, from files of ours."""
    headers = (await registry.http.get(path)).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy.get("script-src") == ("'self'" if path == "/docs" else None)
    assert policy["style-src"] == ("'self' 'unsafe-inline'" if path == "/docs" else "'self'")
    assert not re.search(r"https?:|\*|unsafe-eval", headers["content-security-policy"])
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


async def test_files_of_others_are_as_they_were_taken() -> None:
    """Swagger UI's files have the hashes written down when they were added; its licence and notice lie beside them."""
    listed = dict(line.split()[::-1] for line in (STATIC / "SHA256SUMS").read_text().splitlines())
    assert {"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"} <= set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
    ours = {"docs.js", "page.css", "SHA256SUMS"}
    assert {one.name for one in STATIC.iterdir()} == set(listed) | ours


async def test_the_description_is_served_as_it_is_committed(registry: Registry) -> None:
    """Programs read the same bytes that reviewers read."""
    answer = await registry.http.get("/openapi/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == (ROOT / "openapi" / "consent-registry.json").read_bytes()


@pytest.mark.system
async def test_a_browser_asks_nobody_else(server: Server, tmp_path: Path) -> None:
    """In Chromium the documentation is drawn from the description, and every request its page makes is to this host."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    host = f"127.0.0.1:{server.port}"
    requests = tmp_path / "requests.json"
    process = await asyncio.create_subprocess_exec(
        *(chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--virtual-time-budget=15000", f"--log-net-log={requests}", "--dump-dom", f"http://{host}/docs"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    drawn, _ = await asyncio.wait_for(process.communicate(), timeout=120)
    assert b'id="operations-decisions-decide"' in drawn
    asked = page_requests(json.loads(requests.read_text()), f"http://{host}")
    assert {urlsplit(one).netloc for one in asked} == {host}
    assert {urlsplit(one).path for one in asked} >= {
        "/docs",
        "/docs/files/swagger-ui-bundle.js",
        "/openapi/openapi.json",
    }


def page_requests(log: dict[str, Any], origin: str) -> set[str]:
    """Return the addresses asked for by a page of this origin, and its own; the browser has errands of its own."""
    start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event["params"] for event in log["events"] if event["type"] == start and "url" in event.get("params", {})]
    return {one["url"] for one in asked if one["url"].startswith(origin) or one.get("initiator", "").startswith(origin)}
