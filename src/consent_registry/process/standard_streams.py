"""Makes a verb's standard input, output and error safe to use, even if they are closed, full or broken.

If a file descriptor from 0 to 2 is closed, the next opened file gets it, and a child would write its lines into that
file. So these descriptors are opened first.
"""

import errno
import io
import os
import sys
from contextlib import suppress


class OutputFailed(Exception):
    """Standard output cannot be written; the message is one line that says why."""


class _Raw(io.FileIO):
    """The file descriptor of standard output, which raises OutputFailed instead of OSError."""

    def write(self, data: object, /) -> int:
        """Write; raises OutputFailed."""
        try:
            return super().write(data)  # type: ignore[arg-type]  # whatever BufferedWriter hands over
        except OSError as error:
            why = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputFailed(f"standard output cannot be written: {why}") from error


def open_streams() -> None:
    """Make all streams usable: closed input is empty, closed output fails on writing, closed error drops lines."""
    _fill(0, os.O_RDONLY)
    _fill(1, os.O_RDONLY)  # opened for reading, so that writing to it fails
    _fill(2, os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the process's whole life
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = sys.__stdout__ = _output(sys.stdout)  # type: ignore[misc]  # the process's own from now on


def survive_without_output() -> None:
    """Discard closed output, for a verb that runs until it is stopped. Children inherit this."""
    if sys.stdout is not None and not _is_writable(1):
        _replace(1)


def give_up_output() -> None:
    """Discard unwritten output, so that the interpreter does not fail again when it exits."""
    with suppress(OSError):
        _replace(1)
    with suppress(OSError, ValueError, OutputFailed):
        sys.stdout.flush()


def say(line: str) -> None:
    """Write a line to standard error, and ignore a failure."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"consent-registry: {line}\n")
        sys.stderr.flush()


def show(text: str) -> None:
    """Write lines for people to standard output, and ignore a failure."""
    data = f"{text}\n".encode(getattr(sys.stdout, "encoding", None) or "utf-8", "backslashreplace")
    with suppress(OSError):
        while data:
            data = data[os.write(1, data) :]


def _output(known: io.TextIOBase | None) -> io.TextIOWrapper:
    encoding = getattr(known, "encoding", None) or "utf-8"
    with suppress(OSError, ValueError, AttributeError):
        known.flush()  # type: ignore[union-attr]
    # File names that are not UTF-8 are written as their original bytes.
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(1, "w", closefd=False)),
        encoding=encoding,
        errors="surrogateescape",
        line_buffering=os.isatty(1),
    )


def _fill(descriptor: int, flags: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        _point_at_nothing(descriptor, flags)


def _replace(descriptor: int) -> None:
    _point_at_nothing(descriptor, os.O_WRONLY)


def _point_at_nothing(descriptor: int, flags: int) -> None:
    handle = os.open(os.devnull, flags)
    if handle != descriptor:
        os.dup2(handle, descriptor)
        os.close(handle)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - has no names for its parameters


def _is_writable(descriptor: int) -> bool:
    try:
        os.write(descriptor, b"")
    except OSError:
        return False
    return True
