"""Which SQL statements a request causes, as PostgreSQL itself logs them."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg

from tests.campaigns.support.server import Server

# Of the application's connections alone: the sealer seals every second, whatever is asked.
RECORD = re.compile(r"^@\d+ \w*_app@ LOG:  (?:statement|execute [^:]+): ", re.MULTILINE)
NEXT_RECORD = re.compile(r"^@\d+ \w*@ ", re.MULTILINE)
SETTINGS = {"log_statement": "all", "log_line_prefix": "@%p %u@ ", "log_parameter_max_length": "0"}
LONGEST_WAIT_S = 10.0


@dataclass(slots=True)
class Statements:
    """A superuser's connection that marks the log before and after what is to be counted."""

    server: Server
    connection: asyncpg.Connection
    number: int = field(default=0, init=False)
    position: int = field(default=0, init=False)

    @classmethod
    async def of(cls, server: Server) -> "Statements":
        """Let the embedded PostgreSQL log every statement from now on."""
        connection = await server.sql()
        for name, value in SETTINGS.items():
            await connection.execute(f"alter system set {name} = '{value}'")
        await connection.execute("select pg_reload_conf()")
        await asyncio.sleep(0.5)
        return cls(server, connection)

    async def caused_by(self, act: Callable[[], Awaitable[object]]) -> tuple[str, ...]:
        """Return the statements logged while `act` ran, in order and with their white space folded."""
        await self._mark()
        await act()
        return await self._mark()

    async def close(self) -> None:
        """Let PostgreSQL log as before."""
        for name in SETTINGS:
            await self.connection.execute(f"alter system reset {name}")
        await self.connection.execute("select pg_reload_conf()")
        await self.connection.close()

    async def _mark(self) -> tuple[str, ...]:
        self.number += 1
        mark = f"-- mark {self.number} --"
        await self.connection.execute(f"select 1 {mark}")
        async with asyncio.timeout(LONGEST_WAIT_S):
            while mark not in (text := self._new()):  # noqa: ASYNC110 - the log is written by another process
                await asyncio.sleep(0.001)
        self.position += len(text.encode())
        return tuple(found for found in read(text) if "-- mark " not in found)

    def _new(self) -> str:
        """Return what was logged since the last mark; the log is ASCII but for our own statements' comments."""
        with (self.server.data / "postgres.log").open("rb") as log:
            log.seek(self.position)
            return log.read().decode()


def read(text: str) -> list[str]:
    """Return the statements of a piece of PostgreSQL's log."""
    found = []
    for record in RECORD.finditer(text):
        end = NEXT_RECORD.search(text, record.end())
        statement = text[record.end() : end.start() if end else len(text)]
        found.append(" ".join(statement.split()))
    return found


def usual(seen: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what was seen most often: a background job's statement may stray into one of many repetitions."""
    statements, times = Counter(seen).most_common(1)[0]
    assert times * 2 > len(seen), f"no statements are usual among {Counter(map(len, seen))}"
    return statements


def difference(left: tuple[str, ...], right: tuple[str, ...]) -> str:
    """Say what one has and the other has not, for the message of a failing test."""
    more, less = Counter(left) - Counter(right), Counter(right) - Counter(left)
    return f"{len(left)} and {len(right)} statements; only left: {dict(more)}; only right: {dict(less)}"
