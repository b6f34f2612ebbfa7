"""Standard input, output and error of a verb, which whoever starts it may have closed, filled or cut off.

A file descriptor from 0 to 2 that is closed would be given to the next file that is opened: a child's lines would then
be written into that file. So each is opened before anything else is.
"""

import errno
import io
import os
import sys
from contextlib import suppress


class OutputFailed(Exception):
    """Standard output cannot be written; the message is one line that says why."""


class _Raw(io.FileIO):
    """Standard output's file descriptor, whose failure is told from that of any other file."""

    def write(self, data: object, /) -> int:
        """Write; raises OutputFailed."""
        try:
            return super().write(data)  # type: ignore[arg-type]  # whatever BufferedWriter hands over
        except OSError as error:
            why = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputFailed(f"standard output cannot be written: {why}") from error


def open_streams() -> None:
    """Make all three usable: a closed output fails when it is written to, a closed input is empty, and a closed error
    stream takes everything.
    """
    _fill(0, os.O_RDONLY)
    _fill(1, os.O_RDONLY)  # whoever writes to it is told
    _fill(2, os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the process's whole life
    if sys.stderr is None:
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = sys.__stdout__ = _output(sys.stdout)  # type: ignore[misc]  # the process's own from now on


def survive_without_output() -> None:
    """For a verb that runs until it is stopped: output that was closed is thrown away, and children inherit that."""
    if sys.stdout is not None and not _is_writable(1):
        _replace(1)


def give_up_output() -> None:
    """Throw away what standard output has not taken, so that the interpreter's end does not fail at it once more."""
    with suppress(OSError):
        _replace(1)
    with suppress(OSError, ValueError, OutputFailed):
        sys.stdout.flush()


def say(line: str) -> None:
    """One line on standard error; where that cannot be written, nothing."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"consent-registry: {line}\n")
        sys.stderr.flush()


def show(text: str) -> None:
    """Lines for people on standard output, from a verb that runs on when they cannot be written."""
    data = f"{text}\n".encode(getattr(sys.stdout, "encoding", None) or "utf-8", "backslashreplace")
    with suppress(OSError):
        while data:
            data = data[os.write(1, data) :]


def _output(known: io.TextIOBase | None) -> io.TextIOWrapper:
    encoding = getattr(known, "encoding", None) or "utf-8"
    with suppress(OSError, ValueError, AttributeError):
        known.flush()  # type: ignore[union-attr]
    # Names of files that are not UTF-8 leave as the bytes they came as.
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
