"""Which access tokens are accepted, one rule at a time; tests/api refuses many more at a running registry."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from consent_registry.domain.errors import NotAuthentic
from consent_registry.operations.access.access_tokens import (
    LEEWAY,
    LIFETIME,
    TokenClaims,
    is_of_its_time,
    read_claims,
    sign_claims,
    with_low_s,
)

ISSUER = "https://registry.test"
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("k1", "k2")}
HEADER: dict[str, Any] = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}
LONGEST = 4096
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def said(**changes: object) -> dict[str, Any]:
    """The claims of a valid token, with these changes."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": "small.north.1", "client_id": "small.north.1", "jti": "1"}
    more = {"iat": now, "exp": now + LIFETIME, "scope": "decisions clients", "network": "small", "partner": "north"}
    return claims | more | changes


def part(value: bytes) -> str:
    """These bytes as a segment of a token."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def spelled(header: str | bytes, claims: str | bytes, key: str = "k1", *, high: bool = False) -> str:
    """A token of exactly these bytes, signed by our key, with the lower valid s or the higher."""
    head = ".".join(part(text.encode() if isinstance(text, str) else text) for text in (header, claims))
    r, s = decode_dss_signature(KEYS[key].sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    chosen = max(s, ORDER - s) if high else min(s, ORDER - s)
    return f"{head}.{part(r.to_bytes(32, 'big') + chosen.to_bytes(32, 'big'))}"


def signed(claims: dict[str, Any], key: str = "k1", **header: object) -> str:
    """A token with these claims; a member of the header that is None is left out."""
    head = {name: value for name, value in (HEADER | header).items() if value is not None}
    return spelled(json.dumps(head), json.dumps(claims), key)


def without(name: str) -> dict[str, Any]:
    """The claims of a valid token without this one."""
    return {claim: value for claim, value in said().items() if claim != name}


def refused(token: str) -> None:
    """Assert that this token is refused, with a message that does not say why."""
    with pytest.raises(NotAuthentic, match=r"^The access token is not valid here or has expired\.$"):
        read_claims(token, KEYS, ISSUER)


@pytest.mark.parametrize("kid", KEYS)
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"])
def test_a_token_of_any_of_our_keys_is_read(kid: str, typ: str) -> None:
    """A token is read under either name of its type, in any letter case. This is the control of all refusals below."""
    claims = said()
    assert read_claims(signed(claims, kid, kid=kid, typ=typ), KEYS, ISSUER) == TokenClaims(**claims)


def test_what_is_signed_is_read() -> None:
    """A token made by `sign_claims` is accepted, for a partner and for the administration."""
    for partner in ("north", None):
        claims = TokenClaims(**said(partner=partner))
        for _ in range(20):
            assert read_claims(sign_claims(claims, "k1", KEYS["k1"]), KEYS, ISSUER) == claims


def test_a_signature_has_one_form() -> None:
    """Of (r, s) and (r, n - s), which both verify, only the lower s is accepted and issued."""
    for _ in range(20):
        head, payload = json.dumps(HEADER), json.dumps(said())
        high, low = spelled(head, payload, high=True), spelled(head, payload)
        jwt.decode(high, KEYS["k1"].public_key(), ["ES256"], audience=ISSUER)  # it does verify
        refused(high)
        read_claims(low, KEYS, ISSUER)
        assert with_low_s(high) != high
        read_claims(with_low_s(high), KEYS, ISSUER)


@pytest.mark.parametrize("typ", ["JWT", "", "consent-receipt+jwt", "at+jwt;x", "not at+jwt", "at+jwt ", 7, ["at+jwt"]])
def test_only_access_tokens_are_read(typ: object) -> None:
    """Tokens of another type are refused, although our key signed them (RFC 9068 section 4, RFC 8725 section 3.11)."""
    refused(signed(said(), typ=typ))


@pytest.mark.parametrize("missing", HEADER)
def test_a_header_that_lacks_a_member(missing: str) -> None:
    """A token without a type or without a key id is refused."""
    header = {name: value for name, value in HEADER.items() if name != missing}
    refused(spelled(json.dumps(header), json.dumps(said())))


@pytest.mark.parametrize(
    "more",
    [
        {"kid": 7},
        {"kid": ["k1"]},
        {"kid": "k3"},
        {"kid": ""},
        {"alg": "es256"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": ["ES256"]},
        {"crit": []},
        {"crit": ["b64"], "b64": True},
        {"crit": ["exp"], "exp": 1},
        {"b64": True},
        {"b64": False},
        {"jku": "https://attacker.example/jwks.json"},
        {"jwk": {}},
        {"x5u": "https://attacker.example/x"},
        {"x5c": []},
        {"x5t": ""},
        {"x5t#S256": ""},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"iss": ISSUER},
        {"note": "harmless"},
    ],
)
def test_a_header_says_nothing_else(more: dict[str, Any]) -> None:
    """The header has three members with the right values, and no other (RFC 7515 section 4.1)."""
    refused(signed(said(), **more))


def test_what_was_read_stays_as_it_was() -> None:
    """Claims that were read cannot be changed, for example to another network."""
    claims = read_claims(signed(said()), KEYS, ISSUER)
    with pytest.raises(AttributeError):
        claims.network = "large"  # type: ignore[misc]


@pytest.mark.parametrize("member", [*HEADER, *said()])
def test_no_member_stands_twice(member: str) -> None:
    """A repeated member is refused in header and claims, even with the same value: readers differ in which they use."""
    head, claims = json.dumps(HEADER), json.dumps(said())
    once = head if member in HEADER else claims
    again = json.dumps({member: json.loads(once)[member]})[1:-1]
    for twice in (f"{{{again}, {once[1:]}", f"{once[:-1]}, {again}}}"):
        refused(spelled(twice, claims) if member in HEADER else spelled(head, twice))


def test_no_other_key_and_no_other_algorithm() -> None:
    """A token is refused with another key under our key's id, with a shared secret, and without a signature."""
    refused(signed(said(), "k2"))
    head = {"typ": "at+jwt", "kid": "k1"}
    refused(jwt.encode(said(), "a shared secret of thirty-two bytes", "HS256", head))
    refused(jwt.encode(said(), "", "none", head))


@pytest.mark.parametrize("claim", said())
def test_no_claim_may_be_missing_or_null_or_of_another_type(claim: str) -> None:
    """Every claim must be present with its type; only the partner may be null."""
    refused(signed(without(claim)))
    kinds: list[object] = [True, False, 0.5, 7.0, [], {}, [said()[claim]], {"0": 1}]
    kinds += [str(said()[claim])] if isinstance(said()[claim], int) else [7, "" if claim != "scope" else 7]
    kinds += [] if claim == "partner" else [None]
    for value in kinds:
        refused(signed(said(**{claim: value})))


@pytest.mark.parametrize("claim", ["nbf", "nonce", "cnf", "admin", "Partner", "partner ", "partner_id"])
def test_no_claim_is_added(claim: str) -> None:
    """A token with a claim that we do not read is refused, so nobody can rely on such a claim."""
    refused(signed(said(**{claim: 1})))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.test"},
        {"iss": f"{ISSUER}/"},
        {"aud": "https://other.test"},
        {"aud": [ISSUER]},
        {"aud": []},
        {"sub": "small.south.1"},
        {"sub": "SMALL.NORTH.1"},
        {"client_id": "small.south.1"},
    ],
)
def test_a_claim_that_is_not_as_it_must_be(change: dict[str, Any]) -> None:
    """A token of another issuer, for another audience, or about another subject than its client is refused."""
    refused(signed(said(**change)))


_NUMBERS = ["0", "-1", "-0", "1e3", "1e400", "-1e400", "1.0", "NaN", "Infinity", "true", '"1"', "null", "9" * 400]
_POWERS = [sign * 2**power + more for power in (31, 32, 53, 63, 64, 70, 200) for sign in (1, -1) for more in (-1, 0, 1)]


@pytest.mark.parametrize("claim", ["iat", "exp"])
@pytest.mark.parametrize("value", [*_NUMBERS, *map(str, _POWERS)])
def test_a_time_that_is_none_or_not_within_a_lifetime(claim: str, value: str) -> None:
    """A time of another form, or so large or small that the life is too long, is refused without an error."""
    valid = said()[claim]
    payload = json.dumps(said()).replace(f'"{claim}": {valid}', f'"{claim}": {value}')
    assert value in payload
    refused(spelled(json.dumps(HEADER), payload))


@pytest.mark.parametrize("value", [*_POWERS, 0, -600])
def test_a_life_of_another_time(value: int) -> None:
    """A token whose two times were moved together is well formed, but not valid now."""
    try:
        claims = read_claims(signed(said(iat=value, exp=value + LIFETIME)), KEYS, ISSUER)
    except NotAuthentic:
        return
    assert not is_of_its_time(claims.iat, claims.exp, time.time())


@pytest.mark.parametrize(
    ("life", "read"), [(1, True), (LIFETIME, True), (LIFETIME + 1, False), (0, False), (-1, False)]
)
def test_no_token_lives_longer_than_a_token_lives(life: int, read: bool) -> None:
    """A token is valid for at least a second and at most LIFETIME, from `iat` to `exp`."""
    now = int(time.time())
    token = signed(said(iat=now, exp=now + life))
    if read:
        assert read_claims(token, KEYS, ISSUER).exp == now + life
    else:
        refused(token)


def test_one_issued_later_is_left_to_the_clock() -> None:
    """A token issued a little later is read, because clocks differ; `is_of_its_time` decides by how much."""
    later = int(time.time()) + LEEWAY
    assert read_claims(signed(said(iat=later, exp=later + 1)), KEYS, ISSUER).iat == later


@pytest.mark.parametrize(
    "altered",
    [
        *("", "..", "a.b", "a.b.c.d", "a.b.{1}", "{0}.", ".{0}", "{0},{0}", "'{0}'", "Bearer {0}"),
        *("{0}=", "{0}==", "{0}é", "{0}A", "{0}AA", "{0}AAA", "{0}AAAA"),
        *("{0} ", " {0}", "{0}\t", "\t{0}", "{0}\n", "\n{0}", "{0}\0"),
    ],
)
def test_what_is_no_compact_token(altered: str) -> None:
    """A token is three parts of base64url and nothing else, of at most 4096 characters (RFC 7515 section 7.1)."""
    refused(altered.format(signed(said()), "c" * 4093))


def test_a_segment_has_one_spelling() -> None:
    """Another spelling of the same bytes is refused, even if it was signed so: with unused bits set in the last
    character of a part, or with the letters of ordinary base64.
    """
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    seen = 0
    for pad in range(3):
        claims = said(jti="1" + "x" * pad)
        token = signed(claims)
        for place, segment in enumerate(token.split(".")):
            for twin in letters:
                if twin != segment[-1] and _bytes(segment[:-1] + twin) == _bytes(segment):
                    seen += 1
                    refused(_swapped(token, place, segment[:-1] + twin))
    assert seen > 20
    tokens = [token for token in (signed(said(jti=str(jti))) for jti in range(20)) if {"-", "_"} & set(token)]
    assert tokens
    for token in tokens:
        refused(token.replace("-", "+").replace("_", "/"))


def _swapped(token: str, place: int, segment: str) -> str:
    """The token with another spelling of a part; if that part is signed, the token is signed again."""
    parts = token.split(".")
    parts[place] = segment
    if place == 2:  # the signature
        return ".".join(parts)
    head = ".".join(parts[:2])
    r, s = decode_dss_signature(KEYS["k1"].sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{part(r.to_bytes(32, 'big') + min(s, ORDER - s).to_bytes(32, 'big'))}"


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@pytest.mark.parametrize("text", ["[]", "7", "null", '"x"', "", "{", b"\xff", "[" * 3000, '{"a":' * 700])
def test_what_is_no_object(text: str | bytes) -> None:
    """A part that is not a JSON object is refused as header and as claims."""
    refused(spelled(text, json.dumps(said())))
    refused(spelled(json.dumps(HEADER), text))


def test_the_longest_token_is_read() -> None:
    """A token of 4096 characters is read, a longer one is refused."""
    lengths = set()
    for scope in range(2700, 2800):
        token = signed(said(scope="x" * scope))
        lengths.add(len(token))
        if len(token) <= LONGEST:
            read_claims(token, KEYS, ISSUER)
        else:
            refused(token)
    assert min(lengths) < LONGEST < max(lengths)


@pytest.mark.parametrize(
    ("now", "lives"),
    [(994, False), (994.999, False), (995, True), (1000, True), (1599.999, True), (1600, False), (1601, False)],
)
def test_a_token_lives_from_its_issue_to_its_end(now: float, lives: bool) -> None:
    """A token is valid from five seconds before its issue, because clocks differ, until exactly its end."""
    assert is_of_its_time(1000, 1600, now) is lives
