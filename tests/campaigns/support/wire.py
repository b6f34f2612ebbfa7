"""A keep-alive HTTP/1.1 connection that says exactly how far a failed request got.

httpx costs about half a millisecond per request and hides what happened on the socket. A campaign needs
both: load, and the difference between "the request was never sent whole", "the server closed without a
byte of answer" and "the answer broke off".
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

LONGEST_ANSWER_S = 30.0
# The server closes a connection that was idle for 20 s: nobody asks on one that may be closed any moment.
LONGEST_IDLE_S = 10.0


class Progress(Enum):
    """How far a request got that has no complete answer."""

    NOT_CONNECTED = "no connection"
    NOT_SENT = "request not written whole"
    NO_ANSWER = "closed without a byte of answer"
    PARTIAL_ANSWER = "answer broke off"
    TIMED_OUT = "no complete answer in time"


class LostError(Exception):
    """The connection ended before a complete answer; `progress` says where."""

    def __init__(self, progress: Progress, sent_at: float | None) -> None:
        super().__init__(progress.value)
        self.progress = progress
        self.sent_at = sent_at


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer; the times are `time.monotonic()` seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    began_at: float
    sent_at: float
    ended_at: float

    def json(self) -> Any:  # noqa: ANN401 - whatever was answered
        """Return the decoded body; `None` for an empty one."""
        return json.loads(self.body) if self.body else None


@dataclass(slots=True)
class Wire:
    """One connection, opened when needed and again after it was closed."""

    port: int
    host: str = "127.0.0.1"
    longest_s: float = LONGEST_ANSWER_S
    _reader: asyncio.StreamReader | None = field(default=None, init=False)
    _writer: asyncio.StreamWriter | None = field(default=None, init=False)
    _used_at: float = field(default=0.0, init=False)

    async def connect(self) -> None:
        """Open the connection now, if it is not open or was idle for long."""
        if time.monotonic() - self._used_at > LONGEST_IDLE_S:
            self.close()
        self._used_at = time.monotonic()
        if self._writer is None or self._writer.is_closing():
            try:
                self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
            except OSError as error:
                raise LostError(Progress.NOT_CONNECTED, None) from error

    def close(self) -> None:
        """Drop the connection without waiting."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def post(self, path: str, body: object, headers: dict[str, str]) -> Answer:
        """Send `body` as JSON (bytes go as they are) and return the complete answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.request("POST", path, {"Content-Type": "application/json", **headers}, content)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Ask for `path` and return the complete answer."""
        return await self.request("GET", path, headers or {}, b"")

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Do one request; raise `LostError` when no complete answer came."""
        began_at = time.monotonic()
        await self.connect()
        assert self._writer is not None
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await self._writer.drain()
        except OSError as error:
            self.close()
            raise LostError(Progress.NOT_SENT, None) from error
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(self.longest_s):
                return await self._answer(began_at, sent_at)
        except TimeoutError as error:
            self.close()
            raise LostError(Progress.TIMED_OUT, sent_at) from error
        except asyncio.CancelledError:
            self.close()
            raise

    async def _answer(self, began_at: float, sent_at: float) -> Answer:
        assert self._reader is not None
        started = False
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            started = True
            status = int(head[0].split(" ", 2)[1])
            pairs = (line.split(":", 1) for line in head[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, value in pairs}
            body = await self._body(headers)
        except (asyncio.IncompleteReadError, OSError) as error:
            begun = started or bool(getattr(error, "partial", b""))
            self.close()
            raise LostError(Progress.PARTIAL_ANSWER if begun else Progress.NO_ANSWER, sent_at) from error
        if headers.get("connection", "").lower() == "close":
            self.close()
        self._used_at = time.monotonic()
        return Answer(status, headers, body, began_at, sent_at, self._used_at)

    async def _body(self, headers: dict[str, str]) -> bytes:
        assert self._reader is not None
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        parts = []
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readuntil(b"\r\n")
        return b"".join(parts)
