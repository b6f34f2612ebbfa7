"""`consent-registry serve`: run the production server, configured by CONSENT_REGISTRY_… in the environment."""

import os
from collections.abc import Mapping
from functools import partial

from consent_registry.cli.erasure import ERASER_URL, replay_at_start
from consent_registry.operations.runtime.installation import require_safe_to_serve
from consent_registry.process.server_start import Port, Service, Workers, become_server
from consent_registry.process.standard_streams import say
from consent_registry.settings import read_settings, require_proxy


def serve(*, host: str = "127.0.0.1", port: Port = 8080, workers: Workers = 1) -> None:
    """Serve the registry until stopped. Reads CONSENT_REGISTRY_DATABASE_URL, _KEYS and _ISSUER.

    Parameters
    ----------
    host
        Address to bind. Put a reverse proxy with TLS in front of it.
    port
        Port to bind.
    workers
        Number of worker processes.
    """
    service = Service(host=host, port=port, workers=workers)
    become_server(service, partial(_check, service))


async def _check(service: Service) -> Mapping[str, str]:
    """Check the installation before the port is opened, and repeat erasures that a restored backup has undone."""
    settings = read_settings(os.environ)
    require_proxy(settings, service.host)
    await require_safe_to_serve(settings.database_url, settings.keys, settings.connections * service.workers)
    if os.environ.get(ERASER_URL) and settings.erasure_ledger is not None:
        erased = await replay_at_start(os.environ[ERASER_URL], settings.keys, settings.erasure_ledger)
        if erased:
            say(f"{len(erased)} erasures were repeated; run `consent-registry erasure scrub` as the migrator")
    return {}
