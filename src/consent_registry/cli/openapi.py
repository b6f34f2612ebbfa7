"""`consent-registry openapi`: write the interface's description, as it is committed."""

import sys
from pathlib import Path

from consent_registry.api.openapi.document import document_bytes
from consent_registry.app import create_app
from consent_registry.settings import Settings


def openapi() -> None:
    """Write the OpenAPI document to standard output."""
    # The application is made but never started, so it needs no database, keys or issuer.
    sys.stdout.buffer.write(document_bytes(create_app(Settings(database_url="", keys=Path(), issuer=""))))
