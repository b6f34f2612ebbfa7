"""What an access token must be to be believed: ours, for us, unaltered and of its time (RFC 7519, RFC 9068 section 4).

Whom it names may still be nobody: `operations/tokens.py` asks the catalogue.
"""

import re
from collections.abc import Mapping

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from consent_registry.domain.errors import NotAuthentic

# Two machines that issue and verify may differ by as much as a start allows (storage/clock.py).
LEEWAY = 5
# RFC 7515 section 7.1, without padding; nothing we issue is longer.
_COMPACT = re.compile(r"(?=.{1,4096}$)[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


class Claims(msgspec.Struct, frozen=True):
    """What a token must say beside what its verification asks for."""

    network: str
    client_id: str
    scope: str
    iat: int
    exp: int
    partner: str | None = None


def read_claims(token: str, keys: Mapping[str, EllipticCurvePrivateKey], issuer: str) -> Claims:
    """What a token says, if one of our keys signed it, it is for us and has not expired; raises NotAuthentic."""
    if not _COMPACT.fullmatch(token):
        raise NotAuthentic("The access token is not valid here.")
    try:
        header = jwt.get_unverified_header(token)
        key = keys.get(str(header.get("kid")))
        # RFC 9068 section 4: typ must say access token; the algorithm is ours to choose, not the token's.
        if key is None or str(header.get("typ")).lower() not in _TYPES:
            raise NotAuthentic("The access token is not valid here.")
        claims = jwt.decode(
            token,
            key.public_key(),
            algorithms=["ES256"],
            audience=issuer,
            issuer=issuer,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", "jti", "client_id", "scope", "network"],
                "verify_iat": False,  # `is_of_its_time` does, each time, with the leeway between two machines
            },
        )
        return msgspec.convert(claims, Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError, AttributeError) as error:
        raise NotAuthentic("The access token is not valid or has expired.") from error


def is_of_its_time(issued_at: int, expires_at: int, now: float) -> bool:
    """Whether a token lives. Both ends count: a clock that is set back must not lengthen its life."""
    return issued_at - LEEWAY <= now < expires_at
