"""A registry with `synchronous_commit` off: a commit does not wait for the disk (the crash campaign must find it)."""

from litestar.types import ASGIApp

from consent_registry import app
from consent_registry.storage.database import session_checks


def create_app() -> ASGIApp:
    """The application, content with any synchronous_commit."""
    name = "synchronous_commit"
    session_checks.REQUIRED = {**session_checks.REQUIRED, name: session_checks.REQUIRED[name] | {"off"}}
    return app.create_app()
