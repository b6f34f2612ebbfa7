"""A registry whose two clocks can be set while it runs: the application's and PostgreSQL's, by libfaketime.

Each process reads its offset from a file at every look at the clock. Time that is measured (monotonic) goes on as ever:
what is tried is a clock that is set, not a machine that stands still.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.storage.database.provisioning import create_database
from tests.campaigns.support.places import scratch
from tests.campaigns.support.server import Server

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
DATABASE = "clocks"
NOW = timedelta()
# After so long every process has looked at its clock again.
SEEN_S = 0.5


@dataclass(frozen=True, slots=True)
class Face:
    """One clock: the file that says how far it is off."""

    path: Path

    def set(self, offset: timedelta) -> None:
        """Set the clock so far off the machine's own, in a moment: a reader finds the old or the new."""
        draft = self.path.with_suffix(".new")
        draft.write_text(f"{offset.total_seconds():+.6f}")
        draft.chmod(0o644)
        draft.rename(self.path)

    @property
    def offset(self) -> timedelta:
        """How far the clock is off."""
        return timedelta(seconds=float(self.path.read_text()))

    def now(self) -> datetime:
        """What the clock shows."""
        return datetime.now(UTC) + self.offset

    def environment(self) -> Mapping[str, str]:
        """What makes a process look at this clock."""
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@dataclass(slots=True)
class Timepiece:
    """The two clocks, the cluster and the server."""

    app: Face
    database: Face
    cluster: Cluster
    server: Server

    def set(self, app: timedelta = NOW, database: timedelta = NOW) -> None:
        """Set both clocks."""
        self.app.set(app)
        self.database.set(database)

    async def sql(self, user: str = "postgres") -> asyncpg.Connection:
        """Connect to the database past the application."""
        return await asyncpg.connect(self.cluster.dsn(user=user, database=DATABASE))


@contextmanager
def ticking(name: str, *, workers: int = 1, target: str | None = None) -> Iterator[Timepiece]:
    """Run the demonstration on a PostgreSQL with a clock of its own for the length of a block."""
    with scratch(name) as folder:
        app, database = Face(folder / "app.clock"), Face(folder / "database.clock")
        app.set(NOW)
        database.set(NOW)
        cluster = prepare(folder / "postgres", sync=False)
        with in_the_environment(database.environment()):
            cluster.start()
        address = {"CONSENT_REGISTRY_DATABASE_URL": cluster.dsn(database=DATABASE)}
        server = Server(folder / "data", workers=workers, target=target, environment={**app.environment(), **address})
        try:
            asyncio.run(create_database(cluster.dsn(), DATABASE))
            server.start()
            yield Timepiece(app, database, cluster, server)
        finally:
            server.stop(check=False)
            cluster.stop()


@contextmanager
def in_the_environment(more: Mapping[str, str]) -> Iterator[None]:
    """A child that is started here inherits this; we ourselves were started before and go by the machine's clock."""
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]
