"""The network's catalogue: partners, purposes, data categories, agreements, texts."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from consent_registry.operations.catalogue import catalogue as operations
from consent_registry.operations.catalogue.text_views import TextView, texts
from consent_registry.operations.runtime.pagination import Page
from consent_registry.web.callers import ApiRequest, requires, respond, shared_state
from consent_registry.web.commands import known_id
from consent_registry.web.operation import openapi_operation
from consent_registry.web.queries import page_limit

_GUARDS = [requires("")]
Limit = Annotated[str, QueryParameter(description="1 to 200, 50 by default")]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before")]


@get(
    "/network", guards=_GUARDS, **openapi_operation(200, operations.NetworkView, "The caller's network", quota="reads")
)
async def show_network(request: ApiRequest) -> Response[bytes]:
    """The name, log and policies of the caller's network."""
    return respond(await operations.show_network(shared_state(request).runtime, request.user))


def _resource(
    plural: str,
    singular: str,
    identifier: str,
    view: operations.View,
    kind: Any,  # noqa: ANN401
) -> list[HTTPRouteHandler]:
    """The two routes of a resource: its list, and an item by slug or id. The operations' names follow from its name."""
    path = plural.lower().replace(" ", "-")

    @get(
        f"/{path}",
        guards=_GUARDS,
        name=f"list_{path.replace('-', '_')}",
        **openapi_operation(200, Page[kind], plural, quota="reads", query=("limit", "cursor")),
    )
    async def show_list(request: ApiRequest, limit: Limit = "50", cursor: Cursor = None) -> Response[bytes]:
        """A page of the list, in the catalogue's order."""
        shared = shared_state(request)
        return respond(await operations.show_list(shared.runtime, request.user, view, path, page_limit(limit), cursor))

    @get(
        f"/{path}/{{{identifier}:str}}",
        guards=_GUARDS,
        name=f"show_{singular.lower().replace(' ', '_')}",
        **openapi_operation(200, kind, singular, quota="reads"),
    )
    async def show_one(request: ApiRequest) -> Response[bytes]:
        """An item of the list, by its slug or id."""
        name = request.path_params[identifier]
        return respond(await operations.show_one(shared_state(request).runtime, request.user, view, name))

    return [show_list, show_one]


@get(
    "/texts/{text_id:str}/{language:str}",
    guards=[requires("", "text/plain")],
    **openapi_operation(
        200, str, "A text's exact bytes", quota="reads", media_type="text/plain", headers=("Content-Language",)
    ),
)
async def read_text(request: ApiRequest, text_id: FromPath[str], language: FromPath[str]) -> Response[bytes]:
    """The text that the client was shown, byte for byte."""
    content = await operations.read_text(shared_state(request).runtime, request.user, known_id(text_id), language)
    return Response(content, media_type="text/plain", headers={"Content-Language": language})


ROUTES = [
    show_network,
    *_resource("Partners", "Partner", "slug", operations.partners, operations.PartnerView),
    *_resource("Purposes", "Purpose", "slug", operations.purposes, operations.PurposeView),
    *_resource("Data categories", "Data category", "slug", operations.categories, operations.CategoryView),
    *_resource("Agreements", "Agreement", "agreement_id", operations.agreements, operations.AgreementView),
    *_resource("Texts", "Text", "text_id", texts, TextView),
    read_text,
]
