"""Two registries that decide by a wrong clock: by the application's clock, and by a database's clock that was set back,
without regard to later times in the log.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.runtime.clock import Clock
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions import facts as decisions
from consent_registry.storage.decisions.client_locks import FactsQuery
from consent_registry.storage.decisions.facts import Facts


class _ByOurClock:
    """A connection whose statements are given this process's time."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = f"'{now.isoformat()}'::timestamptz"

    async def fetch(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - as the driver's
        """Ask as usual, with our time in the place of the server's."""
        return await self._connection.fetch(query.replace("statement_timestamp()", self._now), *arguments)


async def load_facts(connection: Connection, network_id: int, queries: Sequence[FactsQuery]) -> Facts:
    """Return the facts as of this process's time."""
    now = datetime.now(UTC)
    facts = await _real(cast("Connection", _ByOurClock(connection, now)), network_id, queries)
    return msgspec.structs.replace(facts, now=now)


async def _forget(_: Clock, __: Connection, ___: int, now: datetime) -> datetime:
    return now


def create_app() -> ASGIApp:
    """Return the real application, judging by its own clock alone."""
    return _forgetting(Steps(load_facts=load_facts))


def create_app_that_forgets() -> ASGIApp:
    """Return the real application, with no memory of how late it was."""
    return _forgetting(Steps())


def _forgetting(steps: Steps) -> ASGIApp:
    setattr(Clock, "latest", _forget)  # noqa: B010 - a defect, which a type checker rightly refuses
    return real_app(make_runtime=partial(Runtime, steps=steps))


_real = decisions.load_facts
