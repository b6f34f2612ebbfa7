"""The edges of tokens: scopes of any characters, credentials of any bytes, no token at all, and packed bodies."""

import re

import pytest

from tests.api.test_tokens import basic
from tests.support.installation import Partner, Registry


@pytest.fixture
def north(registry: Registry) -> Partner:
    """Return a partner that has not signed in."""
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
    """RFC 6750 section 3.1: a challenge without error for a request without a token, with one for a bad token."""
    for path in ("/api/v1/me", "/api/v1/decisions?transfer=missing"):
        answer = await registry.http.get(path, headers={} if header is None else {"Authorization": header})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="consent registry"')
        bad = await registry.http.get(path, headers={"Authorization": "Bearer x"})
        assert bad.headers["www-authenticate"] == 'Bearer realm="consent registry", error="invalid_token"'


@pytest.mark.parametrize("credentials", [b"\xc3\xbc", b"\xff\xfe", b"====", b"YQ", b"YWJj", b"/w==", b"AAAA"])
async def test_any_bytes_as_basic_credentials_are_401(registry: Registry, credentials: bytes) -> None:
    """No base64, no UTF-8 in it, no colon, NULs: who cannot be read is not authenticated, and nothing breaks."""
    headers = {b"Authorization": b"Basic " + credentials, b"Content-Type": b"application/x-www-form-urlencoded"}
    answer = await registry.http.post("/oauth/token", content=b"grant_type=client_credentials", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_the_metadata_holds_no_member_without_elements(registry: Registry) -> None:
    """RFC 8414 section 3.2: members with zero elements must be omitted; so are the response types there are not."""
    metadata = (await registry.http.get("/.well-known/oauth-authorization-server")).json()
    assert "response_types_supported" not in metadata
    assert [name for name, value in metadata.items() if value in ([], "", None)] == []


@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/decisions", "/api/v1/clients"])
async def test_no_body_is_unpacked(registry: Registry, north: Partner, path: str) -> None:
    """Any Content-Encoding but identity is 415 and says what is taken; on several lines too."""
    await north.sign_in()
    kind = "application/x-www-form-urlencoded" if path == "/oauth/token" else "application/json"
    for lines in (["gzip"], ["br"], ["identity, gzip"], ["identity", "deflate"], ["GZIP"]):
        headers = [("Content-Encoding", one) for one in lines]
        headers += [("Content-Type", kind), ("Authorization", f"Bearer {north.token}")]
        answer = await registry.http.post(path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity"), lines
    plain = [("Content-Encoding", "identity"), ("Content-Type", kind), ("Authorization", f"Bearer {north.token}")]
    assert (await registry.http.post(path, content=b"{}", headers=plain)).status_code in {400, 401}
