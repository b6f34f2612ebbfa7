"""A registry in which one worker keeps the keys that it loaded at its start (the rotation campaign must find it)."""

import os
from datetime import datetime
from pathlib import Path

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.keys.key_follower import KeyFollower


def create_app() -> ASGIApp:
    """Return the real application; the first worker to ask for it does not look at its key files again."""
    try:
        os.close(os.open(Path(os.environ["CONSENT_REGISTRY_KEYS"], "deaf"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return real_app()
    KeyFollower.refresh = _look  # type: ignore[method-assign]
    return real_app()


def _look(self: KeyFollower, now: datetime) -> None:
    """Look away."""
