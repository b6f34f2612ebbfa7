"""The ASGI application: it connects the routes with the database, the keys and the background tasks of a process."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

from consent_registry.api import (
    approvals,
    catalogue,
    clients,
    consents,
    decisions,
    events,
    evidence,
    findings,
    grant_changes,
    guides,
    health,
    link_codes,
    log,
    receipt_codes,
    start_pages,
    suspensions,
    texts,
    tokens,
    unlinkings,
    withdrawals,
)
from consent_registry.api.openapi import pages
from consent_registry.demo.request_lines import RequestLines
from consent_registry.domain.errors import RegistryError
from consent_registry.operations.background.housekeeping import Housekeeping
from consent_registry.operations.background.readiness import Readiness
from consent_registry.operations.background.warnings import Warnings
from consent_registry.operations.keys.key_follower import KeyFollower
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.turns import Turns
from consent_registry.process.server_log import configure_log
from consent_registry.settings import Settings, read_settings
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.database.queued_pool import QueuedPool
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.web import problem_pages
from consent_registry.web.callers import ApiRequest, SharedState
from consent_registry.web.http_middleware import HttpMiddleware
from consent_registry.web.problems import http_error, internal_error, registry_error
from consent_registry.web.request_log import note_answers
from consent_registry.web.revocation import ErrorHandler, after_revocation_check

PAGES = (*start_pages.ROUTES, *pages.ROUTES, *guides.ROUTES, *problem_pages.ROUTES)
BODY_BYTES = 1024 * 1024
# Default headers of every answer. They forbid a browser to cache, embed or execute it.
_ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# RFC 6797: after an answer over TLS, a browser uses only TLS for this host, for a year.
_OVER_TLS = ((b"strict-transport-security", b"max-age=31536000; includeSubDomains"),)


class Application(Litestar):
    """Litestar's application, wrapped in HttpMiddleware."""

    def __init__(self, *, middleware: HttpMiddleware, **settings: Any) -> None:  # noqa: ANN401 - as Litestar takes them
        super().__init__(**settings)
        self._middleware = middleware
        middleware.learn({route.path_format: route.methods for route in self.routes if isinstance(route, HTTPRoute)})

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = scope["litestar_app"] = self  # for answers outside the framework
            await self._middleware.serve(
                super().__call__, cast("HTTPScope", scope), cast("Receive", receive), cast("Send", send)
            )


def create_app(
    settings: Settings | None = None,
    make_runtime: Callable[..., Runtime] = Runtime,
    before_refusals: Callable[[ErrorHandler[Any]], ErrorHandler[Any]] = after_revocation_check,
) -> Litestar:
    """Make the ASGI application of a process. The default settings are those in the environment.

    `make_runtime` makes what the operations share; `before_refusals` wraps each handler that sends a refusal.
    """
    chosen = settings or read_settings(os.environ)
    configure_log()
    api = Router(
        "/api/v1",
        route_handlers=[
            *catalogue.ROUTES,
            *clients.ROUTES,
            *link_codes.ROUTES,
            *unlinkings.ROUTES,
            *consents.ROUTES,
            *grant_changes.ROUTES,
            *receipt_codes.ROUTES,
            *evidence.ROUTES,
            *withdrawals.ROUTES,
            *decisions.ROUTES,
            *events.ROUTES,
            *suspensions.ROUTES,
            *approvals.ROUTES,
            *texts.ROUTES,
            *findings.ROUTES,
        ],
    )
    return Application(
        middleware=HttpMiddleware(
            _ALWAYS + (_OVER_TLS if chosen.is_reached_over_tls else ()),
            note_answers(every=chosen.access_log),
            chosen.body_seconds,
        ),
        route_handlers=[api, *tokens.ROUTES, *health.ROUTES, *log.ROUTES, *PAGES],
        lifespan=[_lifespan(chosen, make_runtime)],
        request_class=ApiRequest,
        exception_handlers={
            RegistryError: before_refusals(registry_error),
            HTTPException: before_refusals(http_error),
            Exception: internal_error,
        },
        request_max_body_size=BODY_BYTES,
        openapi_config=None,  # api/openapi/document.py writes the document
        debug=False,
    )


def create_shown_app() -> ASGIApp:
    """Make the ASGI application of the demonstration, which shows a short line for each request on standard output."""
    return RequestLines(create_app())


def _lifespan(
    settings: Settings, make_runtime: Callable[..., Runtime]
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        keys = load_keys(settings.keys)
        pool = await open_pool(settings.database_url, settings.pool_size)
        slow_pool = await open_pool(settings.database_url, settings.oversight_pool_size)
        oversight = QueuedPool(slow_pool, settings.oversight_pool_size, settings.oversight_queue)
        try:
            runtime = make_runtime(
                pool,
                keys,
                settings.issuer,
                constant_time_seconds=settings.even_acts_ms / 1000,
                oversight=oversight,
                turns=Turns(settings.pool_size // 2),
            )
            app.state.trusted_proxies = settings.trusted_proxies
            app.state.shared = SharedState(
                runtime,
                log_public=settings.log_public,
                response_seconds=settings.even_ms / 1000,
                workers=settings.workers,
            )
            app.state.readiness = Readiness(runtime, settings.erasure_ledger)
            housekeeping = app.state.housekeeping = Housekeeping(runtime)
            warnings = app.state.warnings = Warnings(runtime, housekeeping, settings.sealer_state)
            tasks = [
                asyncio.create_task(work)
                for work in (housekeeping.run(), warnings.run(), KeyFollower(runtime, settings.keys).run())
            ]
            yield
            for task in tasks:
                task.cancel()
        finally:
            await pool.close()
            await oversight.close()

    return lifespan
