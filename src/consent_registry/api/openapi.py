"""The OpenAPI document and the page that shows it, without a request to another host."""

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, OAuthFlow, OAuthFlows, SecurityScheme

from consent_registry.operations.tokens import SCOPES

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
SCOPE_WORDS = {
    "decisions": "ask before a transfer and report it",
    "clients": "register references",
    "consents:read": "see the consents one has a part in",
    "consents:write": "record and withdraw consents",
    "changes": "follow what changed",
    "audit:read": "search the log",
    "catalogue:write": "administer the network",
}


def openapi_config() -> OpenAPIConfig:
    """What Litestar needs to write the document."""
    flow = OAuthFlow(token_url=TOKEN_PATH, scopes={scope: SCOPE_WORDS[scope] for scope in SCOPES})
    scheme = SecurityScheme(type="oauth2", flows=OAuthFlows(client_credentials=flow))
    return OpenAPIConfig(
        title="Consent registry",
        version="1",
        summary="May I pass this person's data on, to this office, for this purpose, now?",
        components=[Components(security_schemes={"oauth2": scheme})],
        path="/openapi",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
    )
