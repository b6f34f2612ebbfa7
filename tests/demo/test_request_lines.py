"""The demonstration's request lines: one for each request, without content from the caller."""

import asyncio
from typing import Any, cast

import httpx
import pytest

from consent_registry.demo.request_lines import EVERY_SECONDS, LINES, RequestLines
from tests.support.installation import Registry

SECRET = "AWO-SECRET-4711"


async def lines_of(
    registry: Registry, capfd: pytest.CaptureFixture[str], requests: list[tuple[str, str, dict[str, Any]]]
) -> list[str]:
    """Send requests to the application and return its lines."""
    transport = httpx.ASGITransport(app=cast("Any", RequestLines(registry.app)))
    capfd.readouterr()
    async with httpx.AsyncClient(transport=transport, base_url="http://registry.test") as http:
        for method, path, more in requests:
            await http.request(method, path, **more)
        await asyncio.sleep(EVERY_SECONDS * 2)
    return [line for line in capfd.readouterr().out.splitlines() if line.endswith(" ms") or "more requests" in line]


async def test_a_line_says_method_path_status_and_time(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    """A line has method, route, status and time, in the order of the answers."""
    north = await registry.partner("north")
    signed_in = {"headers": {"Authorization": f"Bearer {north.token}"}}
    asked = [("GET", "/live", {}), ("GET", "/api/v1/me", {}), ("GET", "/api/v1/partners/north", signed_in)]
    lines = await lines_of(registry, capfd, asked)
    assert [line.split()[:3] for line in lines] == [
        ["GET", "/live", "200"],
        ["GET", "/api/v1/me", "401"],
        ["GET", "/api/v1/partners/{slug}", "200"],
    ]
    assert all(len(line) < 80 for line in lines)


async def test_nothing_a_caller_sends_is_in_a_line(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    """No line has the caller's path, query, headers, body or unknown method."""
    asked = [
        ("GET", f"/api/v1/consents/{SECRET}", {}),
        ("GET", f"/{SECRET}", {}),
        ("GET", f"/live?client={SECRET}", {}),
        ("POST", "/api/v1/decisions", {"json": {"client": SECRET}, "headers": {"X-Request-ID": SECRET}}),
        (SECRET, "/live", {}),
        ("DELETE", f"/problems/{SECRET}", {}),
    ]
    lines = await lines_of(registry, capfd, asked)
    assert len(lines) == len(asked)
    assert SECRET not in "".join(lines)


async def test_what_nobody_could_follow_is_counted(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    """Under load further requests are counted instead of shown."""
    lines = await lines_of(registry, capfd, [("GET", "/live", {})] * (LINES + 7))
    counted = [line for line in lines if "more requests" in line]
    shown = len(lines) - len(counted)
    assert shown + sum(int(line.split()[2]) for line in counted) == LINES + 7
