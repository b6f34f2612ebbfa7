"""The start page, and the page that lists the networks' logs."""

import html
from typing import Any

from litestar import Request, Response, get

from consent_registry.web.callers import shared_state
from consent_registry.web.files import serve_file
from consent_registry.web.html_page import page

START = page(
    "Consent registry",
    "<p><em>May I pass this person’s data on, to this office, for this purpose, now?</em> The registry answers from "
    "the consents on file and writes question and answer into a log before the answer leaves. It holds no case files "
    "and no names.</p><ul>"
    '<li><a href="/docs">Interface</a>: every call, to read and to try; <a href="/openapi/openapi.json">OpenAPI 3.1</a>'
    " for programs</li>"
    '<li><a href="/guides">Guides</a>: the life of a consent, the rules, verifying the log, operating, erasing</li>'
    '<li><a href="/log">Log</a>: checkpoints, proofs and keys, to be verified by programs that are not ours</li>'
    '<li><a href="/problems">Problems</a>: what every error means and what to do</li></ul>'
    '<section lang="de"><h2>Einwilligungsregister</h2>'
    "<p><em>Darf ich die Daten dieser Person jetzt an diese Stelle zu diesem Zweck weitergeben?</em> Das Register "
    "antwortet aus den hinterlegten Einwilligungen und schreibt Frage und Auskunft in ein Protokoll, bevor die "
    "Auskunft hinausgeht. Es enthält keine Akten und keine Namen. Eine Auskunft bestätigt eine Einwilligung, nicht die "
    "Rechtmäßigkeit.</p><ul>"
    '<li><a href="/docs">Schnittstelle</a>: alle Aufrufe, zum Lesen und Ausprobieren (englisch)</li>'
    '<li><a href="/guides">Anleitungen</a>: Einwilligungen, Regeln, Prüfung des Protokolls, Betrieb, Löschen '
    "(englisch)</li>"
    '<li><a href="/log">Protokoll</a>: Prüfpunkte, Nachweise und Schlüssel</li>'
    '<li><a href="/problems">Fehler</a>: was jede Fehlermeldung bedeutet und was zu tun ist</li></ul></section>',
)
LOG = (
    "<p>Every decision and every change is an entry of its network’s log, which only grows. Its signed checkpoint, "
    'tiles and proofs are files that strangers verify offline: <a href="/guides/verifying">how</a>. Addresses below '
    "<code>/log/NETWORK/</code>: <code>checkpoint</code>, <code>vkeys</code>, <code>tile/…</code>, "
    "<code>proofs/INDEX</code>, <code>consistency?from=…</code>; keys of receipts: "
    '<a href="/.well-known/jwks.json">/.well-known/jwks.json</a>.</p>'
)
NOT_PUBLIC = "<p>The logs of this registry are shown to callers with an access token of their network.</p>"


@get("/")
async def show_start(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show what the registry is, with links to its pages."""
    return serve_file(request, START)


@get("/log")
async def list_logs(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List the networks' logs. If logs are not public, the networks are not listed either."""
    shared = shared_state(request)
    if not shared.log_public:
        return serve_file(request, page("Log", LOG + NOT_PUBLIC))
    rows = "".join(
        f'<li>{html.escape(network.name)}: <a href="/log/{network.slug}/checkpoint">checkpoint</a>, '
        f'<a href="/log/{network.slug}/vkeys">verifier keys</a></li>'
        for network in sorted(await shared.runtime.networks(), key=lambda network: network.slug)
    )
    return serve_file(request, page("Log", f"{LOG}<ul>{rows}</ul>"))


ROUTES = [show_start, list_logs]
