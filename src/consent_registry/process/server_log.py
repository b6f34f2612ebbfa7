"""The server's log: a JSON object on each line, without content from requests.

An exception is logged with its type and code positions, without its message and variables: PostgreSQL's messages quote
a row's values, and a variable may contain a token or a client's reference.
"""

import io
import os
import secrets
import sys
import traceback
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

REQUEST_ID_LENGTH = 128


class _LossyOutput(io.TextIOBase):
    """Standard output for log lines, in UTF-8. If it cannot be written, the line is lost and the request continues."""

    def write(self, text: str, /) -> int:
        with suppress(OSError, ValueError):
            if sys.stdout is sys.__stdout__:
                data = text.encode("utf-8", "backslashreplace")
                while data:  # unbuffered: Python's buffer would repeat a failed write for ever
                    data = data[os.write(1, data) :]
            else:
                sys.stdout.write(text)
        return len(text)


def configure_log() -> None:
    """Make every structlog logger of this process write JSON lines to standard output."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_values,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _LossyOutput())),
    )


def _without_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    error = sys.exception() if found is True else found
    if isinstance(error, BaseException):
        event["exception"] = list(_chain(error))
    return event


def _chain(error: BaseException | None) -> list[dict[str, Any]]:
    """The exception and its causes, the latest first, each with its innermost code positions."""
    links: list[dict[str, Any]] = []
    while error is not None and len(links) < 8:  # noqa: PLR2004 - enough for any chain of causes
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        link = {"type": f"{type(error).__module__}.{type(error).__qualname__}", "at": places}
        for name in ("sqlstate", "constraint_name", "table_name"):
            if getattr(error, name, None):
                link[name] = getattr(error, name)
        links.append(link)
        error = error.__cause__ or error.__context__
    return links


def request_id(scope: Any) -> str:  # noqa: ANN401 - an ASGI scope
    """The request's id: the caller's (at most 128 printable ASCII characters), or a new one, stored in the scope."""
    known = scope.get("request_id")
    if known is None:
        given = [value for name, value in scope["headers"] if name == b"x-request-id"]
        text = given[0].decode("latin-1") if len(given) == 1 else ""
        usable = 1 <= len(text) <= REQUEST_ID_LENGTH and text.isascii() and text.isprintable()
        known = scope["request_id"] = text if usable else secrets.token_hex(16)
    return str(known)
