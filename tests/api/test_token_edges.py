"""Edge cases of tokens: scopes and credentials of any characters, missing tokens, and compressed bodies."""

import re

import pytest

from tests.api.test_tokens import basic
from tests.support.installation import Partner, Registry


@pytest.fixture
def north(registry: Registry) -> Partner:
    """Return a partner without a token."""
    return registry.stranger("north")


@pytest.mark.parametrize(
    "scope",
    [
        *("\u3000", "decisions\u3000clients", "\u00a0", " ", "decisions  clients", " decisions", "decisions\tclients"),
        *("decisions\n", "decisions\u2003", "\u0085", '"decisions"', "decisions\\", "ünknown", "x" * 300, "\0"),
    ],
)
async def test_scopes_are_parted_by_one_space_alone(registry: Registry, north: Partner, scope: str) -> None:
    """RFC 6749 section 3.3: whatever else parts or fills a scope is invalid, and never means all of them; and the
    description holds no character that section 5.2 forbids, nor a long word of the caller's.
    """
    form = {"grant_type": "client_credentials", "scope": scope}
    answer = await registry.http.post("/oauth/token", data=form, headers=basic(north.client_id, north.client_secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    description = answer.json()["error_description"]
    assert re.fullmatch(r"[ !#-\[\]-~]{1,140}", description), description


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearer", "Bearer ", "Digest x"])
async def test_who_shows_no_token_is_told_of_no_error(registry: Registry, header: str | None) -> None:
    """The challenge has no error for a request without a token, and one for a bad token (RFC 6750 section 3.1)."""
    for path in ("/api/v1/me", "/api/v1/decisions?transfer=missing"):
        answer = await registry.http.get(path, headers={} if header is None else {"Authorization": header})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="consent registry"')
        bad = await registry.http.get(path, headers={"Authorization": "Bearer x"})
        assert bad.headers["www-authenticate"] == 'Bearer realm="consent registry", error="invalid_token"'


@pytest.mark.parametrize("credentials", [b"\xc3\xbc", b"\xff\xfe", b"====", b"YQ", b"YWJj", b"/w==", b"AAAA"])
async def test_any_bytes_as_basic_credentials_are_401(registry: Registry, credentials: bytes) -> None:
    """Credentials that are not base64, not UTF-8, without colon or with NULs are 401, never a 5xx."""
    headers = {b"Authorization": b"Basic " + credentials, b"Content-Type": b"application/x-www-form-urlencoded"}
    answer = await registry.http.post("/oauth/token", content=b"grant_type=client_credentials", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_the_metadata_holds_no_member_without_elements(registry: Registry) -> None:
    """Metadata members without elements are omitted (RFC 8414 section 3.2), such as response types."""
    metadata = (await registry.http.get("/.well-known/oauth-authorization-server")).json()
    assert "response_types_supported" not in metadata
    assert [name for name, value in metadata.items() if value in ([], "", None)] == []


@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/decisions", "/api/v1/clients"])
async def test_no_body_is_unpacked(registry: Registry, north: Partner, path: str) -> None:
    """Any Content-Encoding except identity is 415 with the accepted one, on several lines too."""
    await north.sign_in()
    kind = "application/x-www-form-urlencoded" if path == "/oauth/token" else "application/json"
    for lines in (["gzip"], ["br"], ["identity, gzip"], ["identity", "deflate"], ["GZIP"]):
        headers = [("Content-Encoding", line) for line in lines]
        headers += [("Content-Type", kind), ("Authorization", f"Bearer {north.token}")]
        answer = await registry.http.post(path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity"), lines
    plain = [("Content-Encoding", "identity"), ("Content-Type", kind), ("Authorization", f"Bearer {north.token}")]
    assert (await registry.http.post(path, content=b"{}", headers=plain)).status_code in {400, 401}
