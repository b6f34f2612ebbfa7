"""Where a log to be verified lies: an exported folder, or the address under which it is served."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consent_registry.audit.tree_walk import Read

LARGEST_FILE = 256 * (65535 + 2)
"""An entry bundle of 256 entries of the greatest length (C2SP tlog-tiles)."""
PATIENCE_SECONDS = 30.0


class Unreachable(Exception):
    """The log cannot be read as a whole: nothing is said of it."""


@contextmanager
def open_log(source: str, token: str | None) -> Iterator[Read]:
    """Read the log's files from a folder or from a URL, there with a bearer token if one is given.

    Raises Unreachable for what is no log at all, and while reading when the server does not answer as one.
    """
    if source.startswith(("http://", "https://")):
        with _served(source.rstrip("/"), token) as read:
            yield read
    else:
        folder = Path(source)
        if not folder.is_dir():
            raise Unreachable(f"{source} is neither a folder nor an http(s) address")
        yield lambda path: _file(folder / path)


def _file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


@contextmanager
def _served(prefix: str, token: str | None) -> Iterator[Read]:
    import httpx  # a folder needs none of it

    headers = {"Accept-Encoding": "gzip", **({"Authorization": f"Bearer {token}"} if token else {})}
    with httpx.Client(headers=headers, timeout=PATIENCE_SECONDS) as client:

        def read(path: str) -> bytes | None:
            try:
                with client.stream("GET", f"{prefix}/{path}") as answer:
                    if answer.status_code in {404, 410}:
                        return None
                    if answer.status_code != httpx.codes.OK:
                        raise Unreachable(f"{prefix}/{path} answered {answer.status_code}")
                    received = bytearray()
                    for chunk in answer.iter_bytes():
                        received += chunk
                        if len(received) > LARGEST_FILE:
                            raise Unreachable(f"{prefix}/{path} is larger than any file of a log")
                    return bytes(received)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Unreachable(f"{prefix}/{path} cannot be read: {type(error).__name__}") from error

        yield read
