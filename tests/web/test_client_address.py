"""The client's address in the server's log: only trusted proxies can set it."""

import json
from ipaddress import ip_network

import pytest

from tests.support.installation import Installation, serving

PROXIES = (ip_network("10.0.0.0/28"), ip_network("2001:db8:1::/48"))
TRUSTED, STRANGER = "10.0.0.5", "192.0.2.7"
FORWARDED = [
    ({"X-Forwarded-For": "198.51.100.1"}, "198.51.100.1"),
    ({"X-Forwarded-For": "203.0.113.9, 198.51.100.1, 10.0.0.6"}, "198.51.100.1"),
    ({"X-Forwarded-For": "evil, 198.51.100.1:443"}, "198.51.100.1"),
    ({"X-Forwarded-For": "198.51.100.1, evil"}, TRUSTED),
    ({"X-Forwarded-For": "10.0.0.7"}, "10.0.0.7"),
    ({"X-Forwarded-For": "[2001:db8:2::1]:4711"}, "2001:db8:2::1"),
    ({"Forwarded": 'for=203.0.113.9, for="[2001:db8:2::1]:4711";proto=https'}, "2001:db8:2::1"),
    ({"Forwarded": "by=10.0.0.5;For=198.51.100.1"}, "198.51.100.1"),
    ({"Forwarded": "for=_hidden"}, TRUSTED),
    ({"X-Real-IP": "198.51.100.1", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}, TRUSTED),
    ({}, TRUSTED),
]


async def logged(
    installation: Installation, database: str, caller: str, headers: dict[str, str], told: pytest.CaptureFixture[str]
) -> str:
    """Request a token with a wrong secret and return the logged address, after checking the answer."""
    async with serving(installation, database, proxies=PROXIES, caller=caller) as registry:
        told.readouterr()
        form = {"grant_type": "client_credentials", "client_id": "small.north.0", "client_secret": "guess"}
        answer = await registry.http.post("/oauth/token", data=form, headers=headers)
        metadata = (await registry.http.get("/.well-known/oauth-authorization-server", headers=headers)).json()
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert metadata["issuer"] == "https://registry.example"
    assert "evil" not in answer.text + json.dumps(metadata)
    lines = [json.loads(line) for line in told.readouterr().out.splitlines() if "token refused" in line]
    assert [sorted(line) for line in lines] == [
        ["client", "client_id", "error", "event", "level", "reason", "timestamp"]
    ]
    return str(lines[0]["client"])


async def test_whose_word_counts(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """A trusted proxy's header gives the first other address; any other caller has its own, whatever it sends."""
    async with installation.copy() as database:
        for headers, address in FORWARDED:
            assert await logged(installation, database, TRUSTED, headers, capsys) == address, headers
            assert await logged(installation, database, STRANGER, headers, capsys) == STRANGER, headers
