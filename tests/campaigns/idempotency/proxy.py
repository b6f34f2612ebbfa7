"""A proxy between the application and PostgreSQL that knows where a protocol message begins and ends.

Armed, it counts the messages of all connections in both directions and cuts the connection that carries the
n-th before or after it (frontend/backend protocol 3, PostgreSQL manual chapter "Message
Formats": a type byte and a length that counts itself; the start-up packet has no type byte).
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

SOCKET_NAME = ".s.PGSQL.5432"
SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
When = Literal["before", "after"]
T = TypeVar("T")


@dataclass(slots=True)
class Cut:
    """Where to cut, what was counted so far, and the messages that went by as (direction, type)."""

    number: int | None
    when: When
    done: bool = False
    seen: list[str] = field(default_factory=list)

    def reached(self) -> bool:
        """Say whether the message just counted is the one."""
        return self.number is not None and len(self.seen) == self.number


@dataclass(slots=True, eq=False)
class _Session:
    """One connection of the application and its own to PostgreSQL."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass(slots=True)
class Proxy:
    """Listens on a socket in `folder` and forwards to the one in `upstream`, in a thread of its own."""

    folder: Path
    upstream: Path
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _cut: Cut | None = None
    _sessions: set[_Session] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _thread: threading.Thread | None = None
    _server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        """Drop every connection and end the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join()
        self._loop.close()

    def arm(self, number: int | None, when: When = "before") -> None:
        """Count from now on and cut once at this message; `None` counts only."""
        self._call(self._arm(number, when))

    def disarm(self) -> Cut:
        """Stop counting; return what was counted and whether it was cut."""
        return self._call(self._disarm())

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)

    async def _arm(self, number: int | None, when: When) -> None:
        self._cut = Cut(number, when)

    async def _disarm(self) -> Cut:
        cut, self._cut = self._cut, None
        assert cut is not None
        return cut

    async def _listen(self) -> None:
        path = self.folder / SOCKET_NAME
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, path)
        path.chmod(0o777)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for session in list(self._sessions):
            session.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            upstream = await asyncio.open_unix_connection(self.upstream / SOCKET_NAME)
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        session = _Session(writer, upstream[1])
        self._sessions.add(session)
        try:
            if await self._start_up(reader, upstream, writer):
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(">", reader, upstream[1]))
                    both.create_task(self._pump("<", upstream[0], writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            session.cut()
            self._sessions.discard(session)
            self._tasks.discard(task)

    async def _start_up(
        self,
        reader: asyncio.StreamReader,
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Forward what precedes the first typed message; `False` for a cancel request, which ends the connection."""
        while True:
            length = await reader.readexactly(4)
            packet = await reader.readexactly(int.from_bytes(length) - 4)
            upstream[1].write(length + packet)
            code = int.from_bytes(packet[:4])
            if code not in (SSL_REQUEST, GSS_REQUEST):
                break
            writer.write(await upstream[0].readexactly(1))
        if code == CANCEL_REQUEST:
            await upstream[1].drain()
            # PostgreSQL closes the connection once it has taken the request in.
            await upstream[0].read()
        return code != CANCEL_REQUEST

    async def _pump(self, direction: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Forward message by message; ends by an error, which ends both directions."""
        while True:
            head = await source.readexactly(5)
            message = head + await source.readexactly(int.from_bytes(head[1:]) - 4)
            cut = self._cut
            if cut is None or cut.done:
                sink.write(message)
            elif not await self._counted(cut, direction, message, sink):
                raise ConnectionAbortedError
            with contextlib.suppress(OSError):
                await sink.drain()

    async def _counted(self, cut: Cut, direction: str, message: bytes, sink: asyncio.StreamWriter) -> bool:
        """Count one message and forward it; `False` when this was the place to cut."""
        cut.seen.append(direction + chr(message[0]))
        here = cut.reached()
        if not here or cut.when == "after":
            sink.write(message)
        if not here:
            return True
        cut.done = True
        if cut.when == "after":
            # Off to the other side before the connection goes: otherwise this would be a cut before the message.
            with contextlib.suppress(OSError):
                await sink.drain()
        return False
