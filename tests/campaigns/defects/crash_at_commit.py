"""A registry whose worker kills itself at the COMMIT of its first decision: before COMMIT is sent, or after its answer.

It does this once: the environment's DYING_MARK names a file that is made then, and the worker that follows is the real
one.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from litestar.types import ASGIApp

from consent_registry import app
from consent_registry.operations.decisions import batch
from consent_registry.storage.database import database
from consent_registry.storage.database.database import Connection
from consent_registry.storage.log import append

_decided: ContextVar[bool] = ContextVar("decided", default=False)


async def append_all(*arguments: Any) -> Any:  # noqa: ANN401 - as the real one
    """Append as usual and remember that this task's transaction holds decisions."""
    _decided.set(True)
    return await _append(*arguments)


def _die() -> None:
    Path(os.environ["DYING_MARK"]).touch()
    os.kill(os.getpid(), signal.SIGKILL)


async def before(connection: Connection) -> None:
    """Die with the decision in hand, and nothing committed."""
    if _decided.get():
        _die()
    await _commit(connection)


async def after(connection: Connection) -> None:
    """Die when it is on the disk, and nobody was told."""
    await _commit(connection)
    if _decided.get():
        _die()


def _make(commit: Callable[[Connection], Awaitable[None]]) -> ASGIApp:
    if not Path(os.environ["DYING_MARK"]).exists():
        vars(batch)["append_all"] = append_all
        vars(database)["_commit"] = commit
    return app.create_app()


def create_app_that_dies_before() -> ASGIApp:
    """Return the application of case 1."""
    return _make(before)


def create_app_that_dies_after() -> ASGIApp:
    """Return the application of case 2."""
    return _make(after)


_append, _commit = append.append_all, database._commit
