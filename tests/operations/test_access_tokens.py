"""Which access tokens are believed, one rule at a time; a whole registry refuses many more (tests/api)."""

import base64
import json
import re
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from consent_registry.domain.errors import NotAuthentic
from consent_registry.operations.access_tokens import LEEWAY, Claims, is_of_its_time, read_claims

ISSUER = "https://registry.test"
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("k1", "k2")}
HEADER: dict[str, Any] = {"typ": "at+jwt", "kid": "k1"}
NOT_HERE = "The access token is not valid here."
NOT_VALID = "The access token is not valid or has expired."


def said(**changes: object) -> dict[str, Any]:
    """What a good token says, but for these changes."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": "small.north.1", "client_id": "small.north.1", "jti": "1"}
    more = {"iat": now, "exp": now + 600, "scope": "decisions clients", "network": "small", "partner": "north"}
    return claims | more | changes


def signed(claims: dict[str, Any], key: str = "k1", **header: object) -> str:
    """A token with these claims."""
    return jwt.encode(claims, KEYS[key], "ES256", HEADER | header)


def without(name: str) -> dict[str, Any]:
    """A good token's claims but this one."""
    return {one: value for one, value in said().items() if one != name}


def refused(token: str, why: str) -> None:
    """Assert that nobody believes this token, and what its holder is told."""
    with pytest.raises(NotAuthentic, match=f"^{re.escape(why)}$"):
        read_claims(token, KEYS, ISSUER)


@pytest.mark.parametrize("kid", KEYS)
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"])
def test_a_token_of_any_of_our_keys_is_read(kid: str, typ: str) -> None:
    """Under either name of its type, in any case."""
    claims = said()
    read = read_claims(signed(claims, kid, kid=kid, typ=typ), KEYS, ISSUER)
    assert read == Claims("small", "small.north.1", "decisions clients", claims["iat"], claims["exp"], "north")


def test_the_administration_has_no_partner() -> None:
    """Neither when nothing is said of one nor when it is none."""
    assert read_claims(signed(without("partner")), KEYS, ISSUER).partner is None
    assert read_claims(signed(said(partner=None)), KEYS, ISSUER).partner is None


@pytest.mark.parametrize("typ", ["JWT", "", "consent-receipt+jwt", "at+jwt;x", "not at+jwt"])
def test_only_access_tokens_are_read(typ: str) -> None:
    """Whatever else our key signed (RFC 9068 section 4, RFC 8725 section 3.11)."""
    refused(signed(said(), typ=typ), NOT_HERE)


@pytest.mark.parametrize("header", [{"typ": None}, {"typ": 7}, {"kid": 7}, {"kid": ["k1"]}])
def test_a_header_of_other_types_is_no_fault_of_ours(header: dict[str, Any]) -> None:
    """It is refused like any other bad token."""
    with pytest.raises(NotAuthentic):
        read_claims(_by_hand(HEADER | {"alg": "ES256"} | header), KEYS, ISSUER)


def test_what_was_read_stays_as_it_was() -> None:
    """Nobody gives a caller another network afterwards."""
    claims = read_claims(signed(said()), KEYS, ISSUER)
    with pytest.raises(AttributeError):
        claims.network = "large"  # type: ignore[misc]


@pytest.mark.parametrize("missing", ["typ", "kid"])
def test_a_header_that_lacks_a_member(missing: str) -> None:
    """No type is no access token, and no key's id is no key's."""
    header = {"alg": "ES256"} | {name: value for name, value in HEADER.items() if name != missing}
    refused(_by_hand(header), NOT_HERE)


def _by_hand(header: dict[str, Any]) -> str:
    """A token whose header is exactly this, signed by our key."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    head = f"{part(json.dumps(header).encode())}.{part(json.dumps(said()).encode())}"
    r, s = decode_dss_signature(KEYS["k1"].sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_a_token_made_by_hand_is_read() -> None:
    """So that what is refused of them is refused for its header."""
    assert read_claims(_by_hand(HEADER | {"alg": "ES256"}), KEYS, ISSUER).partner == "north"


def test_no_other_key_and_no_other_algorithm() -> None:
    """An unknown key's id, another key under ours, a shared secret, no signature at all."""
    refused(signed(said(), kid="k3"), NOT_HERE)
    refused(signed(said(), kid=""), NOT_HERE)
    refused(signed(said(), "k2"), NOT_VALID)
    refused(jwt.encode(said(), "a shared secret of thirty-two bytes", "HS256", HEADER), NOT_VALID)
    refused(jwt.encode(said(), "", "none", HEADER), NOT_HERE)


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "sub", "jti", "client_id", "scope", "network"])
def test_no_claim_may_be_missing(claim: str) -> None:
    """Whichever."""
    refused(signed(without(claim)), NOT_VALID)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.test"},
        {"iss": f"{ISSUER}/"},
        {"aud": "https://other.test"},
        {"aud": []},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 2**40},
        {"network": ["small"]},
        {"client_id": 7},
        {"scope": ["decisions"]},
        {"partner": ["north"]},
        {"iat": "now"},
        {"exp": 2**40 + 0.5},
    ],
)
def test_a_claim_that_is_not_as_it_must_be(change: dict[str, Any]) -> None:
    """For somebody else, from somebody else, over, not yet, or of another type."""
    refused(signed(said(**change)), NOT_VALID)


def test_one_issued_later_is_left_to_the_clock() -> None:
    """Two machines' clocks differ: `is_of_its_time` says by how much."""
    later = int(time.time()) + LEEWAY
    assert read_claims(signed(said(iat=later)), KEYS, ISSUER).iat == later


@pytest.mark.parametrize(
    "altered",
    ["", "..", "a.b", "a.b.c.d", "{0}.", "{0}=", "{0} ", "{0}\n", "\n{0}", "{0}é", "a.b.{1}", "Bearer {0}"],
)
def test_what_is_no_compact_token(altered: str) -> None:
    """Three parts of base64url and nothing else, at most 4096 characters (RFC 7515 section 7.1)."""
    refused(altered.format(signed(said()), "c" * 4093), NOT_HERE)


def test_the_longest_token_is_read_as_one() -> None:
    """It is no token of ours, but long enough to be looked at."""
    refused(f"a.b.{'c' * 4092}", NOT_VALID)


@pytest.mark.parametrize(
    ("now", "lives"),
    [(994, False), (994.999, False), (995, True), (1000, True), (1599.999, True), (1600, False), (1601, False)],
)
def test_a_token_lives_from_its_issue_to_its_end(now: float, lives: bool) -> None:
    """Five seconds before its issue, for two machines' clocks; not a moment longer than it says."""
    assert is_of_its_time(1000, 1600, now) is lives
