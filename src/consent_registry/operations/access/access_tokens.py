"""Signing and checking access tokens: issuer, audience, signature and time (RFC 7519, RFC 9068 section 4).

A token has one spelling, exactly the members of `TokenClaims`, and a life of at most LIFETIME, even when one of our own
keys signed it. Whether its credential exists is not checked here: `operations/access/tokens.py` looks in the catalogue.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from msgspec import Meta

from consent_registry.domain.errors import NotAuthentic

# Seconds.
LIFETIME = 600
# Seconds by which the clocks of the issuing and the verifying machine may differ (storage/database/clock.py).
LEEWAY = 5
# RFC 7515 section 7.1, without padding; nothing we issue is longer.
_COMPACT = re.compile(r"(?=.{1,4096}$)[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
# The order of P-256 (FIPS 186-5) and the bytes of each half of an ES256 signature (RFC 7518 section 3.4).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HALF = 32
_NOT_VALID = "The access token is not valid here or has expired."
_JWS = jwt.PyJWS(algorithms=["ES256"])

_Word = Annotated[str, Meta(min_length=1)]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The header of an access token (RFC 9068 section 2.1): nothing that names a key, a URL or an extension."""

    alg: Literal["ES256"]
    typ: str
    kid: str


class TokenClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The claims of an access token (RFC 9068 section 2.2). `partner` is null for the network's administration."""

    iss: str
    aud: str
    sub: _Word
    client_id: _Word
    jti: _Word
    iat: int
    exp: int
    scope: str
    network: _Word
    partner: _Word | None


def sign_claims(claims: TokenClaims, kid: str, key: EllipticCurvePrivateKey) -> str:
    """Sign these claims as an access token (compact JWS, ES256)."""
    payload = msgspec.json.encode(claims)
    return with_low_s(_JWS.encode(payload, key, "ES256", {"typ": "at+jwt", "kid": kid}))


def with_low_s(token: str) -> str:
    """The same token with the smaller of the two valid values of s: if (r, s) verifies, so does (r, n - s)."""
    signed, _, signature = token.rpartition(".")
    r, s = _halves(signature)
    return f"{signed}.{_encode(r + min(s, _ORDER - s).to_bytes(_HALF, 'big'))}"


def read_claims(token: str, keys: Mapping[str, EllipticCurvePrivateKey], issuer: str) -> TokenClaims:
    """Read the claims of an access token. Raises NotAuthentic unless one of our keys signed it, for us, with a life of
    at most LIFETIME. `is_of_its_time` checks whether it is valid now.
    """
    if not _COMPACT.fullmatch(token) or not all(_is_canonical(part) for part in token.split(".")):
        raise NotAuthentic(_NOT_VALID)
    try:
        header = msgspec.convert(_object(_decode(token.partition(".")[0])), _Header)
        key = keys.get(header.kid)
        # RFC 9068 section 4: typ must be that of an access token; we choose the algorithm, not the token.
        if key is None or header.typ.lower() not in _TYPES:
            raise NotAuthentic(_NOT_VALID)
        payload = _JWS.decode(token, key.public_key(), algorithms=["ES256"])
        claims = msgspec.convert(_object(payload), TokenClaims)
    except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise NotAuthentic(_NOT_VALID) from error
    if not (
        _has_low_s(token)
        and claims.iss == claims.aud == issuer
        and claims.sub == claims.client_id
        and 0 < claims.exp - claims.iat <= LIFETIME
    ):
        raise NotAuthentic(_NOT_VALID)
    return claims


def is_of_its_time(issued_at: int, expires_at: int, now: float) -> bool:
    """Whether a token is valid now. Both ends are checked: a clock that is set back must not lengthen its life."""
    return issued_at - LEEWAY <= now < expires_at


def _has_low_s(token: str) -> bool:
    return _halves(token.rpartition(".")[2])[1] <= _ORDER // 2


def _halves(signature: str) -> tuple[bytes, int]:
    both = _decode(signature)
    return both[:_HALF], int.from_bytes(both[_HALF:], "big")


def _is_canonical(part: str) -> bool:
    """Whether a segment is the one base64url spelling of its bytes. The last character has unused bits, which must be
    zero, and a length of 4n + 1 characters is impossible.
    """
    return len(part) % 4 != 1 and _encode(_decode(part)) == part


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _object(text: bytes) -> Any:  # noqa: ANN401 - what JSON can hold
    """JSON in which no object has a member twice; raises ValueError."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError(text)
        return dict(pairs)

    return json.loads(text.decode("utf-8"), object_pairs_hook=members, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(constant)
