"""The routes of the OAuth 2.0 token endpoint, its keys and its metadata (RFC 6749, RFC 8414, RFC 7517)."""

import base64
import re
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

import msgspec
import structlog
from litestar import Request, Response, get, post
from msgspec import UNSET, UnsetType

from consent_registry.operations.access.tokens import SCOPES, TokenAnswer, TokenRefused
from consent_registry.operations.catalogue import catalogue as operations
from consent_registry.operations.catalogue.catalogue import CallerView
from consent_registry.web.callers import ApiRequest, require_plain, requires, shared_state
from consent_registry.web.client_address import client_address
from consent_registry.web.operation import openapi_operation
from consent_registry.web.request_log import note_client, note_reason

FORM_LENGTH = 8192
# RFC 6749 section 5.2: characters that an error_description may not contain.
_NOT_DESCRIBING = re.compile(r"[^ !#-\[\]-~]")

_log = structlog.get_logger(__name__)


class TokenRequest(msgspec.Struct, frozen=True):
    """The token request's form (RFC 6749 section 4.4.2). Without `scope` the token gets all scopes of the client."""

    grant_type: Literal["client_credentials"]
    scope: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    client_secret: str | UnsetType = UNSET


class TokenError(msgspec.Struct, frozen=True):
    """The answer to a refused token request (RFC 6749 section 5.2)."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]
    error_description: str


class Jwk(msgspec.Struct, frozen=True):
    """A public key (RFC 7517). ES256 keys verify access tokens; Ed25519 keys verify the receipts of `log_origin`."""

    kid: str
    kty: Literal["EC", "OKP"]
    crv: Literal["P-256", "Ed25519"]
    use: Literal["sig"]
    alg: Literal["ES256", "EdDSA"]
    x: str
    y: str | UnsetType = UNSET
    log_origin: str | UnsetType = UNSET


class KeySet(msgspec.Struct, frozen=True):
    """A set of public keys (RFC 7517 section 5)."""

    keys: list[Jwk]


class Metadata(msgspec.Struct, frozen=True):
    """The token endpoint's metadata (RFC 8414 section 2). There is no authorization endpoint, so it has no
    `response_types_supported`: section 2 demands the member, but section 3.2 forbids an empty one.
    """

    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    scopes_supported: list[str]
    service_documentation: str


@post(
    "/oauth/token",
    status_code=200,
    request_max_body_size=FORM_LENGTH,
    **openapi_operation(
        200, TokenAnswer, "Get an access token", quota="tokens", scope=None, any_query=True, takes=TokenRequest
    ),
)
async def issue_token(request: ApiRequest) -> Response[bytes]:
    """Takes a form with `grant_type=client_credentials`, optionally `scope`; the secret in the header or the form."""
    try:
        fields = _fields(request, await request.body())
        client_id, client_secret = _credentials(request, fields)
        quotas = shared_state(request).quotas
        await quotas.charge_attempt(client_id, client_address(request))
        _require_grant_type(fields)
        answer = await shared_state(request).tokens.issue(client_id, client_secret, fields.get("scope"))
        await quotas.charge_token(client_id)
    except TokenRefused as error:
        # Attempts to guess a secret must be visible in the log, without the attempted secret.
        note_client(request.scope, error.client_id)
        note_reason(request.scope, error.reason)
        _log.info(
            "token refused",
            error=error.code,
            reason=error.reason,
            client_id=error.client_id,
            client=client_address(request),
        )
        return _refusal(error)
    note_client(request.scope, client_id)
    _log.info("token issued", client_id=client_id, scope=answer.scope, client=client_address(request))
    return Response(msgspec.json.encode(answer), media_type="application/json", headers={"Pragma": "no-cache"})


def _require_grant_type(fields: dict[str, str]) -> None:
    if "grant_type" not in fields:
        raise TokenRefused("invalid_request", "grant_type is missing.")
    if fields["grant_type"] != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "Only client_credentials is supported.")


def _fields(request: ApiRequest, body: bytes) -> dict[str, str]:
    """Parse the form's fields. A repeated field is an error (RFC 6749 section 3.2)."""
    require_plain(request)
    sent = request.header.get(b"content-type", b"").decode("latin-1")
    if sent.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise TokenRefused("invalid_request", "The body must be application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise TokenRefused("invalid_request", "The body is not a form.") from error
    fields = {name: value for name, value in pairs if value}
    if len({name for name, _ in pairs}) != len(pairs):
        raise TokenRefused("invalid_request", "A field is given twice.")
    return fields


def _credentials(request: ApiRequest, fields: dict[str, str]) -> tuple[str, str]:
    """Read client id and secret, from one method only (RFC 6749 section 2.3)."""
    kind, _, encoded = request.header.get(b"authorization", b"").decode("latin-1").partition(" ")
    if not kind:
        if "client_id" not in fields or "client_secret" not in fields:
            raise TokenRefused("invalid_client", "Client id and secret are missing.")
        return fields["client_id"], fields["client_secret"]
    if "client_secret" in fields:
        raise TokenRefused("invalid_request", "Use one way of authentication, not two.")
    try:
        plain = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except ValueError as error:  # not base64, not ASCII, or not UTF-8
        raise TokenRefused("invalid_client", "The Authorization header is not a Basic credential.") from error
    client_id, separator, client_secret = plain.partition(":")
    if kind.lower() != "basic" or not separator:
        raise TokenRefused("invalid_client", "The Authorization header is not a Basic credential.")
    client_id = unquote_plus(client_id)
    if fields.get("client_id", client_id) != client_id:
        raise TokenRefused("invalid_request", "The client ids differ.")
    return client_id, unquote_plus(client_secret)


def _refusal(error: TokenRefused) -> Response[bytes]:
    """The response to a refused token request: 401 for failed authentication, else 400 (RFC 6749 section 5.2)."""
    description = _NOT_DESCRIBING.sub("?", error.description)
    body = msgspec.json.encode({"error": error.code, "error_description": description})
    is_client = error.code == "invalid_client"
    headers = {"WWW-Authenticate": 'Basic realm="consent registry"'} if is_client else {}
    return Response(body, status_code=401 if is_client else 400, media_type="application/json", headers=headers)


@get(
    "/.well-known/jwks.json",
    **openapi_operation(
        200, KeySet, "Public keys of access tokens and receipts", quota="free", scope=None, any_query=True
    ),
)
async def jwks(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Public keys (RFC 7517). ES256 keys verify access tokens; Ed25519 keys verify receipts of their network."""
    shared = shared_state(request).runtime
    keys = shared.keys.public_token_keys()
    for network in await shared.networks():
        keys += shared.keys.public_receipt_keys(network.log_origin)
    return Response(
        msgspec.json.encode({"keys": keys}),
        media_type="application/json",
        headers={"Cache-Control": "public, max-age=300"},
    )


@get(
    "/.well-known/oauth-authorization-server",
    **openapi_operation(200, Metadata, "What the token endpoint supports", quota="free", scope=None, any_query=True),
)
async def metadata(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The token endpoint's metadata (RFC 8414), which lists only supported features."""
    issuer = shared_state(request).runtime.issuer
    body = Metadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/oauth/token",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        grant_types_supported=["client_credentials"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        scopes_supported=list(SCOPES),
        service_documentation=f"{issuer}/docs",
    )
    return Response(
        msgspec.json.encode(body), media_type="application/json", headers={"Cache-Control": "public, max-age=300"}
    )


@get("/api/v1/me", guards=[requires("")], **openapi_operation(200, CallerView, "Who am I?", quota="reads"))
async def me(request: ApiRequest) -> Response[bytes]:
    """The caller's network, partner, scopes and the token's expiry."""
    view = await operations.who_am_i(shared_state(request).runtime, request.user)
    return Response(msgspec.json.encode(view), media_type="application/json")


ROUTES = [issue_token, jwks, metadata, me]
