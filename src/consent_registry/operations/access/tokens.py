"""Access tokens: issued for a client secret, verified by signature, kept in memory by hash until they expire.

RFC 6749 section 4.4 (client credentials), RFC 9068 (JWT profile). Suspension and revocation take effect at the next
request: each operation checks the caller in the catalogue of its own transaction.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from consent_registry.domain.catalogue import Catalogue, CredentialFacts
from consent_registry.domain.errors import NotAuthentic, shortened
from consent_registry.operations.access.access_tokens import (
    LIFETIME,
    TokenClaims,
    is_of_its_time,
    read_claims,
    sign_claims,
)
from consent_registry.operations.runtime.actors import ADMINISTRATION, Actor, is_standing
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.access.credentials import find_credential
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.database.database import transaction
from consent_registry.storage.keys.keyring import Keys

REMEMBERED = 10_000
_SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+")
_CLIENT_ID = re.compile(r"[a-z0-9.-]{1,200}")
PARTNER_SCOPES = ("decisions", "clients", "consents:read", "consents:write", "changes")
ADMINISTRATION_SCOPES = ("audit:read", "catalogue:write")
Holder = Literal["partner_system", "coordinating_post", "dpo"]
# The scopes of a partner's credentials. A coordinating post has none: it reads the catalogue, which is open to every
# token, and sees no client. A DPO reads the log and does nothing else.
HOLDER_SCOPES: dict[Holder, tuple[str, ...]] = {
    "partner_system": PARTNER_SCOPES,
    "coordinating_post": (),
    "dpo": ("audit:read",),
}
SCOPES = PARTNER_SCOPES + ADMINISTRATION_SCOPES

_WRONG = "Client id or secret is wrong."


class TokenAnswer(msgspec.Struct, frozen=True):
    """An issued access token (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenRefused(Exception):
    """No token is issued; `code` is the error code of RFC 6749 section 5.2. `reason`, and `client_id` if there is such
    a client, are for the server's log.
    """

    def __init__(self, code: str, description: str, reason: str = "", client_id: str | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.reason = reason or code
        self.client_id = client_id


class Tokens:
    """Issues and verifies the access tokens of one installation."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.time) -> None:
        self._runtime = runtime
        self._clock = clock
        # By the hash of a token: its actor and when it was issued.
        self._verified: OrderedDict[bytes, tuple[Actor, int]] = OrderedDict()
        self._verified_with = runtime.keys

    async def issue(self, client_id: str, client_secret: str, scope: str | None) -> TokenAnswer:
        """Issue a token to a client that knows its secret; raises TokenRefused."""
        network = await self._runtime.network(client_id.partition(".")[0])
        if network is None or not _CLIENT_ID.fullmatch(client_id):
            raise TokenRefused("invalid_client", _WRONG, "unknown-client")
        async with transaction(self._runtime.pool, network.network_id, ()) as connection:
            await lock_catalogue(connection, network.network_id)
            catalogue = await self._runtime.catalogue(connection, network)
            credential = await find_credential(connection, network.network_id, client_id)
        keys = self._runtime.keys
        # An unknown client id causes the same work. If the secret's key was dropped, the mac is empty and cannot match.
        secret_key = keys.digest_key_id if credential is None else credential.secret_key
        mac = keys.digest_with(secret_key, *_secret_message(client_id, client_secret)) or b""
        if credential is None or not hmac.compare_digest(mac, credential.secret_mac):
            known = credential is not None
            reason = "wrong-secret" if known else "unknown-client"
            raise TokenRefused("invalid_client", _WRONG, reason, client_id if known else None)
        partner = catalogue.partner_by_id.get(credential.partner_id or ADMINISTRATION)
        # A partner that is suspended for other reasons than security still records withdrawals.
        if not is_standing(catalogue, client_id, credential.partner_id or ADMINISTRATION, may_be_suspended=True):
            detail = "This client is suspended or its secret was revoked."
            raise TokenRefused("invalid_client", detail, "suspended", client_id)
        try:
            granted = _granted(credential.scopes, scope)
        except TokenRefused as error:
            error.client_id = client_id
            raise
        claims = self._claims(client_id, granted, network.slug, None if partner is None else partner.slug)
        token = sign_claims(claims, keys.token_kid, keys.token_key)
        return TokenAnswer(token, "Bearer", LIFETIME, " ".join(granted))

    def _claims(self, client_id: str, granted: tuple[str, ...], network: str, partner: str | None) -> TokenClaims:
        now = int(self._clock())
        issuer = self._runtime.issuer
        return TokenClaims(
            iss=issuer,
            aud=issuer,
            sub=client_id,
            client_id=client_id,
            jti=secrets.token_urlsafe(16),
            iat=now,
            exp=now + LIFETIME,
            scope=" ".join(granted),
            network=network,
            partner=partner,
        )

    async def verify(self, token: str) -> Actor:
        """The actor of this token; raises NotAuthentic for a token that is not ours, not for us, altered or expired."""
        if self._verified_with is not self._runtime.keys:
            # A key may have been dropped: tokens that it signed are verified again, and refused.
            self._verified.clear()
            self._verified_with = self._runtime.keys
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verified[digest] = await self._read(token)
            if len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        actor, issued_at = known
        if not is_of_its_time(issued_at, actor.expires_at, self._clock()):
            self._verified.pop(digest, None)
            raise NotAuthentic("The access token has expired.", reason="expired")
        return actor

    async def _read(self, token: str) -> tuple[Actor, int]:
        claims = read_claims(token, self._runtime.keys.token_keys, self._runtime.issuer)
        network = await self._runtime.network(claims.network)
        if network is None:
            raise NotAuthentic("The access token is not valid here.")
        catalogue = await self._runtime.picture(network)
        if claims.client_id not in catalogue.credentials:
            catalogue = await self._runtime.picture(network, fresh=True)
        scopes = frozenset(claims.scope.split())
        actor = Actor(
            network=network,
            partner_id=_partner_of(catalogue, claims, scopes),
            slug=claims.partner or "administration",
            client_id=claims.client_id,
            scopes=scopes,
            expires_at=claims.exp,
            payer=_payer(catalogue.credentials[claims.client_id], claims.client_id),
        )
        return actor, claims.iat


def _partner_of(catalogue: Catalogue, claims: TokenClaims, scopes: frozenset[str]) -> int:
    """The partner's number of the credential that a token names; raises NotAuthentic when the token disagrees with the
    credential, for example names another partner or a scope that the credential does not hold.
    """
    credential = catalogue.credentials.get(claims.client_id)
    if credential is None or not scopes <= credential.scopes:
        raise NotAuthentic("The access token is not valid here.")
    partner = catalogue.partner_by_id.get(credential.partner_id)
    if claims.partner != (None if partner is None else partner.slug):
        raise NotAuthentic("The access token is not valid here.")
    return credential.partner_id


def _payer(credential: CredentialFacts, client_id: str) -> str:
    """The quota of a credential's calls: a partner's systems share one, every other credential has its own."""
    is_system = not credential.scopes.isdisjoint(PARTNER_SCOPES)
    return f"partner {credential.partner_id}" if is_system else client_id


def secret_mac(keys: Keys, client_id: str, client_secret: str) -> tuple[str, bytes]:
    """The id of the current digest key, and the keyed hash under which a client secret is stored. Secrets are random
    256-bit values, so a slow hash is not needed.
    """
    return keys.digest_key_id, keys.digest(*_secret_message(client_id, client_secret))


def _secret_message(client_id: str, client_secret: str) -> tuple[str, int, int, str]:
    return ("client secret", 0, 0, f"{client_id}\0{client_secret}")


def _granted(held: tuple[str, ...], asked: str | None) -> tuple[str, ...]:
    """The scopes of a token: the asked ones, separated by one U+0020 each (RFC 6749 section 3.3), or all held; raises
    TokenRefused.
    """
    if asked is None:
        return held
    wanted = asked.split(" ")
    if not all(map(_SCOPE_TOKEN.fullmatch, wanted)):
        raise TokenRefused("invalid_scope", "scope must hold scope tokens, parted by one space each.")
    if unknown := next((scope for scope in wanted if scope not in held), None):
        raise TokenRefused("invalid_scope", f"This client does not hold {shortened(unknown)}.")
    return tuple(scope for scope in held if scope in wanted)
