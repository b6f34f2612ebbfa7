"""Why an operation failed, in one line for an operator, without class names, values of rows or secrets."""

import os
import socket
import ssl
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from consent_registry.domain.errors import Fault, RegistryError
from consent_registry.settings import UnsafeSetting
from consent_registry.tlog.refusal import TlogRefused

_ROOT = Path(__file__).resolve().parents[2]
# SQLSTATE classes whose messages quote what was sent: data exception, integrity constraint violation.
_QUOTING = ("22", "23")
# How many causes of an exception are looked at.
_DEPTH = 8


def reason_of(error: BaseException) -> str:
    """The reason for an error in one line; for a defect of the program, the file and line where it occurred."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, RegistryError):
            return _first_line(cause.detail) + faults_of(cause.faults)
        if isinstance(cause, UnsafeSetting | TlogRefused):
            return _first_line(str(cause))
    for cause in causes:
        if (words := _outside(cause)) is not None:
            return words
    return f"an unexpected error at {_place(error)}; please report it with what was being done"


def faults_of(faults: tuple[Fault, ...]) -> str:
    """Every fault with its place and the rule it breaks, as the end of a sentence."""
    words = [
        f" {fault.pointer}: {fault.detail.rstrip('.')}" + ("" if fault.rule is None else f" ({fault.rule})")
        for fault in faults
    ]
    return ";".join(words)


def _outside(error: BaseException) -> str | None:
    """The reason if the network, the disk, a peer or the database failed; None for anything else."""
    words = _database(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"the TLS certificate is not trusted: {getattr(error, 'verify_message', 'no reason was given')}"
    elif isinstance(error, ssl.SSLError):
        words = f"TLS failed: {(getattr(error, 'reason', None) or 'no reason was given').replace('_', ' ').lower()}"
    elif isinstance(error, socket.gaierror):
        words = "the host's name cannot be resolved"
    elif isinstance(error, TimeoutError):
        words = "no answer in time"
    elif isinstance(error, OSError):
        words = _system(error)
    elif isinstance(error, UnicodeEncodeError):
        words = f"a character cannot be written in {error.encoding}: use a UTF-8 locale"
    elif isinstance(error, UnicodeDecodeError):
        words = "what was read is not UTF-8"
    elif isinstance(error, EOFError):
        words = "a file ends too early"
    return words


def _system(error: OSError) -> str:
    words = os.strerror(error.errno) if error.errno else _first_line(str(error)) or "the system refused it"
    return words if error.filename is None else f"{_shown(error.filename)}: {words}"


def _shown(name: object) -> str:
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)


def _database(error: BaseException) -> str | None:
    driver = sys.modules.get("asyncpg")  # if it was never imported, it raised nothing
    if driver is None or isinstance(error, driver.DataError):
        return None
    if isinstance(error, driver.PostgresError):
        if (error.sqlstate or "").startswith(_QUOTING):
            return None
        return f"the database refuses: {_first_line(str(error))}"
    if isinstance(error, driver.InterfaceError | driver.InternalClientError):
        return f"the database cannot be used: {_first_line(str(error))}"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, then its causes, the nearest first."""
    link: BaseException | None = error
    for _ in range(_DEPTH):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].strip()


def _place(error: BaseException) -> str:
    """The innermost line of this program that the exception passed."""
    steps = traceback.extract_tb(error.__traceback__)
    ours = [step for step in steps if Path(step.filename).is_relative_to(_ROOT)] or list(steps)
    if not ours:
        return "an unknown place"
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
