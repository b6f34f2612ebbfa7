"""Access tokens: how they are requested, what they contain, and which are refused."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest

from consent_registry.operations.access.access_tokens import LIFETIME
from consent_registry.operations.access.tokens import ADMINISTRATION_SCOPES, PARTNER_SCOPES
from consent_registry.storage.keys.keyring import load_keys
from tests.api.hostile_tokens import Forge
from tests.support.installation import ISSUER, Partner, Registry
from tests.support.small_network import question

FORM = "application/x-www-form-urlencoded"


def basic(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the header of client_secret_basic (RFC 6749 section 2.3.1: form-encoded, then Base64)."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def ask(
    registry: Registry, form: dict[str, str] | bytes, headers: dict[str, str] | None = None, kind: str = FORM
) -> httpx.Response:
    """Send a request to the token endpoint."""
    content = form if isinstance(form, bytes) else httpx.QueryParams(form).__str__().encode()
    return await registry.http.post("/oauth/token", content=content, headers={"Content-Type": kind} | (headers or {}))


@pytest.fixture
def north(registry: Registry) -> Partner:
    """Return a partner without a token."""
    return registry.stranger("north")


GRANT = {"grant_type": "client_credentials"}


async def test_both_ways_to_authenticate(registry: Registry, north: Partner) -> None:
    """A secret in the header or in the form gives a bearer token for at most ten minutes, with no-store."""
    posted = GRANT | {"client_id": north.client_id, "client_secret": north.client_secret}
    for answer in (
        await ask(registry, GRANT, basic(north.client_id, north.client_secret)),
        await ask(registry, posted),
        await ask(registry, posted, kind=f"{FORM}; charset=UTF-8"),
        await ask(registry, GRANT | {"client_id": north.client_id}, basic(north.client_id, north.client_secret)),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        said = answer.json()
        assert set(said) == {"access_token", "token_type", "expires_in", "scope"}
        assert said["token_type"] == "Bearer"
        assert 0 < said["expires_in"] <= 600
        assert said["scope"].split() == list(PARTNER_SCOPES)


async def test_scopes_are_all_or_those_asked_for(registry: Registry, north: Partner) -> None:
    """Without `scope` a token has all scopes of the client; otherwise those requested, in a fixed order."""
    header = basic(north.client_id, north.client_secret)
    for asked, given in (
        ("", " ".join(PARTNER_SCOPES)),
        ("decisions", "decisions"),
        ("consents:read decisions", "decisions consents:read"),
        ("decisions decisions", "decisions"),
    ):
        answer = await ask(registry, GRANT | {"scope": asked}, header)
        assert (answer.status_code, answer.json()["scope"]) == (200, given)
        shown = await registry.http.get(
            "/api/v1/me", headers={"Authorization": f"Bearer {answer.json()['access_token']}"}
        )
        assert shown.json()["scopes"] == sorted(given.split())


@pytest.mark.parametrize(
    "scope", ["nothing", "decisions nothing", "catalogue:write", "Decisions", "decisions,clients", "*"]
)
async def test_a_scope_that_is_not_held_is_invalid(registry: Registry, north: Partner, scope: str) -> None:
    """An unknown scope or one that the client lacks is invalid_scope, without a token for the others."""
    answer = await ask(registry, GRANT | {"scope": scope}, basic(north.client_id, north.client_secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_who_cannot_authenticate_is_told_alike(registry: Registry, north: Partner) -> None:
    """Unknown clients and networks, wrong and foreign secrets get the same 401 with a challenge."""
    stranger = registry.stranger("south")
    said = set()
    for client_id, secret in (
        (north.client_id, "wrong"),
        (north.client_id, north.client_secret + "x"),
        (north.client_id, stranger.client_secret),
        ("small.north.00000000", north.client_secret),
        ("nowhere.north.00000000", north.client_secret),
        ("north", north.client_secret),
        (north.client_id + "\0", north.client_secret),
        (north.client_id, north.client_secret + "\0"),
        ("small.\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "x"),
        ("small." + "x" * 3000, "x"),
    ):
        for answer in (
            await ask(registry, GRANT, basic(client_id, secret)),
            await ask(registry, GRANT | {"client_id": client_id, "client_secret": secret}),
        ):
            assert answer.status_code == 401, (client_id[:40], answer.text)
            assert answer.json()["error"] == "invalid_client"
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
            assert answer.headers["cache-control"] == "no-store"
            said.add(answer.json()["error_description"])
    assert len(said) == 1


@pytest.mark.parametrize(
    ("form", "header", "status", "error"),
    [
        (b"", None, 401, "invalid_client"),
        (b"grant_type=client_credentials", None, 401, "invalid_client"),
        (b"grant_type=client_credentials&client_id=CLIENT", None, 401, "invalid_client"),
        (b"", "good", 400, "invalid_request"),
        (b"grant_type=", "good", 400, "invalid_request"),
        (b"grant_type=password&username=x&password=y", "good", 400, "unsupported_grant_type"),
        (b"grant_type=authorization_code&code=x", "good", 400, "unsupported_grant_type"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "good", 400, "invalid_request"),
        (b"grant_type=client_credentials&scope=decisions&scope=clients", "good", 400, "invalid_request"),
        (b"grant_type=client_credentials&client_secret=SECRET", "good", 400, "invalid_request"),
        (b"grant_type=client_credentials&client_id=other", "good", 400, "invalid_request"),
        (b"grant_type=client_credentials&%ff", "good", 200, None),
        (b"\xff\xfe", "good", 400, "invalid_request"),
        (b"&".join(b"a%d=1" % number for number in range(50)), "good", 400, "invalid_request"),
        (b"grant_type=client_credentials", "Basic", 401, "invalid_client"),
        (b"grant_type=client_credentials", "Basic !!!", 401, "invalid_client"),
        (b"grant_type=client_credentials", "Basic bm9jb2xvbg==", 401, "invalid_client"),
        (b"grant_type=client_credentials", "Basic //79", 401, "invalid_client"),
        (b"grant_type=client_credentials", "Bearer x", 401, "invalid_client"),
        (b"grant_type=client_credentials", "Digest x", 401, "invalid_client"),
    ],
)
async def test_errors_are_those_of_rfc_6749(
    registry: Registry, north: Partner, form: bytes, header: str | None, status: int, error: str | None
) -> None:
    """Missing, repeated, unknown and unreadable fields have their code of section 5.2; failed authentication is 401."""
    content = form.replace(b"CLIENT", north.client_id.encode()).replace(b"SECRET", north.client_secret.encode())
    good = basic(north.client_id, north.client_secret)
    headers = {} if header is None else good if header == "good" else {"Authorization": header}
    answer = await ask(registry, content, headers)
    assert (answer.status_code, answer.json().get("error")) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
async def test_only_a_form_is_read(registry: Registry, north: Partner, kind: str) -> None:
    """A body of another media type is invalid_request."""
    answer = await ask(registry, GRANT, basic(north.client_id, north.client_secret), kind)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_form_is_small_and_posted(registry: Registry, north: Partner) -> None:
    """A form over 8 KiB is 413 and GET is 405 with Allow, both as problems."""
    large = await ask(registry, b"grant_type=client_credentials&x=" + b"x" * 9000)
    assert (large.status_code, large.json()["type"]) == (413, "/problems/too-large")
    got = await registry.http.get("/oauth/token", headers=basic(north.client_id, north.client_secret))
    assert got.status_code == 405
    assert "POST" in got.headers["allow"]


async def test_what_a_token_says(registry: Registry, north: Partner) -> None:
    """A token has the claims of RFC 9068 with network and partner, and verifies with the JWKS."""
    await north.sign_in()
    header = jwt.get_unverified_header(north.token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    keys = (await registry.http.get("/.well-known/jwks.json")).json()["keys"]
    (key,) = [each for each in keys if each["kid"] == header["kid"]]
    assert "d" not in key
    claims: dict[str, Any] = jwt.decode(
        north.token, jwt.PyJWK(key).key, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER
    )
    assert (claims["network"], claims["partner"]) == ("small", "north")
    assert claims["sub"] == claims["client_id"] == north.client_id
    assert claims["exp"] - claims["iat"] == LIFETIME <= 600
    assert abs(claims["iat"] - time.time()) < 5
    first, again = claims["jti"], await north.sign_in()
    assert jwt.decode(again.json()["access_token"], options={"verify_signature": False})["jti"] != first
    admin = await registry.partner("admin")
    claims = jwt.decode(admin.token, options={"verify_signature": False})
    assert (claims["partner"], claims["scope"].split()) == (None, list(ADMINISTRATION_SCOPES))


async def test_receipts_are_verified_with_the_jwks(registry: Registry) -> None:
    """A decision's receipt verifies with the key of the network's log in the JWKS."""
    north = await registry.partner("north")
    answer = (await north.post("/decisions", question("N-1", receipt=True))).json()
    kid = jwt.get_unverified_header(answer["receipt"])["kid"]
    (key,) = [key for key in (await registry.http.get("/.well-known/jwks.json")).json()["keys"] if key["kid"] == kid]
    assert key["log_origin"] == answer["log"]["origin"]
    claims = jwt.decode(answer["receipt"], jwt.PyJWK(key).key, algorithms=["EdDSA"], audience="south")
    assert claims["jti"] == answer["decision_id"]


async def test_me_shows_the_caller(registry: Registry, north: Partner) -> None:
    """`/me` shows the token's network, partner, scopes and expiry."""
    await north.sign_in(scope="decisions")
    said = (await north.get("/me")).json()
    assert (said["network"], said["partner"], said["scopes"]) == ("small", "north", ["decisions"])
    assert said["expires_at"].endswith("Z")
    admin = await registry.partner("admin")
    assert (await admin.get("/me")).json()["partner"] is None


async def test_the_metadata_list_only_what_works(registry: Registry, north: Partner) -> None:
    """Every endpoint, method, grant type and scope in the metadata works."""
    said = (await registry.http.get("/.well-known/oauth-authorization-server")).json()
    assert said["issuer"] == ISSUER
    for member in ("jwks_uri", "service_documentation"):
        path = said[member].removeprefix(ISSUER)
        assert (await registry.http.get(path)).status_code == 200, member
    assert said["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert said["grant_types_supported"] == ["client_credentials"]
    assert said["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
    held = set()
    for partner in (north, registry.stranger("admin")):
        held |= set((await partner.sign_in()).json()["scope"].split())
    assert set(said["scopes_supported"]) == held


async def test_no_hostile_token_is_accepted(registry: Registry) -> None:
    """At least 60 bad tokens are each refused with 401 and a challenge, without a 5xx."""
    north = await registry.partner("north")
    forge = Forge(north.token, load_keys(registry.installation.keys), "registry.test/small")
    assert (await north.get("/me")).status_code == 200
    bad = list(forge.all())
    assert len(bad) >= 60
    found = []
    for name, token in bad:
        headers = {b"Authorization": f"Bearer {token}".encode("latin-1")}
        got = await registry.http.get("/api/v1/me", headers=headers)
        sent = {**headers, b"Content-Type": b"application/json"}
        asked = await registry.http.post("/api/v1/decisions", content=json.dumps(question("N-1")), headers=sent)
        told = {(answer.status_code, answer.headers.get("www-authenticate", "")[:6]) for answer in (got, asked)}
        if told != {(401, "Bearer")}:
            found.append(f"{name}: {sorted(told)}")
    assert not found, "\n".join(found)
    assert (await north.get("/me")).status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic {good}", "bearer", "{good}", "Bearer: {good}", "Token {good}"]
)
async def test_a_token_comes_as_bearer_only(registry: Registry, header: str | None) -> None:
    """A token is accepted only with Bearer in the header: not alone, in a query, or in a body."""
    north = await registry.partner("north")
    headers = {} if header is None else {"Authorization": header.format(good=north.token)}
    answer = await registry.http.get("/api/v1/me", headers=headers, params={"access_token": north.token})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_dpo_looks_at_the_log_and_does_nothing_else(registry: Registry) -> None:
    """A DPO's token has only `audit:read` for its partner, and no other call accepts it."""
    dpo = await registry.dpo("north")
    claims = jwt.decode(dpo.token, options={"verify_signature": False})
    assert (claims["network"], claims["partner"], claims["scope"]) == ("small", "north", "audit:read")
    assert (await dpo.post("/decisions", question("N-1"))).status_code == 403
    assert (await dpo.post("/clients", {"reference": "N-1"})).status_code == 403
    assert (await dpo.post("/consents/search", {})).status_code == 403
    assert (await dpo.post("/suspensions", {"partner": "south"})).status_code == 403
