"""Reads the files of a log to be verified, from an exported folder or from the address that serves it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from consent_registry.domain.errors import Unusable
from consent_registry.tlog.note import NoteRefused, SignedNote
from consent_registry.tlog.tree_walk import ReadFile

if TYPE_CHECKING:
    import httpx

LARGEST_FILE = 256 * (65535 + 2)
"""An entry bundle of 256 entries of the greatest length (C2SP tlog-tiles)."""
PATIENCE_SECONDS = 30.0
CHECKPOINT = "checkpoint"
OK, GONE = 200, frozenset({404, 410})
# Statuses with Retry-After, and the longest accepted wait: quotas are counted by the minute.
LATER = frozenset({429, 503})
LONGEST_WAIT_SECONDS, WAITS = 61, 30


class Unreachable(Unusable):
    """The log cannot be read, so it cannot be verified."""


@contextmanager
def open_log(source: str, token: str | None) -> Iterator[ReadFile]:
    """Open a log in a folder or at a URL, with a bearer token if it is given; yields a function that reads its files.

    Raises Unreachable if there is no log, and during reading if the server's answers are not those of a log.
    """
    if source.startswith(("http://", "https://")):
        with _served(source.rstrip("/"), token) as read:
            _require_log(source, read(CHECKPOINT))
            yield read
    else:
        folder = Path(source)
        if not folder.is_dir():
            raise Unreachable(f"{source} is neither a folder nor an http(s) address")
        if not (folder / CHECKPOINT).exists() and not (folder / "tile").exists():
            raise Unreachable(f"{source} holds no log: neither a checkpoint nor tiles are in it")
        yield lambda path: _file(folder / path)


def _require_log(source: str, checkpoint: bytes | None) -> None:
    """Raise Unreachable for an address without a log, for example after a typing error in the network's name."""
    if checkpoint is None:
        raise Unreachable(f"there is no log at {source}: the answer for its checkpoint is 404, not found")
    try:
        SignedNote.parse(checkpoint)
    except NoteRefused as error:
        raise Unreachable(f"there is no log at {source}: its answer is not a checkpoint ({error})") from error


def _file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


@contextmanager
def _served(prefix: str, token: str | None) -> Iterator[ReadFile]:
    from consent_registry.operations.runtime.outgoing import CannotCall, make_client, why_not

    headers = {"Accept-Encoding": "gzip", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        client = make_client(PATIENCE_SECONDS, headers)
    except CannotCall as error:
        raise Unreachable(f"{prefix} cannot be read: {error}") from error
    with client:

        def read(path: str) -> bytes | None:
            url = f"{prefix}/{path}"
            try:
                return _fetch(client, url)
            except Unreachable:
                raise
            except Exception as error:
                raise Unreachable(f"{url} cannot be read: {why_not(error)}") from error

        yield read


def _fetch(client: "httpx.Client", url: str) -> bytes | None:
    """The bytes of a file, or None if it does not exist. After an answer with Retry-After the request is repeated."""
    for _ in range(WAITS):
        fetched = _fetch_once(client, url)
        if not isinstance(fetched, int):
            return fetched
        time.sleep(fetched)
    raise Unreachable(f"{url} answered with Retry-After {WAITS} times")


def _fetch_once(client: "httpx.Client", url: str) -> bytes | int | None:
    """Like `_fetch`, or the seconds in Retry-After."""
    with client.stream("GET", url) as answer:
        later = answer.headers.get("retry-after", "")
        if answer.status_code in LATER and later.isdecimal() and int(later) <= LONGEST_WAIT_SECONDS:
            return int(later)
        if answer.status_code in GONE:
            return None
        if answer.status_code != OK:
            raise Unreachable(f"{url} answered {answer.status_code}")
        received = bytearray()
        for chunk in answer.iter_bytes():
            received += chunk
            if len(received) > LARGEST_FILE:
                raise Unreachable(f"{url} is larger than any file of a log")
        return bytes(received)
